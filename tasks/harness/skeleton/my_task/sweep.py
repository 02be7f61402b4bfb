"""The settings of the table, by profile of ``nalu reproduce``."""

from __future__ import annotations

from dataclasses import replace

from .model import CELLS
from .options import Config

_STANDARD = tuple(Config(cell=cell, seeds=25, steps=10_000) for cell in CELLS)
SWEEP = {
    "quick": tuple(Config(cell=cell) for cell in CELLS),
    "standard": _STANDARD,
    "full": tuple(replace(config, seeds=100) for config in _STANDARD),
}
