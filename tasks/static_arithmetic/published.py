"""Published figures on static arithmetic, and the runs that they can be compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.arithmetic.published import MADSEN_JOHANSEN as MADSEN_JOHANSEN
from tasks.arithmetic.published import SEEDS as SEEDS
from tasks.arithmetic.published import STEPS as STEPS
from tasks.arithmetic.published import successes
from tasks.harness.tables import changed_options
from tasks.static_arithmetic.options import Config

PROBLEM = ("input_size", "hidden_size", "subset_ratio", "overlap_ratio", "interpolation_range", "extrapolation_range")
"""Options that define the problem; the published figures are for their defaults."""


def changed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a run that differ from the defaults of its operation and cell."""
    return changed_options(options, Config(op=options["op"], cell=options["cell"]))


def published_count(options: Mapping[str, Any]) -> int | None:
    """Published successes, out of SEEDS; None if none are known for this cell, or if the run has another problem."""
    if set(changed(options)) & set(PROBLEM):
        return None
    return successes(options["cell"], options["op"])
