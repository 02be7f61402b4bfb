"""Number words to numbers: "five hundred and fifteen" to 515."""

from tasks.harness.contract import Task
from tasks.number_translation.options import SMOKE, Config
from tasks.number_translation.results import figures, score, tables
from tasks.number_translation.sweep import SWEEP
from tasks.number_translation.train import PREDICTIONS, train

TASK = Task(
    name="number_translation",
    title="Number words to numbers",
    source="Trask et al. 2018, section 4.3",
    config=Config,
    train=train,
    score=score,
    smoke=SMOKE,
    sweep=SWEEP,
    tables=tables,
    figures=figures,
    files=(PREDICTIONS,),
)
