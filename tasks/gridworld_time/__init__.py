"""The grid world: an agent that steps on a target exactly at a given time."""

from tasks.gridworld_time.paper import SWEEP, figures, score, tables
from tasks.gridworld_time.train import SMOKE, Config, train
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
)
