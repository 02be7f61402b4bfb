"""Static arithmetic: y = f(a, b) for sums a and b of two fixed subsets of 100 inputs."""

from tasks.harness.contract import Task
from tasks.static_arithmetic.comparison import COMPARISON
from tasks.static_arithmetic.options import SMOKE, Config
from tasks.static_arithmetic.results import figures, score, tables
from tasks.static_arithmetic.sweep import SWEEP
from tasks.static_arithmetic.train import evaluate_model, train

TASK = Task(
    name="static_arithmetic",
    title="Static arithmetic",
    source="Trask et al. 2018, section 4.1; protocol of Madsen & Johansen 2020",
    config=Config,
    train=train,
    evaluate=evaluate_model,
    comparison=COMPARISON,
    score=score,
    smoke=SMOKE,
    sweep=SWEEP,
    tables=tables,
    figures=figures,
    seed_chunk=25,
)
