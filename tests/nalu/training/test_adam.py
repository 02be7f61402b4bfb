"""Our Adam is torch's, to the last bit."""

import copy

import pytest
import torch
from torch import nn

from nalu import Adam

OPTIONS = {"lr": 0.03, "betas": (0.8, 0.99), "eps": 1e-6}


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 300), nn.Tanh(), nn.Linear(300, 1))


def steps(model: nn.Module, optimizer: torch.optim.Optimizer, count: int, first: int = 0) -> None:
    for step in range(first, first + count):
        x = torch.randn(16, 5, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()


def assert_same(one: nn.Module, other: nn.Module) -> None:
    torch.testing.assert_close(list(one.parameters()), list(other.parameters()), rtol=0, atol=0)


def test_equal_to_torch() -> None:
    ours, theirs = network(), network()
    steps(ours, Adam(ours.parameters(), **OPTIONS), 20)
    steps(theirs, torch.optim.Adam(theirs.parameters(), fused=True, **OPTIONS), 20)
    assert_same(ours, theirs)
    assert not torch.equal(ours[0].weight, network()[0].weight)


def test_groups_with_settings_of_their_own() -> None:
    ours, theirs = network(), network()
    for model, kind, more in ((ours, Adam, {}), (theirs, torch.optim.Adam, {"fused": True})):
        groups = [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[2].parameters(), "betas": (0.5, 0.9)}]
        optimizer = kind(groups, **OPTIONS, **more)
        steps(model, optimizer, 5)
        optimizer.param_groups[1]["lr"] = 0.2
        steps(model, optimizer, 5, first=5)
    assert_same(ours, theirs)


def test_what_has_no_gradient_stays_and_may_get_one_later() -> None:
    ours, theirs = network(), network()
    for model, kind, more in ((ours, Adam, {}), (theirs, torch.optim.Adam, {"fused": True})):
        optimizer = kind(model.parameters(), **OPTIONS, **more)
        model[0].requires_grad_(False)
        steps(model, optimizer, 3)
        assert torch.equal(model[0].weight, network()[0].weight)
        model[0].requires_grad_(True)
        steps(model, optimizer, 3, first=3)
    assert_same(ours, theirs)


@pytest.mark.parametrize("before", [Adam, torch.optim.Adam])
@pytest.mark.parametrize("after", [Adam, torch.optim.Adam])
def test_goes_on_from_a_state_of_either(before: type[torch.optim.Adam], after: type[torch.optim.Adam]) -> None:
    def build(kind: type[torch.optim.Adam], model: nn.Module) -> torch.optim.Optimizer:
        return kind(model.parameters(), **OPTIONS, **({} if kind is Adam else {"fused": True}))

    whole, parted = network(), network()
    steps(whole, build(Adam, whole), 10)
    first = build(before, parted)
    steps(parted, first, 4)
    second = build(after, parted)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    steps(parted, second, 6, first=4)
    assert_same(whole, parted)


@pytest.mark.parametrize("more", [{"weight_decay": 0.1}, {"amsgrad": True}, {"maximize": True}])
def test_other_options_of_a_group_count(more: dict[str, object]) -> None:
    ours, theirs = network(), network()
    for model, kind, fused in ((ours, Adam, {}), (theirs, torch.optim.Adam, {"fused": True})):
        steps(model, kind([{"params": model.parameters(), **more}], **OPTIONS, **fused), 5)
    assert_same(ours, theirs)
    plain = network()
    steps(plain, Adam(plain.parameters(), **OPTIONS), 5)
    assert not torch.equal(plain[0].weight, ours[0].weight)


def test_a_closure_is_called() -> None:
    ours, theirs = network(), network()
    losses = []
    for model, kind, more in ((ours, Adam, {}), (theirs, torch.optim.Adam, {"fused": True})):
        optimizer = kind(model.parameters(), **OPTIONS, **more)

        def closure(model: nn.Module = model, optimizer: torch.optim.Optimizer = optimizer) -> torch.Tensor:
            optimizer.zero_grad()
            loss = model(torch.ones(3, 5)).square().sum()
            loss.backward()
            return loss

        losses.append([optimizer.step(closure).item() for _ in range(5)])
    assert losses[0] == losses[1]
    assert_same(ours, theirs)
    assert not torch.equal(ours[0].weight, network()[0].weight)
