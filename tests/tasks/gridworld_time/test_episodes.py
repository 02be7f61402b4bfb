"""Episodes, rollouts and evaluation: against the environment, against autograd, and with agents of known arrival."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tasks.gridworld_time.agent.episodes import Episodes, sample
from tasks.gridworld_time.agent.evaluation import GRACE, accumulator_range, arrivals, measure
from tasks.gridworld_time.agent.model import all_observations
from tasks.gridworld_time.agent.recording import Episode, record_episode
from tasks.gridworld_time.agent.rollout import collect_rollout
from tasks.gridworld_time.film import strip
from tasks.gridworld_time.options import TRAINED
from tasks.gridworld_time.world.dynamics import NEXT, START_AGENT, START_TARGET, STARTS, Rules
from tasks.gridworld_time.world.vector_env import GridWorldTimeVector
from tests.tasks.gridworld_time.helpers import DESIGNS, DISTANCES, EVERY, agents_of


class OnTime(torch.nn.Module):
    """Stands in for a core: features are the rows and columns to go; T - t of the oracle says when to leave."""

    accumulator = True

    def __init__(self, late: int = 0) -> None:
        super().__init__()
        self.late = late

    def __call__(
        self, encoded: Tensor, instruction: Tensor, first: Tensor, last_action: Tensor, state: tuple, _
    ) -> tuple:
        left = instruction * first + (state[0] - 1) * (1 - first)
        rows, columns = encoded[..., 0], encoded[..., 1]
        wait = rows.abs() + columns.abs() < left.squeeze(-1) + self.late
        zero = torch.zeros_like(rows)
        logits = torch.stack([-rows, rows, -columns, columns, zero], dim=-1) + 0.0
        logits[..., 4] = torch.where(wait, 9.0, -9.0)
        return logits, zero, (left,)

    def initial_state(self, features: Tensor) -> tuple[Tensor, ...]:
        return (features.new_zeros(*features.shape[:-1], 1),)


class ScriptedAgents:
    """Two agents: one always arrives on time, the other one step late."""

    def __init__(self) -> None:
        self.cores = (OnTime(), OnTime(1))
        self.core = self
        self.template = self.cores[0]
        self.seeds = (0, 1)

    def __len__(self) -> int:
        return 2

    def __call__(self, *arguments: object) -> tuple:
        outputs = [core(*(_of(k, argument) for argument in arguments)) for k, core in enumerate(self.cores)]
        logits, values, states = zip(*outputs, strict=True)
        return torch.stack(logits), torch.stack(values), (torch.stack([state[0] for state in states]),)

    def initial_state(self, features: Tensor) -> tuple[Tensor, ...]:
        return self.template.initial_state(features)

    def features(self) -> Tensor:
        agent, target = (np.stack(np.divmod(cells, 5), axis=-1) for cells in (START_AGENT, START_TARGET))
        return torch.from_numpy(target - agent).float().expand(2, -1, -1)


def _of(k: int, argument: object) -> object:
    return tuple(part[k] for part in argument) if isinstance(argument, tuple) else argument[k]


def test_evaluation_of_agents_whose_arrival_is_known() -> None:
    agents, times = ScriptedAgents(), (1, 3, 5, 8, 12, 30)
    found = arrivals(agents, agents.features(), EVERY, times)
    best = torch.maximum(DISTANCES, torch.tensor(times)[:, None])
    late = torch.maximum(DISTANCES, torch.tensor(times)[:, None] + 1)
    assert torch.equal(found[0], torch.where(best <= 2 * torch.tensor(times)[:, None] + GRACE, best, 0))
    assert torch.equal(found[1], late)
    outcome = measure(found, EVERY, times, Rules())
    assert torch.equal(outcome.exact[0], torch.ones(6, dtype=torch.float64))
    torch.testing.assert_close(outcome.reward[0], torch.ones(6, dtype=torch.float64))
    assert outcome.reward[1, 5].item() == pytest.approx(1 - 1 / 30)
    assert outcome.exact[1, 5] == 0
    assert outcome.time[1, 5] == 31
    some = EVERY[::10]
    assert torch.equal(arrivals(agents, agents.features(), some, times), found[:, :, some])
    low, high = accumulator_range(agents, agents.features(), EVERY, TRAINED)
    assert (low[0].item(), high[0].item()) == (-2, 12)  # T = 5 at distance 8: the last step is at T - t = 5 - 7


def test_measures_by_hand() -> None:
    near = EVERY[DISTANCES == 1][:4]
    arrival = torch.tensor([[[10, 8, 0, 21]]])  # T = 10: exact, two early, never, after the time-out
    outcome = measure(arrival, near, (10,), Rules())
    assert outcome.reward.item() == pytest.approx((1 + 0.8) / 4)
    assert outcome.exact.item() == 0.25
    assert outcome.arrived.item() == 0.75
    assert outcome.time.item() == 13
    assert measure(0 * arrival, near, (10,), Rules()).time.isnan().all()


@pytest.mark.parametrize("options", DESIGNS)
def test_episodes_agree_with_the_environment(options: dict[str, object]) -> None:
    """The same actions in the gymnasium environment lead to the same states and arrivals."""
    agents = agents_of(**options)
    features = agents.features().detach()
    env = GridWorldTimeVector(2, "symbolic")
    random = np.random.default_rng(0)
    for start in random.integers(STARTS, size=20).tolist():
        observation, _ = env.reset(options={"start": start, "instruction": 8})
        state_id = torch.full((2, 1), start)
        episodes = Episodes(agents, features, state_id, torch.full_like(state_id, 8))
        done = np.zeros(2, bool)
        for _ in range(16):
            image = torch.from_numpy(observation["image"]).flatten(1).unsqueeze(1)
            state_id = (all_observations("symbolic") == image).all(dim=2).nonzero()[:, 1]
            assert torch.equal(state_id, episodes.state_id[:, 0])
            logits, value = episodes.policy()
            assert (logits.shape, value.shape) == ((2, 1, 5), (2, 1))
            action = torch.from_numpy(random.integers(5, size=(2, 1)))
            arrived = episodes.step(action)[:, 0].numpy()
            observation, reward, done, _, _ = env.step(action[:, 0].numpy())
            assert ((reward > 0) == arrived).all() or done.all()
            if done.any() or arrived.any():
                break


@pytest.mark.parametrize("options", DESIGNS)
def test_a_rollout_agrees_with_full_episodes_and_autograd(options: dict[str, object]) -> None:
    """The reference runs all episodes until the longest ends, removes none, and differentiates with autograd."""
    agents, random = agents_of(**options), torch.Generator().manual_seed(0)
    features, rules = agents.features().detach().requires_grad_(), Rules()
    start, instruction = (torch.randint(*ends, (2, 9), generator=random) for ends in ((0, STARTS), (1, 7)))
    uniform = torch.rand(2, 12, 9, generator=random)
    rollout = collect_rollout(agents, features, start, instruction, uniform, rules)

    episodes = Episodes(agents, features, start, instruction)
    fields = rollout.state_id, rollout.action, rollout.reward, rollout.active
    state_id, action, reward, active = map(rollout.by_time, fields)
    running = torch.ones_like(start, dtype=torch.bool)
    logits, values = [], []
    for t in range(len(action)):
        assert torch.equal(active[t], running)
        assert torch.equal(state_id[t][running], episodes.state_id[running])
        for outputs, output in zip((logits, values), episodes.policy(), strict=True):
            outputs.append(output)
        arrived = episodes.step(action[t]) & running
        expected = torch.where(arrived, rules.reward(torch.tensor(float(t + 1)), instruction), 0.0)
        torch.testing.assert_close(reward[t][running], expected[running])
        running = running & ~arrived & (t + 1 < rules.time_out(instruction))
    assert not running.any()
    expected_value = rollout.rows(torch.stack(values))
    expected_logits = torch.stack([rollout.rows(one) for one in torch.stack(logits).unbind(-1)], dim=-1)
    valid = rollout.active
    torch.testing.assert_close(rollout.value[valid], expected_value[valid])
    torch.testing.assert_close(rollout.logits[valid], expected_logits[valid])
    assert torch.equal(rollout.by_time(rollout.rows(reward)), rollout.by_time(rollout.reward))

    weight = torch.randn(rollout.logits.shape, generator=random)
    inputs = [p for p in agents.core.parameters() if p.requires_grad]
    expected_gradients = torch.autograd.grad(
        (weight * expected_logits + expected_value.unsqueeze(-1))[valid].sum(), [features, *inputs], allow_unused=True
    )
    (weight * rollout.logits + rollout.value.unsqueeze(-1))[valid].sum().backward()
    torch.testing.assert_close(rollout.features_gradient(), expected_gradients[0], rtol=1e-4, atol=1e-5)
    for parameter, gradient in zip(inputs, expected_gradients[1:], strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-5)


def test_sampling_follows_the_policy() -> None:
    logits = torch.tensor([0.1, 0.2, 0.3, 0.4, 1e-30]).log().expand(1, 1000, 5)
    actions = sample(logits, torch.linspace(0, 0.9999, 1000).unsqueeze(0))
    counts = torch.bincount(actions.flatten(), minlength=5)
    assert (counts - torch.tensor([100, 200, 300, 400, 0])).abs().max() <= 1


def test_film_strip_and_verdict() -> None:
    agents = agents_of()
    episode = record_episode(agents, 1, 7, 6, Rules())
    assert episode.cells[0] == START_AGENT[7]
    assert len(episode.cells) == 1 + len(episode.actions) <= 13
    assert all(
        NEXT[a, action] == b for a, action, b in zip(episode.cells, episode.actions, episode.cells[1:], strict=False)
    )
    assert len(strip(episode).axes) % 10 == 0
    assert Episode((0, 0, 1), (0, 3), 1, 2).verdict == "arrived at t = 2, T = 2: exact"
    assert Episode((0, 1), (3,), 1, 4).verdict == "arrived at t = 1, T = 4: 3 too early"
    assert Episode((0, 0), (0,), 1, 4).verdict == "not arrived at the time-out, t = 1"
