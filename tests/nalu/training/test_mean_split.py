"""The mean split: an exact change of coordinates, compared with the same coordinates written out."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from nalu.training.mean_split import INPUTS, OUTPUTS, MeanSplit, deviation, parts, split, with_mean

ADAM = partial(torch.optim.Adam, lr=0.01)


@pytest.mark.parametrize("axes", [(), (INPUTS,), (OUTPUTS,), (INPUTS, OUTPUTS)])
def test_the_parts_sum_to_the_tensor_and_are_orthogonal(axes: tuple[int, ...]) -> None:
    W = torch.randn(3, 2, 5, dtype=torch.float64)
    found = split(W, axes)
    assert len(found) == len(parts(axes)) == 2 ** len(axes)
    torch.testing.assert_close(sum(found), W)
    whole = [part.expand_as(W) for part in found]
    for i, one in enumerate(whole):
        for other in whole[:i]:
            torch.testing.assert_close((one * other).sum(dim=(-2, -1)), torch.zeros(3, dtype=torch.float64))
    for part, deviating in zip(found, parts(axes), strict=True):
        torch.testing.assert_close(deviation(part, deviating), part)
        assert all(part.shape[axis] == 1 for axis in axes if axis not in deviating)


def test_rows_of_a_given_mean() -> None:
    W = with_mean(torch.tensor([[1.0, 2.0, 6.0], [0.0, 0.0, 0.0]]), 0.25)
    torch.testing.assert_close(W, torch.tensor([[-1.75, -0.75, 3.25], [0.25, 0.25, 0.25]]))


def problem() -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Two rows of four weights, and a loss that couples them."""
    torch.manual_seed(0)
    W = torch.randn(2, 4, dtype=torch.float64)
    x = 1 + torch.rand(50, 4, dtype=torch.float64)

    def loss(W: Tensor) -> Tensor:
        h = x @ W.mT
        return 1e4 * (h[:, 0] * h[:, 1] - x[:, 0] * x[:, 1]).square().mean()

    return W, loss


def trained(parameters: list[Tensor], weights: Callable[[], Tensor], loss: Callable[[Tensor], Tensor]) -> Tensor:
    optimizer = ADAM(parameters)
    for _ in range(20):
        optimizer.zero_grad()
        loss(weights()).backward()
        optimizer.step()
    return weights().detach()


def trained_split(W: Tensor, axes: tuple[int, ...], loss: Callable[[Tensor], Tensor]) -> Tensor:
    parameter = nn.Parameter(W.clone())
    optimizer = MeanSplit([(parameter, axes)], ADAM)
    for _ in range(20):
        optimizer.zero_grad()
        loss(parameter).backward()
        optimizer.step()
    return parameter.detach()


def test_split_over_inputs_is_the_reparametrisation() -> None:
    """W = D - mean(D) + m with Adam on D and m."""
    W, loss = problem()
    D, m = W.clone().requires_grad_(), W.mean(dim=1, keepdim=True).requires_grad_()
    expected = trained([D, m], lambda: D - D.mean(dim=1, keepdim=True) + m, loss)
    torch.testing.assert_close(trained_split(W, (INPUTS,), loss), expected, rtol=1e-6, atol=1e-8)
    assert not torch.allclose(trained_split(W, (), loss), expected, atol=1e-3)


def test_split_over_two_units_is_the_rotated_basis() -> None:
    """W_1 = A + B and W_2 = A - B with Adam on A and B."""
    W, loss = problem()
    A, B = ((W[0] + W[1]) / 2).requires_grad_(), ((W[0] - W[1]) / 2).requires_grad_()
    expected = trained([A, B], lambda: torch.stack([A + B, A - B]), loss)
    torch.testing.assert_close(trained_split(W, (OUTPUTS,), loss), expected, rtol=1e-6, atol=1e-8)


def test_without_axes_it_is_the_optimiser_itself() -> None:
    W, loss = problem()
    plain = W.clone().requires_grad_()
    torch.testing.assert_close(trained_split(W, (), loss), trained([plain], lambda: plain, loss))


def test_gradient_descent_does_not_notice() -> None:
    """A step along the gradient is the same in any orthogonal basis."""
    W, loss = problem()
    parameter = nn.Parameter(W.clone())
    optimizer = MeanSplit([(parameter, (INPUTS, OUTPUTS))], partial(torch.optim.SGD, lr=1e-3))
    loss(parameter).backward()
    optimizer.step()
    torch.testing.assert_close(parameter.detach(), W - 1e-3 * parameter.grad)


def test_it_goes_on_from_its_state_and_leaves_parameters_without_gradient_alone() -> None:
    W, loss = problem()
    kept = nn.Parameter(torch.ones(3))
    parameter = nn.Parameter(W.clone())

    def make() -> MeanSplit:
        return MeanSplit([(parameter, (INPUTS,)), (kept, (INPUTS,))], ADAM)

    optimizer = make()
    for step in range(6):
        if step == 3:
            state = optimizer.state_dict()
            optimizer = make()
            optimizer.load_state_dict(state)
        optimizer.param_groups[0]["lr"] = 0.01 / (1 + step)
        optimizer.zero_grad()
        loss(parameter).backward()
        optimizer.step()
    resumed = parameter.detach().clone()

    parameter.data.copy_(W)
    optimizer = make()
    for step in range(6):
        optimizer.param_groups[0]["lr"] = 0.01 / (1 + step)
        optimizer.zero_grad()
        loss(parameter).backward()
        optimizer.step()
    assert torch.equal(parameter.detach(), resumed)
    assert torch.equal(kept.detach(), torch.ones(3))
