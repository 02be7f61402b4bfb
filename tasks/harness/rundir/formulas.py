"""What the networks of a run compute: formulas for its first few seeds, in a file and in TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from nalu import Ensemble, inspection
from nalu.formula import HasFormula, formulas
from tasks.harness.errors import describe_error

SHOWN_SEEDS = 3


def formulas_by_seed(model: nn.Module, seeds: Sequence[int]) -> dict[int, list[str]]:
    """The formulas of the first seeds of an ensemble of networks with arithmetic units; empty for other models."""
    arithmetic = (inspection.Weighted, inspection.Gated, HasFormula)
    if not isinstance(model, Ensemble) or not any(isinstance(module, arithmetic) for module in model.modules()):
        return {}
    shown = seeds[: min(SHOWN_SEEDS, len(model))]  # the model may be that of the first chunk of seeds
    return {seed: _formulas(model.member(k)) for k, seed in enumerate(shown)}


def _formulas(network: nn.Module) -> list[str]:
    try:
        return formulas(network)
    except Exception as error:  # a unit of another package may give its own formula, and training must not end for it
        return [f"no formula: {describe_error(error)}"]
