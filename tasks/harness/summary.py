"""summary.json: statistics over seeds of the results that a task's score computes from the record."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.harness import statistics
from tasks.harness.config import Config
from tasks.harness.contract import Score, Task
from tasks.harness.record import Record
from tasks.harness.tables import Table, number, percent, steps


def summary_table(summary: dict[str, Any], label: str) -> Table:
    """summary.json as a table."""
    rows = []
    for name, rate in summary["rates"].items():
        rows.append([name, f"{rate['count']}/{rate['of']}", percent(rate), ""])
    for name, value in summary["metrics"].items():
        shown = steps if name.endswith(("step", "steps")) else number
        interval = f"[{shown(value['low'])}, {shown(value['high'])}]"
        spread = f"{shown(value['p10'])} … {shown(value['p90'])}"
        rows.append([name, shown(value["median"]), interval, spread])
    note = (
        f"{summary['seeds']} seeds x {summary['steps']} steps in {summary['wall_seconds']:.1f} s, "
        f"{summary['model_steps_per_second']:.0f} model-steps a second"
    )
    header = ["result", "count or median", "95 % interval", "p10 … p90 over seeds"]
    return Table(f"{summary['task']}: {label}", header, rows, [note])


def summarize(task: Task, config: Config, record: Record, score: Score, wall_seconds: float) -> dict[str, Any]:
    """summary.json: statistics over seeds of the results that ``task.score`` computed from the record."""
    model_steps = config.seeds * int(record.steps[-1])
    return {
        "task": task.name,
        "config": config.to_dict(),
        "seeds": config.seeds,
        "steps": int(record.steps[-1]),
        "wall_seconds": round(wall_seconds, 3),
        "model_steps_per_second": round(model_steps / max(wall_seconds, 1e-3), 1),  # some clocks are coarse
        **over_seeds(score),
    }


def over_seeds(score: Score) -> dict[str, dict[str, Any]]:
    """The ``metrics`` and ``rates`` of summary.json."""
    return {
        "metrics": {name: statistics.describe(values) for name, values in score.values.items()},
        "rates": {name: statistics.rate(outcome) for name, outcome in score.outcomes.items()},
    }


def per_seed(record: Record, score: Score) -> dict[str, np.ndarray]:
    """The same results, one entry per seed: the columns of summary.csv."""
    outcomes = {name: outcome.astype(int) for name, outcome in score.outcomes.items()}
    return {"seed": record.seeds, **score.values, **outcomes}
