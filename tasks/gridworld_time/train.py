"""The options and the training loop of the grid world."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property, partial
from itertools import takewhile
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nalu import Adam, after_step_
from nalu.functional import sparsity
from tasks.gridworld_time.dynamics import STARTS, Rules
from tasks.gridworld_time.evaluation import Outcome, accumulator_range, arrivals, measure
from tasks.gridworld_time.film import Episode, animate, record_episode, strip
from tasks.gridworld_time.model import Agents, Counts, Design, Given, Memory, Route, Unit
from tasks.gridworld_time.pictures import Observation
from tasks.gridworld_time.rollout import play
from tasks.harness import config as harness
from tasks.harness.config import require
from tasks.harness.contract import Snapshot, State
from tasks.harness.metrics import curve
from tasks.harness.streams import UniformStream

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAST = 0.1
"""The learning rate falls linearly to this part."""
TRAINED = range(5, 13)
FAR = range(13, 41)
"""The T of the extrapolation error."""
TIMES = (*range(1, 41), 60, 100, 300, 1000)
"""The T of the curves."""
SHOWN_START, SHOWN_T = 100, (8, 19)
"""Of the film strips in TensorBoard."""


@dataclass(frozen=True)
class Recipe:
    """Settings that suit a kind of agent; why, is told in the README."""

    memory: Memory
    units: int
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class Config(harness.Config):
    """Step on the red square exactly at time T; train with T from 5 to 12, test far beyond."""

    observation: Observation = "symbolic"
    """What is seen: two planes of 5 x 5 (agent, target), or the picture of 56 x 56 pixels."""
    instruction_path: Route = "lstm"
    """The way of T: into the LSTM; into the LSTM and there also through a NAC (the paper's); or only into an
    accumulator, a_t = a_(t-1) + unit([T, 0]) on the first step and + unit([0, 1]) later, which the policy reads."""
    instruction_at: Given = "every-step"
    """Paths lstm and nac: T is told at every step or only at the start."""
    memory: Memory | None = None
    """lstm, or none; by default lstm, and none with an accumulator."""
    unit: Unit = "ternary"
    """Of the accumulator: ternary (weights rounded to -1, 0, 1), nac, nau; linear: without constraint; oracle: given,
    so that it is T - t."""
    units: int | None = None
    """Width of the accumulator, by default 4 (oracle: 1), or of the NAC, by default 1."""
    counts: Counts = "time"
    """What the accumulator is given after the start: a constant 1, the last action (one-hot) or the LSTM's state."""
    clip_reading: bool = True
    """In tests, what is read of the accumulator is clipped to its range in greedy episodes with T from 5 to 12."""
    hidden_size: int = 64
    """Of the encoder, the LSTM and the reader of the accumulator."""
    seeds: int = 5
    """How many seeds are trained at once."""
    steps: int = 2500
    """Training steps of every seed: batches of whole episodes, about 1100 steps of the environment each."""
    eval_every: int = 1250
    """Steps between two evaluations; the last step is always evaluated."""
    eval_longest: int = 100
    """Evaluations go up to this T, of 1 to 40, 60, 100, 300 and 1000."""
    eval_starts: int = STARTS
    """Starts for each T in the last evaluation, evenly spread over all 600; a tenth of them in those before."""
    episodes: int = 128
    """Episodes in a batch."""
    learning_rate: float | None = None
    """Of Adam at the start, falling linearly to a tenth; by default 0.005, 0.003 with pixels."""
    entropy: float = 0.02
    """Weight of the policy's entropy at the start, falling linearly."""
    entropy_last: float = 0.0
    """The same at the end."""
    gae_lambda: float = 0.95
    """Of the generalised advantage estimation."""
    value_weight: float = 0.5
    """Weight of the squared error of the value."""
    clip: float = 1.0
    """Largest norm of the gradient of each seed's encoder, and of its core."""
    maximum: float = 1.0
    """The reward of an arrival at time T."""
    patience: int = 2
    """Episodes end at this multiple of T."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("hidden_size", "episodes", "clip", "maximum", "patience", "eval_longest", "eval_starts")
        for name in ("units", "learning_rate"):
            if getattr(self, name) is not None:
                self.require_positive(name)
        for name in ("entropy", "entropy_last", "value_weight"):
            value = getattr(self, name)
            wanted = f"{harness.flag(name)} must be a number that is not negative, got {value}"
            require(0 <= value < float("inf"), wanted)
        require(0 <= self.gae_lambda <= 1, f"--gae-lambda must lie in [0, 1], got {self.gae_lambda}")
        require(self.eval_longest >= 13, f"--eval-longest must be at least 13, got {self.eval_longest}")
        require(self.eval_starts <= STARTS, f"--eval-starts must lie in 1..{STARTS}, got {self.eval_starts}")
        accumulator = self.instruction_path == "accumulator"
        require(
            accumulator or self.memory != "none",
            f"--memory none needs --instruction-path accumulator, got {self.instruction_path}",
        )
        require(
            self.counts != "state" or self.recipe.memory == "lstm",
            "--counts state needs --memory lstm",
        )

    @cached_property
    def recipe(self) -> Recipe:
        """The settings given, else those of the kind of agent."""
        accumulator = self.instruction_path == "accumulator"
        default = Recipe(
            memory="none" if accumulator else "lstm",
            units=4 if accumulator and self.unit != "oracle" else 1,
            learning_rate=0.003 if self.observation == "pixels" else 0.005,
        )
        given = {field.name: getattr(self, field.name) for field in fields(Recipe)}
        return replace(default, **{name: value for name, value in given.items() if value is not None})

    def resolved(self) -> Config:
        """With the settings of the kind of agent where none are given."""
        return replace(self, **asdict(self.recipe))

    @property
    def design(self) -> Design:
        """How the agent is built."""
        options = self.resolved()
        return Design(**{field.name: getattr(options, field.name) for field in fields(Design)})

    @property
    def rules(self) -> Rules:
        """Of the world."""
        return Rules(self.maximum, self.patience)

    @property
    def times(self) -> tuple[int, ...]:
        """The T of the last evaluation."""
        return tuple(takewhile(self.eval_longest.__ge__, TIMES))

    def label(self) -> str:
        """A short name of the setting."""
        name = f"{self.observation}-{self.instruction_path}"
        if self.instruction_path == "accumulator":
            return f"{name}-{self.unit}-{self.recipe.units}-{self.counts}"
        return f"{name}-once" if self.instruction_at == "start" else name


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds at once; see :class:`tasks.harness.contract.Train`."""
    device, rules, recipe = config.torch_device(), config.rules, config.recipe
    longest = rules.time_out(TRAINED[-1])
    agents = Agents(config.design, config.seed_range).to(device)
    optimizer = Adam(agents.parameters(), eps=1e-5)
    stream = UniformStream(config.seed_range, (2 + longest, config.episodes))
    frames = torch.zeros(config.seeds, dtype=torch.float64, device=device)
    nothing = torch.full((config.seeds,), torch.nan, device=device)

    def snapshot(step: int, loss: Tensor, reward: Tensor, entropy: Tensor) -> Snapshot:
        training = {"train/loss": loss, "reward/train": reward, "policy/entropy": entropy}
        metrics = {**training, "environment/steps": frames.clone(), **evaluate(config, agents, step == config.steps)}
        live = {"step": step, "model": agents.state_dict(), "optimizer": optimizer.state_dict(), "frames": frames}
        return Snapshot(
            step,
            metrics,
            agents,
            live,
            figures=film_strips(config, agents),
            files={"episode.gif": lambda path: animate(shown_episodes(config, agents), path)},
        )

    if state is None:
        start = 0
        yield snapshot(0, nothing, nothing, nothing)
    else:
        start = state["step"]
        agents.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        frames.copy_(state["frames"])

    for step in range(start, config.steps):
        uniform = stream.batch(step).to(device)
        place = (uniform[:, 0] * STARTS).long()
        instruction = TRAINED[0] + (uniform[:, 1] * len(TRAINED)).long()
        features = agents.features()
        rollout = play(agents, features, place, instruction, uniform[:, 2:], rules)

        logits, values, valid = rollout.logits, rollout.value, rollout.going
        rewards = rollout.by_time(rollout.reward)
        advantage = rollout.rows(
            advantages(rewards, rollout.by_time(values.detach()), rollout.by_time(valid), config.gae_lambda)
        )
        log_policy = logits.log_softmax(dim=-1)
        chosen = log_policy.gather(-1, rollout.action.unsqueeze(-1)).squeeze(-1)
        entropies = -(log_policy.exp() * log_policy).sum(dim=-1)
        done = step / config.steps
        entropy = config.entropy + (config.entropy_last - config.entropy) * done
        value_error = (values - (advantage + values.detach())).square()
        objective = config.value_weight * value_error - advantage * chosen - entropy * entropies
        loss = mean(objective, valid)
        optimizer.zero_grad()
        loss.sum().backward()  # the sum over seeds: no seed's gradient depends on its companions
        features.backward(rollout.features_gradient())
        agents.clip_grad_norm_(config.clip)
        optimizer.param_groups[0]["lr"] = recipe.learning_rate * (1 - (1 - LAST) * done)
        optimizer.step()
        after_step_(agents)
        frames += valid.sum(dim=1)
        if config.evaluates_at(step + 1):
            total = rewards.sum(dim=0).mean(dim=-1)
            yield snapshot(step + 1, loss.detach(), total, mean(entropies, valid).detach())


def advantages(rewards: Tensor, values: Tensor, valid: Tensor, gae_lambda: float) -> Tensor:
    """Generalised advantage estimates without discount (Schulman et al. 2016), ``(time, S, N)`` as the arguments.

    Episodes end within the batch, so that there is nothing to bootstrap: after an end, all is 0.
    """
    values = torch.where(valid, values, 0.0)
    result = torch.empty_like(values)
    following = ahead = torch.zeros_like(values[0])
    for time in reversed(range(len(values))):
        following = rewards[time] + ahead - values[time] + gae_lambda * following
        following = torch.where(valid[time], following, 0.0)
        ahead = values[time]
        result[time] = following
    return result


def mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean over the rows of running episodes, ``(S, rows) -> (S,)``."""
    return torch.where(valid, values, 0.0).sum(dim=1) / valid.sum(dim=1)


def reading_limits(config: Config, agents: Agents, features: Tensor, starts: Tensor) -> tuple[Tensor, ...] | None:
    """Between which numbers tests let the agents read their accumulators; None for no limits."""
    return accumulator_range(agents, features, starts, TRAINED) if config.clip_reading else None


@torch.no_grad()
def evaluate(config: Config, agents: Agents, last: bool) -> dict[str, Tensor]:
    """Metrics of every seed, ``(S,)``; before the last step of a tenth of the starts."""
    features, times = agents.features(), config.times
    count = config.eval_starts if last else -(-config.eval_starts // 10)
    starts = torch.arange(count, device=features.device) * STARTS // count
    limits = reading_limits(config, agents, features, starts)
    greedy, sampled = (
        measure(arrivals(agents, features, starts, times, limits, sampled=sampled), starts, times, config.rules)
        for sampled in (False, True)
    )
    trained = [times.index(T) for T in TRAINED]
    far = [times.index(T) for T in times if T in FAR]
    weights = agents.accumulator_weights()
    none = torch.full_like(greedy.exact[:, 0], torch.nan)
    metrics = {
        "interpolation/error": 1 - greedy.reward[:, trained].mean(dim=1),
        "extrapolation/error": 1 - greedy.reward[:, far].mean(dim=1),
        "exact/interpolation": greedy.exact[:, trained].mean(dim=1),
        "exact/extrapolation": greedy.exact[:, far].mean(dim=1),
        "exact/interpolation_sampled": sampled.exact[:, trained].mean(dim=1),
        "weights/sparsity": none if weights is None else sparsity(weights).amax(dim=(1, 2)),
        **{
            curve(policy, field.name, T): getattr(outcome, field.name)[:, number]
            for policy, outcome in (("greedy", greedy), ("sampled", sampled))
            for field in fields(Outcome)
            for number, T in enumerate(times)
        },
    }
    finite = agents.finite()
    return {name: torch.where(finite, values, torch.nan) for name, values in metrics.items()}


def greedy_episodes(config: Config, agents: Agents, seed: int, starts: Sequence[int], T: int) -> list[Episode]:
    """Episodes of the ``seed``-th agent, as in the last evaluation."""
    every = torch.arange(STARTS, device=agents.seen.device)
    with torch.no_grad():
        limits = reading_limits(config, agents, agents.features(), every)
    return [record_episode(agents, seed, start, T, config.rules, limits) for start in starts]


def shown_episodes(config: Config, agents: Agents) -> list[Episode]:
    """Of the first agent: with a T of the training range, and with one beyond."""
    return [greedy_episodes(config, agents, 0, [SHOWN_START], T)[0] for T in SHOWN_T]


def film_strips(config: Config, agents: Agents) -> dict[str, Callable[[], Figure]]:
    """What draws each of the shown episodes, by tag."""

    def draw(number: int) -> Figure:
        return strip(shown_episodes(config, agents)[number])

    return {f"episode/T_{T}": partial(draw, k) for k, T in enumerate(SHOWN_T)}


SMOKE = Config(
    instruction_path="accumulator",
    unit="oracle",
    seeds=3,
    steps=150,
    eval_every=75,
    episodes=64,
    learning_rate=0.01,
    hidden_size=32,
    eval_longest=13,
    eval_starts=60,
)
