"""My task: what is learned, in one sentence."""

from tasks.harness.contract import Task

from .options import SMOKE, Config
from .results import figures, score, tables
from .sweep import SWEEP
from .train import train

TASK = Task(
    name="my_task",
    title="My task",
    source="the paper and section, or a first sketch",
    config=Config,
    train=train,
    score=score,
    smoke=SMOKE,
    sweep=SWEEP,
    tables=tables,
    figures=figures,
)
