"""What a training loop of one's own may do to ensembles, optimisers and compiled gradients."""

import copy
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from nalu import NAC, NALU, Adam, CompiledBackward, Ensemble, MeanSplit
from nalu.training.mean_split import INPUTS


def objective(model: Ensemble, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    loss = (model(x) - y).square().mean(dim=(1, 2))
    return loss, loss


def examples() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.rand(3, 16, 2), torch.rand(3, 16, 1)


OTHERS: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "float64": lambda x, y: (x, y.double()),
    "float16": lambda x, y: (x.half(), y),
    "uint8": lambda x, y: (x, y.to(torch.uint8)),
    "shape": lambda x, y: (x[:, :8].contiguous(), y[:, :8].contiguous()),
    "layout": lambda x, y: (x.transpose(1, 2).contiguous().transpose(1, 2), y),
}


@pytest.mark.parametrize("other", OTHERS)
def test_compiled_code_refuses_tensors_that_it_would_misread(other: str) -> None:
    model = Ensemble(lambda: NAC(2, 1), range(3))
    backward = CompiledBackward(model, objective, compiled=True)
    x, y = examples()
    expected = backward(x, y)
    with pytest.raises(ValueError, match=r"compiled for input [01] of shape"):
        backward(*OTHERS[other](x, y))
    torch.testing.assert_close(backward(x, y), expected)


def test_compiled_code_refuses_parameters_that_it_would_misread() -> None:
    model = Ensemble(lambda: NAC(2, 1), range(3))
    backward = CompiledBackward(model, objective, compiled=True)
    backward(*examples())
    model.double()
    with pytest.raises(ValueError, match=r"compiled for template.W_hat of shape .* torch.float32 .* torch.float64"):
        backward(*examples())


@pytest.mark.parametrize("compiled", [False, True])
def test_tensors_put_in_the_place_of_parameters_are_trained(compiled: bool) -> None:
    model = Ensemble(lambda: NAC(2, 1), range(3))
    backward = CompiledBackward(model, objective, compiled=compiled)
    x, y = examples()
    backward(x, y)
    expected = [parameter.grad.clone() for parameter in model.parameters()]
    other = {name: 2 * tensor for name, tensor in model.state_dict().items()}
    same = copy.deepcopy(model.state_dict())
    for _ in range(2):
        model.load_state_dict(other, assign=True)
        backward(x, y)
        assert not torch.allclose(next(model.parameters()).grad, expected[0])
        model.load_state_dict(same, assign=True)
        backward(x, y)
        for parameter, gradient in zip(model.parameters(), expected, strict=True):
            torch.testing.assert_close(parameter.grad, gradient)  # and not added to an earlier one


def build() -> nn.Module:
    return nn.Sequential(NALU(10, 10), NAC(10, 1))


def test_ensembles_built_in_four_threads_have_their_own_seeds() -> None:
    built: dict[int, Ensemble] = {}

    def work(k: int) -> None:
        built[k] = Ensemble(build, range(20 * k, 20 * k + 20))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for models in built.values():
        for k, seed in enumerate(models.seeds):
            torch.manual_seed(seed)
            for alone, among in zip(build().parameters(), models.member(k).parameters(), strict=True):
                assert torch.equal(alone, among)


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        (5, r"seeds must be a sequence of whole numbers such as range\(5\), got 5"),
        ([1.5], r"seeds must be whole numbers, got \(1.5,\)"),
        (["1"], r"seeds must be whole numbers, got \('1',\)"),
    ],
)
def test_seeds_that_are_none(seeds: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Ensemble(build, seeds)


@pytest.mark.parametrize("natively_batched", [False, True])
def test_inputs_without_an_axis_of_seeds(natively_batched: bool) -> None:
    models = Ensemble(lambda: NAC(3, 1), range(4), natively_batched=natively_batched)
    message = r"the first axis of an input must be that of the 4 seeds, got shape \(8, 3\); with shared=True all seeds"
    with pytest.raises(ValueError, match=message):
        models(torch.rand(8, 3))
    assert models(torch.rand(8, 3), shared=True).shape == (4, 8, 1)


def test_an_ensemble_computes_what_torch_func_s_own_recipe_computes() -> None:
    models = Ensemble(build, range(5))
    members = [models.member(k) for k in range(5)]
    parameters, buffers = stack_module_state(members)
    skeleton = copy.deepcopy(members[0])
    x = torch.rand(5, 8, 10)
    expected = vmap(lambda p, b, x: functional_call(skeleton, (p, b), (x,)))(parameters, buffers, x)
    assert torch.equal(models(x), expected)


def test_batch_normalisation_is_of_each_member() -> None:
    models = Ensemble(lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), range(3))
    members = [models.member(k) for k in range(3)]
    x = torch.rand(3, 8, 3)
    torch.testing.assert_close(models(x), torch.stack([member(own) for member, own in zip(members, x, strict=True)]))
    means = torch.stack([member[1].running_mean for member in members])
    torch.testing.assert_close(models.stacked()["1.running_mean"], means)


def split(parameters: Any) -> MeanSplit:
    return MeanSplit([(p, (INPUTS,) if p.ndim == 2 else ()) for p in parameters], lambda v: torch.optim.Adam(v, 0.1))


def fused(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, 0.1, fused=True)


def trained(make: Callable[[Any], torch.optim.Optimizer], schedule: Any = None, infinite: int | None = None) -> Any:
    """Weights and the number of hooked steps after five steps, one of which may have an infinite loss."""
    torch.manual_seed(0)
    model, hooked = nn.Linear(3, 1), []
    optimizer = make(model.parameters())
    optimizer.register_step_post_hook(lambda *_: hooked.append(1))
    scheduler = None if schedule is None else schedule(optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0, enabled=infinite is not None)
    for step in range(5):
        optimizer.zero_grad(set_to_none=step % 2 == 0)
        loss = model(torch.ones(1, 3)).square().sum() * (torch.inf if step == infinite else 1)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        if scheduler is not None:
            scheduler.step()
    return [parameter.detach().clone() for parameter in model.parameters()], len(hooked)


SCHEDULES = {
    "step": lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 2),
    "one cycle": lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.3, total_steps=10),
    "cosine": lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_adam_with_schedulers_and_hooks_is_torch_s(schedule: str) -> None:
    ours, expected = (trained(make, SCHEDULES[schedule]) for make in (lambda p: Adam(p, 0.1), fused))
    assert all(map(torch.equal, ours[0], expected[0]))
    assert ours[1] == expected[1] == 5


def test_adam_with_a_learning_rate_that_is_a_tensor_is_torch_s() -> None:
    ours = trained(lambda p: Adam(p, torch.tensor(0.1)))
    expected = trained(lambda p: torch.optim.Adam(p, torch.tensor(0.1), fused=True))
    assert all(map(torch.equal, ours[0], expected[0]))


def test_adam_skips_the_step_of_an_infinite_loss_under_a_scaler() -> None:
    ours, expected = (trained(make, infinite=1) for make in (lambda p: Adam(p, 0.1), fused))
    assert all(map(torch.equal, ours[0], expected[0]))
    assert all(weights.isfinite().all() for weights in ours[0])
    assert ours[1] == expected[1]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_mean_split_takes_schedulers(schedule: str) -> None:
    """With one input, mean and deviation are the weight and nothing: the steps are Adam's."""

    def one(parameters: Any) -> MeanSplit:
        return MeanSplit([(p, ()) for p in parameters], lambda v: torch.optim.Adam(v, 0.1))

    ours, expected = trained(one, SCHEDULES[schedule]), trained(lambda p: torch.optim.Adam(p, 0.1), SCHEDULES[schedule])
    for actual, wanted in zip(ours[0], expected[0], strict=True):
        torch.testing.assert_close(actual, wanted)
    assert ours[1] == 5


def test_a_mean_split_takes_closures_and_skips_infinite_losses() -> None:
    model = nn.Linear(3, 1)
    optimizer = split(model.parameters())

    def closure() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = model(torch.ones(1, 3)).square().sum()
        loss.backward()
        return loss

    with torch.no_grad():
        before = model(torch.ones(1, 3)).square().sum()
    first = optimizer.step(closure).detach()
    torch.testing.assert_close(first, before)
    assert closure() < first
    assert isinstance(optimizer, torch.optim.Optimizer)
    assert all(weights.isfinite().all() for weights in trained(split, infinite=1)[0])
