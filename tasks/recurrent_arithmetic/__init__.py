"""Recurrent arithmetic: y = f(a, b) for sums a and b over the inputs and steps of a sequence."""

from tasks.harness.contract import Task
from tasks.recurrent_arithmetic.options import SMOKE, Config
from tasks.recurrent_arithmetic.results import figures, score, tables
from tasks.recurrent_arithmetic.sweep import SWEEP
from tasks.recurrent_arithmetic.train import evaluate_model, train

TASK = Task(
    name="recurrent_arithmetic",
    title="Recurrent arithmetic",
    source="Trask et al. 2018, section 4.1; protocol of Madsen & Johansen and of Hoedt et al. 2021",
    config=Config,
    train=train,
    evaluate=evaluate_model,
    score=score,
    smoke=SMOKE,
    sweep=SWEEP,
    tables=tables,
    figures=figures,
)
