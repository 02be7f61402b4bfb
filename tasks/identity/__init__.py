"""Identity: networks with common activations cannot even copy numbers outside their training range."""

from tasks.harness.contract import Task
from tasks.identity.options import SMOKE, Config
from tasks.identity.results import figures, score, tables
from tasks.identity.sweep import SWEEP
from tasks.identity.train import evaluate_model, train

TASK = Task(
    name="identity",
    title="Numerical extrapolation failures",
    source="Trask et al. 2018, section 1.1, figure 1",
    config=Config,
    train=train,
    evaluate=evaluate_model,
    score=score,
    smoke=SMOKE,
    sweep=SWEEP,
    tables=tables,
    figures=figures,
)
