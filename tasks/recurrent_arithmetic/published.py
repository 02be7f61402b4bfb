"""Published figures on recurrent arithmetic. They are quoted from memory, not checked against the paper."""

from __future__ import annotations

from tasks.arithmetic.problem import OPERATIONS

PUBLISHED = {
    **{(op, "nac"): "near 0" for op in ("add", "sub")},
    **{(op, "nalu"): "near 0" for op in OPERATIONS if op != "div"},
}
"""Percent of random at 1000 steps, as in the paper's table."""
NEAR_ZERO = 1.0
"""The largest percent of random that counts as "near 0"."""
