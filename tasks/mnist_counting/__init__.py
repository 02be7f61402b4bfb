"""MNIST counting and addition: digits seen one by one, and what they sum to."""

from tasks.harness.contract import Task
from tasks.mnist_counting.paper import SWEEP, figures, score, tables
from tasks.mnist_counting.train import SMOKE, Config, train

TASK = Task(
    name="mnist_counting",
    title="MNIST counting and addition",
    source="Trask et al. 2018, section 4.2; cumulative sums and products of Madsen & Johansen 2020",
    config=Config,
    train=train,
    score=score,
    smoke=SMOKE,
    sweep=SWEEP,
    tables=tables,
    figures=figures,
)
