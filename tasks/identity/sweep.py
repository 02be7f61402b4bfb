"""The settings of the identity task's table and figure."""

from __future__ import annotations

from dataclasses import replace

from tasks.identity.model import ACTIVATIONS
from tasks.identity.options import Config

_STANDARD = tuple(Config(cell=cell) for cell in (*ACTIVATIONS, "nac", "nalu"))
SWEEP = {
    "quick": tuple(replace(config, seeds=20, steps=2000, eval_every=1000) for config in _STANDARD),
    "standard": _STANDARD,
    "full": tuple(replace(config, seeds=1000) for config in _STANDARD),
}
