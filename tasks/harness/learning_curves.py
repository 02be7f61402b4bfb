"""Learning curves: the errors over training, as a median over seeds with a percentile band.

Committed evidence has these curves instead of the record, whose size grows with seeds and evaluations.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tasks.harness.files import CURVES, METRICS, read_columns
from tasks.harness.metrics import EXTRAPOLATION_ERROR, INTERPOLATION_ERROR
from tasks.harness.record import Record
from tasks.harness.statistics import bands

ERROR_COLOURS = {INTERPOLATION_ERROR: "#0072B2", EXTRAPOLATION_ERROR: "#D55E00"}
"""The errors shown, in colours that colour-blind readers can distinguish."""
SHOWN = (1e-16, 1e15)
"""The ends of a logarithmic axis: the error of an exact network is 0, of a diverged one infinite."""
STATISTICS = ("p10", "median", "p90")
MOST_TICKS = 100


def learning_curves(directory: Path) -> dict[str, np.ndarray]:
    """``step`` and, for both errors, ``<error>/p10``, ``/median`` and ``/p90``, ``(evaluations,)`` each.

    Raises:
        UserError: when the directory has neither a record nor these curves.
    """
    if not (directory / METRICS).exists():
        return read_columns(directory / CURVES)
    record = Record.load(directory / METRICS)
    shown = np.unique(np.linspace(0, len(record.steps) - 1, MOST_TICKS).round().astype(int))
    curves = {"step": record.steps[shown]}
    for error in ERROR_COLOURS:
        curves |= {f"{error}/{name}": band for name, band in zip(STATISTICS, bands(record[error][shown]), strict=True)}
    return curves
