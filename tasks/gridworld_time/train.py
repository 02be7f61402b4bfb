"""The training loop of the grid world, advantage actor-critic, and its evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import torch
from torch import Tensor

from nalu import Adam, after_step_, training_steps
from nalu.functional import sparsity
from nalu.training.scheduled import Scheduled
from nalu.training.steps import Step
from tasks.gridworld_time.agent.advantages import advantages, mean
from tasks.gridworld_time.agent.evaluation import Outcome, arrivals, measure, reading_range
from tasks.gridworld_time.agent.model import Agents
from tasks.gridworld_time.agent.rollout import collect_rollout
from tasks.gridworld_time.film import animate, film_strips, shown_episodes
from tasks.gridworld_time.options import FAR, TRAINED, Config
from tasks.gridworld_time.world.dynamics import STARTS
from tasks.harness.contract import Snapshot, State
from tasks.harness.metrics import curve
from tasks.harness.streams import uniform_stream

LAST = 0.1
"""The learning rate falls linearly to this fraction of its initial value."""


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train all seeds at once; see :class:`tasks.harness.contract.Train`."""
    device, rules, recipe = config.torch_device(), config.rules, config.recipe
    longest = rules.time_out(TRAINED[-1])
    agents = Agents(config.design, config.seed_range).to(device)
    optimizer = Adam(agents.parameters(), eps=1e-5)
    stream = uniform_stream(config.data_generator, config.seed_range, (2 + longest, config.episodes), device=device)
    env_steps = torch.zeros(config.seeds, dtype=torch.float64, device=device)
    nan = torch.full((config.seeds,), torch.nan, device=device)

    def snapshot(step: int, loss: Tensor, reward: Tensor, entropy: Tensor) -> Snapshot:
        training = {"train/loss": loss, "reward/train": reward, "policy/entropy": entropy}
        evaluation = evaluate(config, agents, step == config.steps)
        metrics = {**training, "environment/steps": env_steps.clone(), **evaluation}
        state = {
            "step": step,
            "model": agents.state_dict(),
            "optimizer": optimizer.state_dict(),
            "env_steps": env_steps,
        }
        return Snapshot(
            step,
            metrics,
            agents,
            state,
            figures=film_strips(config, agents),
            files={"episode.gif": lambda path: animate(shown_episodes(config, agents), path)},
        )

    if state is None:
        first_step = 0
        yield snapshot(0, nan, nan, nan)
    else:
        first_step = state["step"]
        agents.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        env_steps.copy_(state["env_steps"])

    def entropy_weight_at(step: int) -> float:
        return config.entropy + (config.entropy_last - config.entropy) * (step / config.steps)

    def learning_rate_at(step: int) -> float:
        return recipe.learning_rate * (1 - (1 - LAST) * (step / config.steps))

    entropy_weight = Scheduled(entropy_weight_at, config.steps, device)
    learning_rate = Scheduled(learning_rate_at, config.steps, device)

    def train_step(step: Step) -> tuple[Tensor, Tensor, Tensor]:
        uniform = stream.uniform(stream.draw(step))
        start = (uniform[:, 0] * STARTS).long()
        instruction = TRAINED[0] + (uniform[:, 1] * len(TRAINED)).long()
        features = agents.features()
        # A captured step has the same shapes each time.
        drop_ended = not isinstance(step, Tensor)
        rollout = collect_rollout(agents, features, start, instruction, uniform[:, 2:], rules, drop_ended=drop_ended)

        logits, values, active = rollout.logits, rollout.value, rollout.active
        rewards = rollout.by_time(rollout.reward)
        advantage = rollout.rows(
            advantages(rewards, rollout.by_time(values.detach()), rollout.by_time(active), config.gae_lambda)
        )
        log_policy = logits.log_softmax(dim=-1)
        log_probability = log_policy.gather(-1, rollout.action.unsqueeze(-1)).squeeze(-1)
        entropies = -(log_policy.exp() * log_policy).sum(dim=-1)
        value_error = (values - (advantage + values.detach())).square()
        bonus = entropy_weight(step) * entropies
        objective = config.value_weight * value_error - advantage * log_probability - bonus
        loss = mean(objective, active)
        optimizer.zero_grad()
        loss.sum().backward()  # the sum over seeds: no seed's gradient depends on the other seeds
        features.backward(rollout.features_gradient())
        agents.clip_grad_norm_(config.clip)
        optimizer.param_groups[0]["lr"] = learning_rate(step)
        optimizer.step()
        after_step_(agents)
        env_steps.add_(active.sum(dim=1))
        total_reward = rewards.sum(dim=0).mean(dim=-1)
        return loss.detach(), total_reward, mean(entropies, active).detach()

    for step, outputs in training_steps(train_step, range(first_step, config.steps), config.evaluates_at, device):
        yield snapshot(step, *outputs)


@torch.no_grad()
def evaluate(config: Config, agents: Agents, last: bool) -> dict[str, Tensor]:
    """Metrics of every seed, ``(S,)``; evaluations before the last one use a tenth of the starts."""
    agents.eval()  # stochastic units draw no noise
    features, times = agents.features(), config.times
    count = config.eval_starts if last else -(-config.eval_starts // 10)
    starts = torch.arange(count, device=features.device) * STARTS // count
    clipped_to = reading_range(config, agents, features, starts)
    greedy, sampled = (
        measure(arrivals(agents, features, starts, times, clipped_to, sampled=sampled), starts, times, config.rules)
        for sampled in (False, True)
    )
    trained = [times.index(T) for T in TRAINED]
    far = [times.index(T) for T in times if T in FAR]
    weights = agents.accumulator_weights()
    nan = torch.full_like(greedy.exact[:, 0], torch.nan)
    metrics = {
        "interpolation/error": 1 - greedy.reward[:, trained].mean(dim=1),
        "extrapolation/error": 1 - greedy.reward[:, far].mean(dim=1),
        "exact/interpolation": greedy.exact[:, trained].mean(dim=1),
        "exact/extrapolation": greedy.exact[:, far].mean(dim=1),
        "exact/interpolation_sampled": sampled.exact[:, trained].mean(dim=1),
        "weights/sparsity": nan if weights is None else sparsity(weights).amax(dim=(1, 2)),
        **{
            curve(policy, field.name, T): getattr(outcome, field.name)[:, number]
            for policy, outcome in (("greedy", greedy), ("sampled", sampled))
            for field in fields(Outcome)
            for number, T in enumerate(times)
        },
    }
    agents.train()
    finite = agents.finite()
    return {name: torch.where(finite, values, torch.nan) for name, values in metrics.items()}
