"""Six operations: one small network, or one chosen of three, for sums, products, quotients, squares and roots."""

from tasks.harness.contract import Task
from tasks.six_operations.options import SMOKE, Config
from tasks.six_operations.results import score, tables
from tasks.six_operations.sweep import SWEEP
from tasks.six_operations.train import train

TASK = Task(
    name="six_operations",
    title="Six operations",
    source="beyond the papers: the problems of Trask et al. 2018, section 4.1, by a choice of structures",
    config=Config,
    train=train,
    score=score,
    smoke=SMOKE,
    sweep=SWEEP,
    tables=tables,
    seed_chunk=25,
)
