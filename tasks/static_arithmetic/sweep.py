"""The settings of the tables of static arithmetic."""

from __future__ import annotations

from dataclasses import replace

from tasks.arithmetic.problem import OPERATIONS, Operation
from tasks.static_arithmetic.model import Cell
from tasks.static_arithmetic.options import Config
from tasks.static_arithmetic.published import MADSEN_JOHANSEN

FRESH_SEED = 1000
"""First seed of the tables: the settings were chosen with results of the seeds from 0 on in view."""


def _quick(op: Operation) -> tuple[Config, ...]:
    """An addition unit for sums, a multiplication unit for the rest; only cells that soon succeed get many steps."""
    is_sum = op in ("add", "sub")
    cells: tuple[Cell, ...] = ("linear", "nac", "nalu", "nau" if is_sum else "nmu")
    soon = {"linear", "nac", "nau"} if is_sum else {"nmu"} if op in ("mul", "square") else set()
    return tuple(
        Config(op=op, cell=cell, first_seed=FRESH_SEED, seeds=10, steps=20_000 if cell in soon else 5000)
        for cell in cells
    )


def _worth_trying(op: Operation) -> tuple[Cell, ...]:
    """The cells that are made for an operation, or that solved it on some seed in the published study."""
    if op in ("add", "sub"):
        return ("linear", "nac", "nalu", "nau", "nmu")
    return ("nac-mul", "nalu", "nmu")


_CONDITIONED = Config(
    op="mul", cell="nmu", first_seed=FRESH_SEED, seeds=10, steps=5000,
    mean_split="units", bias_weight=0.001, learning_rate=0.02, beta1=0.9, beta2=0.99, warm_up=0.03,
)  # fmt: skip
_QUICK = (
    *(config for op in OPERATIONS for config in _quick(op)),
    _CONDITIONED,
)
_EVERY = tuple(Config(op=op, cell=cell, first_seed=FRESH_SEED) for op in OPERATIONS for cell in MADSEN_JOHANSEN)
_STANDARD = tuple(config for config in _EVERY if config.cell in _worth_trying(config.op))
_FULL = tuple(
    replace(
        config,
        seeds=100,
        steps=5_000_000,
        learning_rate=1e-3,
        schedule="constant",
        beta1=0.9,
        beta2=0.999,
        penalty_start=0.2 if config.cell == "nmu" else 0.001,
        penalty_end=0.4 if config.cell == "nmu" else 0.01,
    )
    for config in _EVERY
)
SWEEP = {"quick": _QUICK, "standard": _STANDARD, "full": _FULL}
