"""Training: advantages by hand, independent seeds, exact resumption, and an agent that learns."""

import pytest
import torch

from tasks.gridworld_time.agent.advantages import advantages
from tasks.gridworld_time.options import Config
from tasks.gridworld_time.train import train
from tasks.harness.errors import OptionError
from tests.tasks.gridworld_time.helpers import DESIGNS


def test_advantages_by_hand() -> None:
    """An episode of two steps, against sums of temporal differences; after its end the advantage is 0."""
    rewards = torch.tensor([0.0, 1.0, 9.0]).view(3, 1, 1)
    values = torch.tensor([0.5, 0.2, 7.0]).view(3, 1, 1)
    active = torch.tensor([True, True, False]).view(3, 1, 1)
    found = advantages(torch.where(active, rewards, 0.0), values, active, 0.9).flatten()
    second = 1 - 0.2
    torch.testing.assert_close(found, torch.tensor([0.2 - 0.5 + 0.9 * second, second, 0.0]))
    monte_carlo = advantages(torch.where(active, rewards, 0.0), values, active, 1.0).flatten()
    torch.testing.assert_close(monte_carlo, torch.tensor([1 - 0.5, 1 - 0.2, 0.0]))


def test_a_poisoned_seed_touches_no_other() -> None:
    """Up to rounding: the number of rows in a sum depends on the seed whose episodes last longest."""
    config = Config(seeds=3, steps=3, eval_every=1, episodes=16, hidden_size=8, eval_longest=13, eval_starts=20)
    last = {}
    for poisoned in (False, True):
        snapshots = train(config)
        snapshot = next(snapshots)
        if poisoned:
            with torch.no_grad():
                next(snapshot.model.core.parameters())[1] = torch.nan
        *_, final = snapshots
        last[poisoned] = final.metrics
    for name, values in last[False].items():
        if not values.isnan().all():
            found = last[True][name][[0, 2]]
            torch.testing.assert_close(found, values[[0, 2]], rtol=1e-5, atol=1e-7, equal_nan=True, msg=name)
            assert last[True][name][1].isnan() or name in ("environment/steps", "reward/train"), name


def test_the_oracle_learns_to_be_on_time() -> None:
    """In a few seconds of training, the agent learns more than to go straight to the target."""
    config = Config(
        instruction_path="accumulator",
        unit="oracle",
        entropy=0.01,
        entropy_last=0.001,
        seeds=2,
        steps=250,
        eval_every=250,
        eval_longest=20,
        eval_starts=60,
    )
    *_, last = train(config)
    assert (last.metrics["interpolation/error"] < 1 - 0.418 - 0.1).all()
    assert (last.metrics["extrapolation/error"] < 1 - 0.418 - 0.1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory": "none"}, "--memory none needs --instruction-path accumulator, got lstm"),
        ({"instruction_path": "accumulator", "counts": "state"}, "--counts state needs --memory lstm"),
        ({"units": 0}, "--units must lie in 1..2147483647, got 0"),
        ({"eval_longest": 12}, "--eval-longest must be at least 13, got 12"),
        ({"eval_starts": 601}, "--eval-starts must lie in 1..600, got 601"),
        ({"gae_lambda": 1.5}, "--gae-lambda must lie in \\[0, 1\\], got 1.5"),
        ({"entropy": -1.0}, "--entropy must be finite and at least 0, got -1.0"),
        ({"learning_rate": 0.0}, "--learning-rate must be above 0, got 0.0"),
    ],
)
def test_invalid_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Config(**options)


@pytest.mark.parametrize("options", DESIGNS)
def test_resumed_training_is_bit_identical(options: dict[str, object]) -> None:
    config = Config(
        seeds=2, steps=4, eval_every=2, episodes=16, hidden_size=8, eval_longest=13, eval_starts=20, **options
    )
    *_, expected = (snapshot.metrics for snapshot in train(config))
    state = next(snapshot.state for snapshot in train(config) if snapshot.step == 2)
    *_, resumed = (snapshot.metrics for snapshot in train(config, state))
    for name, values in expected.items():
        assert torch.equal(resumed[name].nan_to_num(7), values.nan_to_num(7)), name
