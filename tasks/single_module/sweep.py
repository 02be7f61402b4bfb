"""The settings of the tables of the single-module benchmark."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from nalu.units.catalogue import UNITS, BinaryOperation
from tasks.single_module.options import Config

_QUICK = tuple(
    Config(op=op, cell=cell, seeds=5, steps=3000, eval_size=1000)
    for op, cell in zip(get_args(BinaryOperation), ("nau", "nau", "nmu", "realnpu"), strict=True)
)
_STANDARD = tuple(Config(op=op, cell=name) for name, unit in UNITS.items() for op in unit.operations)
_FULL = tuple(replace(config, input_size=inputs) for inputs in (10, 100) for config in _STANDARD)
SWEEP = {"quick": _QUICK, "standard": _STANDARD, "full": _FULL}
