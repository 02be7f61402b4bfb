"""The settings of the table of number words to numbers."""

from __future__ import annotations

from dataclasses import replace

from tasks.number_translation.model import Kind
from tasks.number_translation.options import Config
from tasks.number_translation.published import TRASK

FRESH_SEED = 1000
"""First seed of the tables. The settings were chosen while looking at the results of seeds from 0 on."""

_MULTIPLY_ADD = Config(model="multiply-add", first_seed=FRESH_SEED, steps=160, eval_every=20)
_STEPS: dict[Kind, int] = {
    "lstm": 3000,
    "lstm-nac": 3000,
    "lstm-nalu": 3000,
    "gru": 3000,
    "transformer": 1000,
    "nalu-cell": 6000,
}
_FIRST_ORDER = tuple(Config(model=model, first_seed=FRESH_SEED, steps=steps) for model, steps in _STEPS.items())
_LARGE = replace(
    _MULTIPLY_ADD, limit=1_000_000, hidden=2, train_size=1000, seeds=16, steps=300, curriculum=15, penalty=1e-5
)
SWEEP = {
    "quick": (
        replace(_MULTIPLY_ADD, seeds=10),
        *(replace(config, seeds=10, steps=1000) for config in _FIRST_ORDER if config.model in TRASK),
    ),
    "standard": (
        _MULTIPLY_ADD,
        *_FIRST_ORDER,
        *(replace(config, split_seed=0) for config in (_MULTIPLY_ADD, *_FIRST_ORDER[:3])),
        _LARGE,
    ),
    "full": tuple(replace(config, seeds=100, steps=5 * config.steps) for config in (*_FIRST_ORDER, _MULTIPLY_ADD)),
}
