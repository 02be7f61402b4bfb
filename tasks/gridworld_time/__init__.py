"""The grid world: an agent learns to step on a target exactly at a given time."""

from tasks.gridworld_time.figures import figures
from tasks.gridworld_time.options import SMOKE, Config
from tasks.gridworld_time.results import score, tables
from tasks.gridworld_time.sweep import SWEEP
from tasks.gridworld_time.train import train
from tasks.harness.contract import Task

TASK = Task(
    name="gridworld_time",
    title="Time tracking in a grid world",
    source="Trask et al. 2018, section 4.5",
    config=Config,
    train=train,
    score=score,
    smoke=SMOKE,
    sweep=SWEEP,
    seed_chunk=25,
    tables=tables,
    figures=figures,
    files=("episode.gif",),
)
