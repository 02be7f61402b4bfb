"""The blog's example: two NALU layers learn to add ten numbers."""

from tasks.blog_example.paper import SWEEP, figures, score, tables
from tasks.blog_example.train import SMOKE, Config, train
from tasks.harness.contract import Task

TASK = Task(
    name="blog_example",
    title="The blog's example",
    source="the article that made the NALU popular, after Trask et al. 2018",
    config=Config,
    train=train,
    score=score,
    smoke=SMOKE,
    sweep=SWEEP,
    tables=tables,
    figures=figures,
)
