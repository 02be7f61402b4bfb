"""The single-module benchmark: one unit learns y = a op b on nine ranges and is tested on nine others."""

from tasks.harness.contract import Task
from tasks.single_module.comparison import COMPARISON
from tasks.single_module.options import SMOKE, Config
from tasks.single_module.results import figures, score, tables
from tasks.single_module.sweep import SWEEP
from tasks.single_module.train import evaluate_model, train

TASK = Task(
    name="single_module",
    title="Single module",
    source="Mistry et al. 2022 (arXiv:2101.09530), single module arithmetic task",
    config=Config,
    train=train,
    evaluate=evaluate_model,
    comparison=COMPARISON,
    score=score,
    smoke=SMOKE,
    sweep=SWEEP,
    tables=tables,
    figures=figures,
)
