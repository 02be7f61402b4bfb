"""CompiledBackward gives the gradients of autograd, compiled or not."""

import os
import shutil
import warnings

import pytest
import torch
from torch import Tensor, nn

from nalu import CompiledBackward, Ensemble, after_step_, regularizer, worth_compiling
from nalu.training.compiled import MIN_COMPILED_STEPS, SWITCH
from nalu.units.catalogue import UNITS

needs_compiler = pytest.mark.skipif(shutil.which(os.environ.get("CXX", "g++")) is None, reason="no C++ compiler")
SEEDS = range(4)


def objective(model: nn.Module, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    loss = (model(x) - x.prod(dim=-1, keepdim=True)).square().mean(dim=(1, 2))
    return loss + weight * regularizer(model), loss


def ensemble(unit: str) -> Ensemble:
    return Ensemble(lambda: UNITS[unit].build(2, 1), SEEDS)


def inputs() -> tuple[Tensor, Tensor]:
    x = 1 + torch.rand(len(SEEDS), 16, 2, generator=torch.Generator().manual_seed(1))
    return x, torch.tensor(0.1)


def gradients(model: nn.Module) -> list[Tensor]:
    found = [parameter.grad for parameter in model.parameters()]
    assert all(gradient is not None for gradient in found)
    return [gradient.clone() for gradient in found if gradient is not None]


def test_closed_form():
    """The squared error of w x at x = 2 with target 0 is 4 w^2; its derivative is 8 w."""
    model = Ensemble(lambda: nn.Linear(1, 1, bias=False), SEEDS)
    x = torch.full((len(SEEDS), 1, 1), 2.0)
    w = model.template.weight.detach().flatten()

    def square(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        loss = model(x).square().mean(dim=(1, 2))
        return loss, loss

    loss = CompiledBackward(model, square)(x)
    torch.testing.assert_close(loss, 4 * w**2)
    torch.testing.assert_close(gradients(model)[0].flatten(), 8 * w)


def test_gradients_do_not_accumulate():
    model = ensemble("nac")
    backward = CompiledBackward(model, objective)
    backward(*inputs())
    first = gradients(model)
    backward(*inputs())
    torch.testing.assert_close(gradients(model), first, rtol=0, atol=0)


@needs_compiler
@pytest.mark.parametrize("unit", ["nalu", "inalu", "snmu", "realnpu"])
def test_compiled_gradients_equal_those_of_autograd_within_rounding(unit: str):
    """Regularisers take part, and so does noise that changes with every step."""
    plain, fast = ensemble(unit), ensemble(unit)
    compute = CompiledBackward(plain, objective), CompiledBackward(fast, objective, compiled=True)
    for _ in range(3):
        losses = [backward(*inputs()) for backward in compute]
        torch.testing.assert_close(losses[1], losses[0], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(gradients(fast), gradients(plain), rtol=1e-4, atol=1e-5)
        for model in (plain, fast):
            after_step_(model)


class Matrices(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.p, self.q, self.r = (nn.Parameter(torch.rand(2, 2)) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.p * self.q.mT.contiguous() + x * (self.q + self.r)


@needs_compiler
def test_gradients_share_no_memory():
    """The gradient of p is q, and q and r have equal ones in part; yet each may be written to."""
    plain, fast = (Ensemble(Matrices, SEEDS) for _ in range(2))
    x = torch.ones(len(SEEDS), 2, 2)

    def total(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        y = model(x).sum(dim=(1, 2))
        return y, y

    backward = CompiledBackward(fast, total, compiled=True)
    CompiledBackward(plain, total)(x)
    for _ in range(2):
        backward(x)
        torch.testing.assert_close(gradients(fast), gradients(plain))
        tensors = [x, *fast.parameters(), *(p.grad for p in fast.parameters())]
        assert len({tensor.untyped_storage().data_ptr() for tensor in tensors}) == len(tensors)


@needs_compiler
def test_an_objective_may_write_to_its_input():
    def shifted(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        before = x.mT.contiguous()
        loss = model(x.add_(1)).square().mean(dim=(1, 2)) + before.sum(dim=(1, 2))
        return loss, loss

    results = []
    for compiled in (False, True):
        model, x = ensemble("nac"), inputs()[0]
        backward = CompiledBackward(model, shifted, compiled=compiled)
        results.append([backward(x), backward(x), *gradients(model), x])
    torch.testing.assert_close(results[1], results[0])


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=needs_compiler)])
def test_frozen_parameters_get_no_gradient(compiled: bool):
    model, whole = ensemble("nac"), ensemble("nac")
    model.template.M_hat.requires_grad_(False)
    CompiledBackward(model, objective, compiled=compiled)(*inputs())
    CompiledBackward(whole, objective)(*inputs())
    assert model.template.M_hat.grad is None
    torch.testing.assert_close(model.template.W_hat.grad, whole.template.W_hat.grad)


@needs_compiler
def test_gradients_lie_in_memory_as_their_parameters_do():
    """The compiler may return the gradient of torch's linear layer transposed; a fused Adam would not notice."""
    plain, fast = (Ensemble(lambda: nn.Linear(3, 2), SEEDS) for _ in range(2))
    x = torch.randn(len(SEEDS), 16, 3, generator=torch.Generator().manual_seed(1))

    def square(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        loss = (model(x) - 1).square().mean(dim=(1, 2))
        return loss, loss

    for model, compiled in ((plain, False), (fast, True)):
        CompiledBackward(model, square, compiled=compiled)(x)
        torch.optim.Adam(model.parameters(), lr=0.1, fused=True).step()
    torch.testing.assert_close(list(fast.parameters()), list(plain.parameters()))


@needs_compiler
def test_compiled_code_reads_the_penalty_weight_at_every_step():
    plain, fast = ensemble("nau"), ensemble("nau")
    backward, compiled = CompiledBackward(plain, objective), CompiledBackward(fast, objective, compiled=True)
    x, _ = inputs()
    found = []
    for weight in (torch.tensor(0.0), torch.tensor(1.0)):
        backward(x, weight)
        compiled(x, weight)
        torch.testing.assert_close(gradients(fast), gradients(plain))
        found.append(gradients(plain)[0])
    assert not torch.allclose(*found), "the penalty has a gradient"


@needs_compiler
def test_many_in_one_process():
    """More functions than torch keeps compiled versions of one. The gradient of w x + b is x and 1."""

    def output(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        y = model(x).sum(dim=(1, 2))
        return y, y

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for size in range(1, 11):
            model = Ensemble(lambda: nn.Linear(1, 1), range(size))
            x = torch.full((size, 1, 1), 3.0)
            loss = CompiledBackward(model, output, compiled=True)(x)
            weight, bias = model.template.weight, model.template.bias
            torch.testing.assert_close(loss, (3 * weight.flatten() + bias.flatten()).detach())
            assert (weight.grad == 3).all()
            assert (bias.grad == 1).all()


def test_without_a_working_compiler_it_is_not_compiled(monkeypatch: pytest.MonkeyPatch):
    def fails(*args: object, **options: object) -> None:
        raise RuntimeError("no compiler\nfound")

    model = ensemble("nac")
    backward = CompiledBackward(model, objective, compiled=True)
    monkeypatch.setattr(backward, "_compile", fails)
    with pytest.warns(UserWarning, match="training is not compiled: no compiler$"):
        loss = backward(*inputs())
    same = ensemble("nac")
    torch.testing.assert_close(loss, CompiledBackward(same, objective)(*inputs()))
    torch.testing.assert_close(gradients(model), gradients(same))


def test_compiling_is_worth_it_for_long_runs_where_there_is_a_compiler(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/" + name)
    assert worth_compiling(MIN_COMPILED_STEPS)
    assert not worth_compiling(MIN_COMPILED_STEPS - 1)
    monkeypatch.setenv(SWITCH, "0")
    assert not worth_compiling(MIN_COMPILED_STEPS)
    monkeypatch.delenv(SWITCH)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert not worth_compiling(MIN_COMPILED_STEPS)
