"""Promises of all units: devices, export, and rows of a batch that do not see each other."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from nalu.units.catalogue import UNITS

INPUTS = [[0.5, -2.0, 3.0], [1.5, 0.25, -1.0], [2.0, 1.0, 0.5], [-0.75, 4.0, 1.25]]


@pytest.fixture(params=UNITS)
def unit(request: pytest.FixtureRequest) -> nn.Module:
    return built(request.param)


def built(name: str) -> nn.Module:
    torch.manual_seed(0)
    return UNITS[name].build(3, 2)


@pytest.fixture
def meta() -> Iterator[None]:
    """Tensors without a given device have no memory, so a constant that is made on the default device has no value."""
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


def outputs_and_gradients(unit: nn.Module, x: Tensor) -> list[Tensor]:
    """The outputs, and the gradients with respect to the inputs and the parameters."""
    x = x.clone().requires_grad_()
    y = unit(x)
    unit.zero_grad()
    y.nansum().backward()
    assert x.grad is not None
    return [y.detach(), x.grad, *(p.grad for p in unit.parameters() if p.grad is not None)]


@pytest.mark.parametrize("training", [True, False])
def test_nothing_is_made_on_the_default_device(unit: nn.Module, training: bool, request: pytest.FixtureRequest) -> None:
    x = torch.tensor(INPUTS)
    expected = outputs_and_gradients(unit.train(training), x)
    request.getfixturevalue("meta")
    found = outputs_and_gradients(unit, x)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_an_exported_unit_takes_batches_of_any_size(unit: nn.Module) -> None:
    unit.eval()
    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(unit, (torch.tensor(INPUTS),), dynamic_shapes={"x": {0: batch}}).module()
    for x in (torch.tensor(INPUTS), torch.tensor(INPUTS * 3), torch.rand(5, 3)):
        torch.testing.assert_close(program(x), unit(x), rtol=0, atol=0)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_a_wrong_row_leaves_the_other_rows_alone(unit: nn.Module, training: bool, wrong: float) -> None:
    unit.train(training)
    x = torch.tensor(INPUTS)
    expected, expected_gradient, *_ = outputs_and_gradients(unit, x)
    x[1, 2] = wrong
    found, gradient, *_ = outputs_and_gradients(unit, x)
    others = [0, 2, 3]
    assert torch.equal(found[others], expected[others])
    assert torch.equal(gradient[others], expected_gradient[others])
