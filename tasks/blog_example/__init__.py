"""The blog's example: two NALU layers learn to add ten numbers."""

from tasks.blog_example.options import SMOKE, Config
from tasks.blog_example.results import figures, score, tables
from tasks.blog_example.sweep import SWEEP
from tasks.blog_example.train import train
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
