"""The agents of the grid world: cores by hand, evaluation with answers known, training that learns."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tasks.gridworld_time.dynamics import DISTANCE, NEXT, START_AGENT, START_TARGET, STARTS, Rules
from tasks.gridworld_time.env import GridWorldTimeVector
from tasks.gridworld_time.evaluation import GRACE, accumulator_range, arrivals, measure
from tasks.gridworld_time.film import Episode, record_episode, strip
from tasks.gridworld_time.model import Agents, Oracle, Ternary, build_encoder, visible
from tasks.gridworld_time.play import Episodes, sample
from tasks.gridworld_time.reference import arriving_at, best_blind, optimum, random_walk
from tasks.gridworld_time.rollout import play
from tasks.gridworld_time.train import TRAINED, Config, advantages, train
from tasks.harness.errors import OptionError

EVERY = torch.arange(STARTS)
DISTANCES = torch.from_numpy(DISTANCE[START_AGENT, START_TARGET])
DESIGNS = (
    {},
    {"instruction_at": "start"},
    {"instruction_path": "nac", "units": 3},
    {"instruction_path": "accumulator"},
    {"instruction_path": "accumulator", "unit": "nac", "units": 2, "memory": "lstm"},
    {"instruction_path": "accumulator", "unit": "nau", "counts": "actions"},
    {"instruction_path": "accumulator", "unit": "linear", "counts": "state", "memory": "lstm"},
    {"instruction_path": "accumulator", "unit": "oracle"},
)


def agents_of(seeds: range = range(2), **options: object) -> Agents:
    return Agents(Config(hidden_size=8, **options).design, seeds)


class OnTime(torch.nn.Module):
    """In the place of a core: features are (rows, columns to go), and the oracle's T - t tells when to leave."""

    accumulator = True

    def __init__(self, late: int = 0) -> None:
        super().__init__()
        self.late = late

    def __call__(self, features: Tensor, instruction: Tensor, first: Tensor, action: Tensor, state: tuple, _) -> tuple:
        left = instruction * first + (state[0] - 1) * (1 - first)
        rows, columns = features[..., 0], features[..., 1]
        wait = rows.abs() + columns.abs() < left.squeeze(-1) + self.late
        zero = torch.zeros_like(rows)
        logits = torch.stack([-rows, rows, -columns, columns, zero], dim=-1) + 0.0
        logits[..., 4] = torch.where(wait, 9.0, -9.0)
        return logits, zero, (left,)

    def initial_state(self, features: Tensor) -> tuple[Tensor, ...]:
        return (features.new_zeros(*features.shape[:-1], 1),)


class ScriptedAgents:
    """One agent that is always on time, and one that is a step late."""

    def __init__(self) -> None:
        self.cores = (OnTime(), OnTime(1))
        self.core = self
        self.template = self.cores[0]
        self.seeds = (0, 1)

    def __len__(self) -> int:
        return 2

    def __call__(self, *arguments: object) -> tuple:
        parts = [core(*(_of(k, argument) for argument in arguments)) for k, core in enumerate(self.cores)]
        logits, values, states = zip(*parts, strict=True)
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
    assert (low[0].item(), high[0].item()) == (-2, 12)  # T = 5 at distance 8: its last step is at T - t = 5 - 7


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
def test_episodes_are_those_of_the_environment(options: dict[str, object]) -> None:
    """The same actions in the gymnasium environment arrive at the same time, and show the same pictures."""
    agents = agents_of(**options)
    features = agents.features().detach()
    env = GridWorldTimeVector(2, "symbolic")
    random = np.random.default_rng(0)
    for start in random.integers(STARTS, size=20).tolist():
        seen, _ = env.reset(options={"start": start, "instruction": 8})
        lanes = torch.full((2, 1), start)
        episodes = Episodes(agents, features, lanes, torch.full_like(lanes, 8))
        over = np.zeros(2, bool)
        for _ in range(16):
            row = (visible("symbolic") == torch.from_numpy(seen["image"]).flatten(1).unsqueeze(1)).all(dim=2).nonzero()
            places = row[:, 1]
            assert torch.equal(places, episodes.place[:, 0])
            logits, value = episodes.look()
            assert (logits.shape, value.shape) == ((2, 1, 5), (2, 1))
            action = torch.from_numpy(random.integers(5, size=(2, 1)))
            arrived = episodes.act(action)[:, 0].numpy()
            seen, reward, over, _, _ = env.step(action[:, 0].numpy())
            assert ((reward > 0) == arrived).all() or over.all()
            if over.any() or arrived.any():
                break


@pytest.mark.parametrize("options", DESIGNS)
def test_a_rollout_is_what_its_actions_lead_to_with_the_gradient(options: dict[str, object]) -> None:
    """Beside all episodes to the longest's end, none of which ever leaves, with autograd's own gradient."""
    agents, random = agents_of(**options), torch.Generator().manual_seed(0)
    features, rules = agents.features().detach().requires_grad_(), Rules()
    start, instruction = (torch.randint(*ends, (2, 9), generator=random) for ends in ((0, STARTS), (1, 7)))
    uniform = torch.rand(2, 12, 9, generator=random)
    rollout = play(agents, features, start, instruction, uniform, rules)

    episodes = Episodes(agents, features, start, instruction)
    place, action, reward, going = map(rollout.by_time, (rollout.place, rollout.action, rollout.reward, rollout.going))
    goes_on = torch.ones_like(start, dtype=torch.bool)
    logits, values = [], []
    for t in range(len(action)):
        assert torch.equal(going[t], goes_on)
        assert torch.equal(place[t][goes_on], episodes.place[goes_on])
        for found, right in zip((logits, values), episodes.look(), strict=True):
            found.append(right)
        arrived = episodes.act(action[t]) & goes_on
        right = torch.where(arrived, rules.reward(torch.tensor(float(t + 1)), instruction), 0.0)
        torch.testing.assert_close(reward[t][goes_on], right[goes_on])
        goes_on = goes_on & ~arrived & (t + 1 < rules.time_out(instruction))
    assert not goes_on.any()
    right_value = rollout.rows(torch.stack(values))
    right_logits = torch.stack([rollout.rows(one) for one in torch.stack(logits).unbind(-1)], dim=-1)
    valid = rollout.going
    torch.testing.assert_close(rollout.value[valid], right_value[valid])
    torch.testing.assert_close(rollout.logits[valid], right_logits[valid])
    assert torch.equal(rollout.by_time(rollout.rows(reward)), rollout.by_time(rollout.reward))

    weight = torch.randn(rollout.logits.shape, generator=random)
    inputs = [p for p in agents.core.parameters() if p.requires_grad]
    wanted = torch.autograd.grad(
        (weight * right_logits + right_value.unsqueeze(-1))[valid].sum(), [features, *inputs], allow_unused=True
    )
    (weight * rollout.logits + rollout.value.unsqueeze(-1))[valid].sum().backward()
    torch.testing.assert_close(rollout.features_gradient(), wanted[0], rtol=1e-4, atol=1e-5)
    for parameter, gradient in zip(inputs, wanted[1:], strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", DESIGNS[:3])
def test_the_memory_is_torchs_of_what_is_seen_and_told(options: dict[str, object]) -> None:
    agents, random = agents_of(**options), torch.Generator().manual_seed(0)
    start, instruction = (torch.randint(*ends, (2, 7), generator=random) for ends in ((0, STARTS), (5, 13)))
    episodes = Episodes(agents, agents.features(), start, instruction)
    expected: list[tuple[Tensor, Tensor] | None] = [None, None]
    for t in range(3):
        place = episodes.place
        logits, value = episodes.look()
        for k in range(2):
            core, encoder = agents.core.member(k), agents.encoders[k]
            reference = torch.nn.LSTMCell(core.memory.input_size, 8)
            reference.load_state_dict(core.memory.state_dict())
            told = 0.1 * instruction[k].unsqueeze(-1).float() * (t == 0 or options.get("instruction_at") != "start")
            also = [] if core.nac is None else [core.nac(told)]
            expected[k] = reference(torch.cat([encoder(agents.seen[place[k]]), told, *also], dim=-1), expected[k])
            torch.testing.assert_close(tuple(part[k] for part in episodes.state), expected[k])
            heads = torch.nn.functional.linear(expected[k][0], core.heads.weight, core.heads.bias)
            torch.testing.assert_close(torch.cat([logits[k], value[k].unsqueeze(-1)], dim=-1), heads)
        episodes.act(torch.randint(5, (2, 7), generator=random))


def test_whoever_is_told_when_to_arrive_remembers_it() -> None:
    told = [options for options in DESIGNS if options.get("unit") or options.get("instruction_path") != "accumulator"]
    for options in told:  # a ternary weight may be 0
        agents = agents_of(range(1), **options)
        features = agents.features()
        lanes = torch.tensor([[5, 5]])
        episodes = Episodes(agents, features, lanes, torch.tensor([[5, 40]]))
        for _ in range(3):
            logits, _ = episodes.look()
            episodes.act(torch.full((1, 2), 4))
            assert not torch.equal(logits[0, 0], logits[0, 1]), options


def test_ternary_weights() -> None:
    unit = Ternary(3, 1)
    with torch.no_grad():
        unit.W_hat.copy_(torch.tensor([[0.4, -3.0, 0.6]]))
    assert unit.W.tolist() == [[0, -1, 1]]
    unit(torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert unit.W_hat.grad.tolist() == [[1, 0, 3]]  # straight through the rounding, not out of the clip


def test_the_oracle_counts_down() -> None:
    assert Oracle(2, 1)(torch.tensor([[7.0, 0.0], [0.0, 1.0]])).tolist() == [[7], [-1]]
    agents = agents_of(range(1), instruction_path="accumulator", unit="oracle", counts="actions")
    episodes = Episodes(agents, agents.features(), torch.tensor([[5]]), torch.tensor([[9]]))
    for time in range(5):
        episodes.look()
        assert episodes.state[-1].item() == 9 - time
        episodes.act(torch.tensor([[time]]))


def test_limits_hold_for_reading_only() -> None:
    agents = agents_of(range(1), instruction_path="accumulator", unit="oracle")
    limits = torch.full((1, 1, 1), -1.0), torch.full((1, 1, 1), 12.0)
    start = torch.tensor([[5, 5]])
    episodes = Episodes(agents, agents.features(), start, torch.tensor([[12, 99]]), limits)
    logits, _ = episodes.look()
    assert torch.equal(logits[0, 0], logits[0, 1])
    assert episodes.state[-1].flatten().tolist() == [12, 99]


def test_sampling_follows_the_policy() -> None:
    logits = torch.tensor([0.1, 0.2, 0.3, 0.4, 1e-30]).log().expand(1, 1000, 5)
    actions = sample(logits, torch.linspace(0, 0.9999, 1000).unsqueeze(0))
    counts = torch.bincount(actions.flatten(), minlength=5)
    assert (counts - torch.tensor([100, 200, 300, 400, 0])).abs().max() <= 1


def test_encoders() -> None:
    for kind, shape in (("symbolic", (600, 50)), ("pixels", (600, 3, 56, 56))):
        seen = visible(kind)
        assert seen.shape == shape
        assert (seen.min().item(), seen.max().item()) == (0, 1)
        features = build_encoder(Config(observation=kind).design)(seen)
        assert features.shape == (600, 64)
        assert len(features.unique(dim=0)) == 600


def test_advantages_by_hand() -> None:
    """Two steps and an end, against sums of temporal differences; then nothing."""
    rewards = torch.tensor([0.0, 1.0, 9.0]).view(3, 1, 1)
    values = torch.tensor([0.5, 0.2, 7.0]).view(3, 1, 1)
    valid = torch.tensor([True, True, False]).view(3, 1, 1)
    found = advantages(torch.where(valid, rewards, 0.0), values, valid, 0.9).flatten()
    second = 1 - 0.2
    torch.testing.assert_close(found, torch.tensor([0.2 - 0.5 + 0.9 * second, second, 0.0]))
    monte_carlo = advantages(torch.where(valid, rewards, 0.0), values, valid, 1.0).flatten()
    torch.testing.assert_close(monte_carlo, torch.tensor([1 - 0.5, 1 - 0.2, 0.0]))


def test_a_poisoned_seed_touches_no_other() -> None:
    """But for rounding: how many rows are summed depends on the seed whose episodes last longest."""
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


def test_reference_curves() -> None:
    rules, trained = Rules(), list(TRAINED)
    assert optimum(trained, rules).mean() == pytest.approx(0.9955, abs=1e-4)
    assert arriving_at(1)(trained, rules).mean() == pytest.approx(0.4160, abs=1e-4)
    assert best_blind(trained, rules) == 8
    np.testing.assert_allclose(arriving_at(12)((13, 15, 20, 40, 100), rules), [12 / 13, 0.8, 0.6, 0.3, 0.12])
    random = np.random.default_rng(0)
    start = random.integers(STARTS, size=20_000)
    cell, target, earned = START_AGENT[start], START_TARGET[start], np.zeros(20_000)
    going = np.ones(20_000, bool)
    for time in range(1, 13):
        cell = np.where(going, NEXT[cell, random.integers(5, size=20_000)], cell)
        arrived = going & (cell == target)
        earned[arrived] = 1 - abs(time - 6) / 6
        going &= ~arrived
    assert random_walk([6], rules)[0] == pytest.approx(earned.mean(), abs=4 * earned.std() / 20_000**0.5)


def test_the_oracle_learns_to_be_on_time() -> None:
    """The whole chain learns, in a few seconds, to do better than to run straight to the target."""
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory": "none"}, "--memory none needs --instruction-path accumulator, got lstm"),
        ({"instruction_path": "accumulator", "counts": "state"}, "--counts state needs --memory lstm"),
        ({"units": 0}, "--units must lie in 1..2147483647, got 0"),
        ({"eval_longest": 12}, "--eval-longest must be at least 13, got 12"),
        ({"eval_starts": 601}, "--eval-starts must lie in 1..600, got 601"),
        ({"gae_lambda": 1.5}, "--gae-lambda must lie in \\[0, 1\\], got 1.5"),
        ({"entropy": -1.0}, "--entropy must be a number that is not negative, got -1.0"),
        ({"learning_rate": 0.0}, "--learning-rate must be above 0, got 0.0"),
    ],
)
def test_values_that_cannot_be_used(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Config(**options)


@pytest.mark.parametrize("options", DESIGNS)
def test_training_goes_on_from_a_checkpoint_exactly(options: dict[str, object]) -> None:
    config = Config(
        seeds=2, steps=4, eval_every=2, episodes=16, hidden_size=8, eval_longest=13, eval_starts=20, **options
    )
    *_, expected = (snapshot.metrics for snapshot in train(config))
    state = next(snapshot.state for snapshot in train(config) if snapshot.step == 2)
    *_, resumed = (snapshot.metrics for snapshot in train(config, state))
    for name, right in expected.items():
        assert torch.equal(resumed[name].nan_to_num(7), right.nan_to_num(7)), name
