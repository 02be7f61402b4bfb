"""The members of an ensemble equal networks trained alone, and never affect each other."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_map

from nalu import NAC, NALU, NAU, Ensemble, LSTMCell, after_step_, sparsity_penalty
from tasks.static_arithmetic.model import build
from tests.helpers import UNITS

MODELS: dict[str, Callable[[], nn.Module]] = {
    **{name: lambda unit=unit: nn.Sequential(unit(6, 3), unit(3, 1)) for name, unit in UNITS.items()},
    **{cell: lambda cell=cell: build(cell, 6, 2, "madsen_johansen") for cell in ("linear", "crelu", "nmu")},
}
SEEDS = (3, 0, 11, 7)


def train(model: Ensemble, x: torch.Tensor, steps: int = 5) -> Ensemble:
    """Take a few clipped Adam steps in float64 towards the sum of the inputs; ``x`` is ``(S, steps, B, in)``."""
    model.double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for step in range(steps):
        batch = x[:, step]
        loss = (model(batch) - batch.sum(-1, keepdim=True)).square().mean(dim=(1, 2)) + 0.1 * sparsity_penalty(model)
        optimizer.zero_grad()
        loss.sum().backward()
        model.clip_grad_norm_(1.0)
        optimizer.step()
        after_step_(model)
    return model


def data(seeds: tuple[int, ...]) -> torch.Tensor:
    batches = [
        torch.rand(5, 9, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) for seed in seeds
    ]
    return torch.stack(batches) + 0.5


@pytest.fixture(params=MODELS)
def make(request: pytest.FixtureRequest) -> Callable[[], nn.Module]:
    return MODELS[request.param]


def test_members_start_as_networks_built_alone(make: Callable[[], nn.Module]) -> None:
    ensemble = Ensemble(make, SEEDS)
    for k, seed in enumerate(SEEDS):
        torch.manual_seed(seed)
        alone = make().state_dict()
        member = ensemble.member(k).state_dict()
        assert member.keys() == alone.keys()
        assert all(torch.equal(member[name], alone[name]) for name in alone)


def test_forward_equals_the_members(make: Callable[[], nn.Module]) -> None:
    ensemble = Ensemble(make, SEEDS).double()
    x = data(SEEDS)[:, 0]
    separate, shared = ensemble(x), ensemble(x[0], shared=True)
    for k in range(len(SEEDS)):
        torch.testing.assert_close(separate[k], ensemble.member(k)(x[k]))
        torch.testing.assert_close(shared[k], ensemble.member(k)(x[0]))


@pytest.mark.parametrize("unit", [NAC, NAU, LSTMCell])
def test_natively_batched_units_equal_vmap_and_the_members(unit: type[nn.Module]) -> None:
    """A unit that broadcasts over seeds by itself gives the outputs and gradients of every member alone."""
    mapped, direct = (Ensemble(lambda: unit(6, 3), SEEDS, natively_batched=direct).double() for direct in (False, True))
    x = data(SEEDS)[:, 0]
    arguments = (x, (x[..., :3], x[..., 3:])) if unit is LSTMCell else (x,)

    def output_and_gradients(model: nn.Module, arguments: Any) -> tuple[torch.Tensor, list[torch.Tensor]]:
        outputs = model(*arguments)
        y = outputs if isinstance(outputs, torch.Tensor) else torch.cat(outputs, dim=-1)
        y.square().sum().backward()
        return y, [parameter.grad for parameter in model.parameters()]

    members = [
        output_and_gradients(mapped.member(k), tree_map(lambda values, k=k: values[k], arguments))
        for k in range(len(SEEDS))
    ]
    outputs = torch.stack([y for y, _ in members])
    gradients = [torch.stack(values) for values in zip(*(found for _, found in members), strict=True)]
    for model in (mapped, direct):
        torch.testing.assert_close(output_and_gradients(model, arguments), (outputs, gradients))


def test_members_train_as_networks_alone(make: Callable[[], nn.Module]) -> None:
    together = train(Ensemble(make, SEEDS), data(SEEDS))
    for k, seed in enumerate(SEEDS):
        alone = train(Ensemble(make, [seed]), data((seed,)))
        assert_same_member(together, k, alone, 0)


def test_permutation_of_seeds_permutes_results(make: Callable[[], nn.Module]) -> None:
    order = (2, 0, 3, 1)
    permuted_seeds = tuple(SEEDS[k] for k in order)
    original = train(Ensemble(make, SEEDS), data(SEEDS))
    permuted = train(Ensemble(make, permuted_seeds), data(permuted_seeds))
    for position, k in enumerate(order):
        assert_same_member(permuted, position, original, k)


def test_a_diverged_member_affects_no_other(make: Callable[[], nn.Module]) -> None:
    clean = train(Ensemble(make, SEEDS), data(SEEDS))
    poisoned = Ensemble(make, SEEDS)
    with torch.no_grad():
        for parameter in poisoned.parameters():
            parameter[1] = float("nan")
    train(poisoned, data(SEEDS))
    for name, tensor in poisoned.stacked().items():
        assert torch.isnan(tensor[1]).any() or not tensor.is_floating_point(), name
        for k in (0, 2, 3):
            assert torch.equal(tensor[k], clean.stacked()[name][k]), name


def assert_same_member(a: Ensemble, k: int, b: Ensemble, j: int) -> None:
    for (name, tensor), other in zip(a.stacked().items(), b.stacked().values(), strict=True):
        torch.testing.assert_close(tensor[k], other[j], rtol=1e-9, atol=1e-12, msg=name)


def test_building_leaves_the_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Ensemble(MODELS["NALU"], SEEDS)
    assert torch.equal(torch.rand(3), expected)


def test_gradients_are_clipped_per_member() -> None:
    ensemble = Ensemble(lambda: nn.Sequential(NALU(4, 3), NALU(3, 1)), range(3))
    scales = torch.tensor([0.01, 1.0, 100.0])
    ensemble(torch.ones(3, 2, 4)).sum(dim=(1, 2)).mul(scales).sum().backward()
    norms_before = per_member_norms(ensemble)
    returned = ensemble.clip_grad_norm_(0.5)
    torch.testing.assert_close(returned, norms_before)
    expected = torch.minimum(norms_before, torch.tensor(0.5))
    torch.testing.assert_close(per_member_norms(ensemble), expected, rtol=1e-4, atol=1e-6)


def per_member_norms(ensemble: Ensemble) -> torch.Tensor:
    gradients = torch.cat([p.grad.flatten(1) for p in ensemble.parameters()], dim=1)
    return gradients.norm(dim=1)


def test_buffers_are_stacked_too() -> None:
    def normed() -> nn.Module:
        model = nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2)).eval()
        nn.init.uniform_(model[1].running_mean)
        return model

    ensemble = Ensemble(normed, range(3))
    x = torch.randn(3, 5, 4)
    for k in range(3):
        torch.testing.assert_close(ensemble(x)[k], ensemble.member(k)(x[k]))


def test_state_dict_deepcopy_and_pickle() -> None:
    ensemble = Ensemble(MODELS["NALU"], range(3))
    other = Ensemble(MODELS["NALU"], range(10, 13))
    other.load_state_dict(ensemble.state_dict())
    x = torch.rand(3, 5, 6)
    for same in (other, copy.deepcopy(ensemble)):
        assert torch.equal(same(x), ensemble(x))
    member = pickle.loads(pickle.dumps(ensemble.member(1)))
    torch.testing.assert_close(member(x[1]), ensemble(x)[1])


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="at least one seed, got none"):
        Ensemble(MODELS["NALU"], [])
    with pytest.raises(IndexError, match=r"member must lie in 0\.\.1, got 2"):
        Ensemble(MODELS["NALU"], range(2)).member(2)
    sizes = iter((2, 3))
    with pytest.raises(ValueError, match="same parameters, in name and shape, for every seed"):
        Ensemble(lambda: nn.Linear(next(sizes), 1), range(2))

    def tied() -> nn.Module:
        model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        model[1].weight = model[0].weight
        return model

    with pytest.raises(ValueError, match="cannot hold tied parameters"):
        Ensemble(tied, range(3))
