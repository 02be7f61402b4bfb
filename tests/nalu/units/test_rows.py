"""The rows of a batch do not touch each other: NaN and inf stay in their row, in outputs and gradients."""

import math

import pytest
import torch
from torch import Tensor, nn

from tests.helpers import UNITS

SPOILED = 3
"""The row with the value that is not finite."""


def outputs_and_gradients(unit: nn.Module, x: Tensor) -> Tensor:
    """Of every row: its outputs, and the gradient of their sum with respect to its inputs."""
    x = x.clone().requires_grad_()
    y = unit(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    return torch.cat([y.detach(), gradient], dim=-1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", UNITS)
def test_a_value_that_is_not_finite_changes_no_other_row(name: str, training: bool) -> None:
    torch.manual_seed(0)
    unit = UNITS[name](4, 3).train(training)
    for rows in (7, 64):  # with a remainder that fills no vector register, and without
        x = torch.randn(rows, 4)
        others = torch.arange(rows) != SPOILED
        expected = outputs_and_gradients(unit, x)
        for value in (math.nan, math.inf, -math.inf):
            spoiled = x.clone()
            spoiled[SPOILED, 1] = value
            found = outputs_and_gradients(unit, spoiled)
            assert torch.equal(found[others], expected[others])
            assert not torch.equal(found[SPOILED], expected[SPOILED])
