"""MNIST counting and addition: a network reads handwritten digits one by one and counts or adds them."""

from tasks.harness.contract import Task
from tasks.mnist_counting.figures import figures
from tasks.mnist_counting.options import SMOKE, Config
from tasks.mnist_counting.results import score, tables
from tasks.mnist_counting.sweep import SWEEP
from tasks.mnist_counting.train import train

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
    threads=2,  # an image takes 44 microseconds in place of 75; see benchmarks/speed.md
)
