"""The settings of the tables of MNIST counting and addition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tasks.mnist_counting.data import Target
from tasks.mnist_counting.options import Config

FRESH_SEED = 1000
"""First seed of the tables. The settings were chosen while looking at the results of seeds from 0 on."""

NO_PRIORS: dict[str, Any] = {"recurrent_start": "unit", "input_start": 0.0, "penalty": 0.0, "encoder": "linear"}
"""Options of an arithmetic cell without priors; a NALU has no gate bias either."""


def without_priors(config: Config) -> Config:
    """The same setting without any prior."""
    return replace(config, **NO_PRIORS, gate_bias=0.0)


def _rows(target: Target, cells: Iterable[str], also_without_priors: Iterable[str]) -> tuple[Config, ...]:
    """One setting per cell with its default priors, and for some cells another one without priors."""
    with_priors = [Config(target=target, cell=cell, dataset="mnist", first_seed=FRESH_SEED) for cell in cells]
    return (
        *with_priors,
        *(without_priors(config) for config in with_priors if config.cell in also_without_priors),
    )


_BASELINES: tuple[str, ...] = ("lstm", "gru", "rnn-tanh", "rnn-relu")
# A product of two digits is enough to learn the weights. The only prior of this NMU is therefore the sparsity penalty,
# as in Madsen & Johansen 2020.
_PRODUCT = Config(
    target="product", cell="nmu", dataset="mnist", first_seed=FRESH_SEED, recurrent_start="unit", input_start=0.0
)
_STANDARD = (
    *_rows("counting", ("nac", "nalu", *_BASELINES), ("nac",)),
    *_rows("addition", ("nac", "nalu", *_BASELINES), ()),
    *_rows("cumsum", ("exact", "nac", "nau", "lstm"), ()),
    *_rows("product", ("exact", "nalu", "lstm"), ()),
    _PRODUCT,
)
_EVERY = (
    *_rows("counting", ("exact", "nac", "nalu", "nau", *_BASELINES), ("nac", "nalu", "nau")),
    *_rows("addition", ("exact", "nac", "nalu", "nau", *_BASELINES), ("nac", "nalu", "nau")),
    *_rows("cumsum", ("exact", "nac", "nau", "lstm"), ("nac", "nau")),
    *_rows("product", ("exact", "nalu", "lstm"), ()),
    _PRODUCT,
    without_priors(_PRODUCT),
)
_SMALL = Config(dataset="sample", first_seed=FRESH_SEED, seeds=3, steps=200, eval_every=100)
_QUICK = (
    # With so few steps, a penalty of 0.01 leaves off-diagonal weights large enough to explode over 1000 digits.
    replace(_SMALL, cell="nac", penalty=0.1, steps=500, eval_every=250),
    replace(_SMALL, cell="nalu", penalty=0.1, steps=300, eval_every=150),
    without_priors(replace(_SMALL, cell="nac")),
    replace(_SMALL, cell="lstm"),
)
_FULL = tuple(replace(config, seeds=10, steps=4 * config.steps, eval_every=4 * config.eval_every) for config in _EVERY)
SWEEP = {"quick": _QUICK, "standard": _STANDARD, "full": _FULL}
