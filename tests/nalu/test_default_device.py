"""What is computed lies where the model lies: torch's default device decides only where new modules are built.

The default device is meta, whose tensors hold no numbers: a constant that was made on it could not be used.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from nalu import (
    INALU,
    NAC,
    NAU,
    ArithmeticCell,
    Ensemble,
    GRUCell,
    LSTMCell,
    Restart,
    RNNCell,
    after_step_,
    project_gradients_,
    regularizer,
    sparsity_penalty,
)
from nalu.inspection import sparsity_error
from tests.helpers import UNITS

CELLS: dict[str, Callable[[], nn.Module]] = {
    "rnn": lambda: RNNCell(4, 3),
    "gru": lambda: GRUCell(4, 3),
    "lstm": lambda: LSTMCell(4, 3),
    "arithmetic": lambda: ArithmeticCell(NAU, 4, 3),
}


@contextmanager
def meta_by_default() -> Iterator[None]:
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


def assert_same_under_meta(compute: Callable[[], list[Tensor]]) -> None:
    """Check that a computation from a seed gives the same bits, on the CPU, whatever the default device is."""
    torch.manual_seed(0)
    expected = compute()
    torch.manual_seed(0)
    with meta_by_default():
        found = compute()
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert one.device.type == "cpu"
        assert torch.equal(one, other)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", UNITS)
def test_units(name: str, training: bool) -> None:
    """The output and gradients, with what a training loop calls between them."""
    x = torch.randn(8, 4)

    def compute() -> list[Tensor]:
        unit = UNITS[name](4, 3, device="cpu").train(training)
        after_step_(unit)
        y = unit(x)
        loss = y.sum() + regularizer(unit) + sparsity_penalty(unit)
        loss.backward()
        project_gradients_(unit)
        gradients = [parameter.grad for parameter in unit.parameters()]
        return [y.detach(), loss.detach(), *(gradient for gradient in gradients if gradient is not None)]

    assert_same_under_meta(compute)


@pytest.mark.parametrize("name", CELLS)
def test_cells(name: str) -> None:
    cell, x = CELLS[name](), torch.randn(8, 4)

    def compute() -> list[Tensor]:
        state = cell(x, cell.initial_state(x))
        return list(state) if isinstance(state, tuple) else [state]

    assert_same_under_meta(compute)


def test_a_model_without_units() -> None:
    model = nn.LayerNorm(2)
    with meta_by_default():
        assert regularizer(model).item() == 0
        assert sparsity_penalty(model).item() == 0
        assert math.isnan(sparsity_error(model).item())


def test_norms_of_missing_gradients() -> None:
    ensemble = Ensemble(lambda: NAC(2, 1), range(3))
    with meta_by_default():
        assert ensemble.clip_grad_norm_(1.0).tolist() == [0, 0, 0]


def test_restarts() -> None:
    ensemble = Ensemble(lambda: INALU(2, 1), range(3))
    start = {name: tensor.detach().clone() for name, tensor in ensemble.state_dict().items()}
    optimizer = torch.optim.Adam(ensemble.parameters())

    def compute() -> list[Tensor]:
        ensemble.load_state_dict(start)
        restart = Restart(ensemble, optimizer, window=2, every=1)
        loss = torch.full((3,), 5.0, device="cpu")
        assert [restart(loss).tolist() for _ in range(2)] == [[False] * 3, [True] * 3]
        return [parameter.detach().clone() for parameter in ensemble.parameters()]

    assert_same_under_meta(compute)
