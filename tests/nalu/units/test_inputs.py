"""Inputs that a unit or a cell cannot take are refused with one message, in ensembles as well."""

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from nalu import NAC, NALU, NAU, NMU, Ensemble, GRUCell, LSTMCell, RNNCell, after_step_, sparsity_penalty
from nalu.units import UNITS

WIDTHS = [(3, (8, 1)), (3, (8, 2)), (1, (8, 5)), (3, (1,)), (3, (8, 2, 4)), (3, ())]
"""The number of inputs, and the shape of inputs of another width."""


@pytest.mark.parametrize(("features", "shape"), WIDTHS)
@pytest.mark.parametrize("name", UNITS)
def test_another_width_is_refused(name: str, features: int, shape: tuple[int, ...]) -> None:
    unit = UNITS[name].build(features, 2)
    message = re.escape(f"the last dimension of the input must be in_features = {features}, got shape {shape}")
    for mode in (True, False):
        with pytest.raises(RuntimeError, match=message):
            unit.train(mode)(torch.rand(shape))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool])
@pytest.mark.parametrize("name", UNITS)
def test_whole_numbers_are_refused_as_by_a_linear_layer(name: str, dtype: torch.dtype) -> None:
    x = torch.ones(4, 2, dtype=dtype)
    with pytest.raises(RuntimeError):
        nn.Linear(2, 1)(x)
    with pytest.raises(RuntimeError, match=f"the input must be of a floating-point dtype, got {dtype}"):
        UNITS[name].build(2, 1)(x)


@pytest.mark.parametrize("name", UNITS)
def test_an_ensemble_refuses_another_width(name: str) -> None:
    models = Ensemble(lambda: UNITS[name].build(3, 2), range(4))
    with pytest.raises(RuntimeError, match="in_features = 3, got shape"):
        models(torch.rand(4, 8, 1))


CELLS: dict[str, Callable[[], nn.Module]] = {
    "lstm": lambda: LSTMCell(3, 4),
    "gru": lambda: GRUCell(3, 4),
    "rnn": lambda: RNNCell(3, 4),
}


def state(name: str, shape: tuple[int, ...], other: tuple[int, ...] = (5, 4)) -> Tensor | tuple[Tensor, Tensor]:
    return (torch.rand(other), torch.rand(shape)) if name == "lstm" else torch.rand(shape)


@pytest.mark.parametrize("shape", [(5, 1), (1, 4), (4,), (5, 5)])
@pytest.mark.parametrize("name", CELLS)
def test_a_cell_refuses_another_state(name: str, shape: tuple[int, ...]) -> None:
    message = re.escape(f"the state must have shape (5, 4), got {shape}")
    with pytest.raises(RuntimeError, match=message):
        CELLS[name]()(torch.rand(5, 3), state(name, shape))
    with pytest.raises(RuntimeError, match=message):
        LSTMCell(3, 4)(torch.rand(5, 3), (torch.rand(shape), torch.rand(5, 4)))


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_refuses_another_width(name: str) -> None:
    with pytest.raises(RuntimeError, match=r"must be input_size = 3, got shape \(5, 1\)"):
        CELLS[name]()(torch.rand(5, 1), state(name, (5, 4)))


@pytest.mark.parametrize("name", UNITS)
def test_the_output_is_contiguous_whatever_the_input_is(name: str) -> None:
    unit = UNITS[name].build(3, 2)
    x = torch.rand(3, 8).T
    assert not x.is_contiguous()
    y = unit(x)
    assert y.is_contiguous()
    torch.testing.assert_close(y, unit(x.contiguous()))


@pytest.mark.parametrize("unit", [NAU, NMU])
def test_parametrised_weights_are_not_left_unclipped_in_silence(unit: type[nn.Module]) -> None:
    model = unit(3, 2)
    parametrize.register_parametrization(model, "W_hat", nn.Tanh())
    with pytest.raises(RuntimeError, match="cannot clip W_hat, which is parametrised"):
        after_step_(model)


@pytest.mark.parametrize("unit", [NAC, NALU])
def test_the_sparsity_penalty_of_saturating_units(unit: type[nn.Module]) -> None:
    """tanh(0.5) sigmoid(0) = 0.231..., which is nearest to 0."""
    model = unit(2, 1)
    with torch.no_grad():
        model.W_hat.fill_(0.5)
        model.M_hat.zero_()
    expected = torch.tanh(torch.tensor(0.5)) / 2
    torch.testing.assert_close(sparsity_penalty(model), expected)
