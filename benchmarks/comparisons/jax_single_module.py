"""The training of single_module as one would write it in JAX: vmap over members, lax.scan over steps, one jit.

``pip install -e '.[comparisons]'``. The same units, loss, penalty and Adam, from the same weights. Random numbers are
JAX's own, by its fastest generator, and of one stream where ours has one a seed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from benchmarks.candidate import TimedWork, repeated
from nalu import Ensemble
from nalu.functional import EPSILON
from tasks.single_module.model import build
from tasks.single_module.options import Config

Parameters = dict[str, Array]
STEPS = 100
"""In one scan."""
BETA1, BETA2, ADAM_EPSILON = 0.9, 0.999, 1e-8


def nac(parameters: Parameters, x: Array) -> Array:
    """``(B, in) -> (B, 1)`` (Trask et al. 2018, eq. 1)."""
    return x @ _nac_weight(parameters).T


def nalu(parameters: Parameters, x: Array) -> Array:
    """``(B, in) -> (B, 1)`` (Trask et al. 2018, eq. 2), evaluated as :func:`nalu.functional.nalu` does."""
    W, logits = _nac_weight(parameters), x @ parameters["G"].T
    log_m = jnp.log(jnp.abs(x) + EPSILON) @ W.T
    return jax.nn.sigmoid(logits) * (x @ W.T) + jnp.exp(jax.nn.log_sigmoid(-logits) + log_m)


def nmu(parameters: Parameters, x: Array) -> Array:
    """``(B, in) -> (B, 1)`` (Madsen & Johansen 2020, eq. 9)."""
    w = jnp.clip(parameters["W_hat"], 0, 1)
    return (w * x[:, None] + 1 - w).prod(axis=-1)


UNITS: dict[str, Callable[[Parameters, Array], Array]] = {"nac": nac, "nalu": nalu, "nmu": nmu}


class Training:
    """Trains all members of a setting; only for the units above.

    Args:
        config: of the task.
        weights: the start, each ``(members, 1, in)``; by default that of the task's own training.
    """

    def __init__(self, config: Config, weights: dict[str, np.ndarray] | None = None) -> None:
        self._config = config
        start = {name: jnp.asarray(value) for name, value in (weights or start_of(config)).items()}
        zero = {name: jnp.zeros_like(value) for name, value in start.items()}
        key = jax.random.key(config.first_seed, impl="rbg")
        self._carry = (start, zero, zero, jnp.zeros((), jnp.int32), key)
        low, high = (
            np.array([bounds.train for bounds in config.bounds()], np.float32).reshape(-1, 2, 1, 1, 1).swapaxes(0, 1)
        )
        self._low, self._width = low, high - low
        self._scan = jax.jit(self._steps)
        self.given = jax.jit(self._on)
        """``(carry, uniform numbers (S, B, in)) -> (carry, loss (members,))``: one step on given numbers."""

    def __call__(self) -> Array:
        """Train ``STEPS`` steps on fresh numbers; the losses, ``(STEPS, members)``."""
        self._carry, losses = self._scan(self._carry)
        return losses.block_until_ready()

    def on(self, uniform: np.ndarray) -> Array:
        """One step on given numbers ``(S, B, in)`` from [0, 1); the losses, ``(members,)``."""
        self._carry, losses = self.given(self._carry, jnp.asarray(uniform))
        return losses

    def _steps(self, carry: Any) -> tuple[Any, Array]:
        def step(carry: Any, _: None) -> tuple[Any, Array]:
            *state, key = carry
            key, own = jax.random.split(key)
            shape = (self._config.seeds, self._config.batch_size, self._config.input_size)
            return self._on((*state, key), jax.random.uniform(own, shape))

        return jax.lax.scan(step, carry, length=STEPS)

    def _on(self, carry: Any, uniform: Array) -> tuple[Any, Array]:
        config, recipe = self._config, self._config.recipe
        parameters, first, second, count, key = carry
        x = (self._low + uniform * self._width).reshape(-1, *uniform.shape[1:])
        y = x[..., :1] * x[..., 1:2] if config.op == "mul" else x[..., :1] + x[..., 1:2]
        weight = _ramp(recipe.penalty, count / config.steps) if recipe.penalty else None

        def objective(parameters: Parameters, x: Array, y: Array) -> tuple[Array, Array]:
            loss = jnp.square(UNITS[config.cell](parameters, x) - y).mean()
            if weight is None:
                return loss, loss
            magnitude = jnp.abs(parameters["W_hat"])
            return loss + weight * jnp.minimum(magnitude, jnp.abs(1 - magnitude)).mean(), loss

        gradients, losses = jax.vmap(jax.grad(objective, has_aux=True))(parameters, x, y)
        count = count + 1
        first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradients)
        second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradients)
        rate = recipe.learning_rate / (1 - BETA1**count)
        correction = 1 - BETA2**count
        parameters = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v / correction) + ADAM_EPSILON), parameters, first, second
        )
        if config.cell == "nmu":
            parameters = {"W_hat": jnp.clip(parameters["W_hat"], 0, 1)}
        return (parameters, first, second, count, key), losses


def start_of(config: Config) -> dict[str, np.ndarray]:
    """The weights from which the task's own training starts."""
    seeds = [*config.seed_range] * len(config.ranges)
    ensemble = Ensemble(partial(build, config.cell, config.input_size), seeds)
    return {name: parameter.detach().numpy() for name, parameter in ensemble.stacked().items()}


def comparison(config: Config) -> TimedWork:
    """The training of a setting, as it is measured."""
    return repeated(Training(config), STEPS * config.seeds * len(config.ranges))


def _nac_weight(parameters: Parameters) -> Array:
    return jnp.tanh(parameters["W_hat"]) * jax.nn.sigmoid(parameters["M_hat"])


def _ramp(penalty: Any, progress: Array) -> Array:
    return penalty.weight * jnp.clip((progress - penalty.start) / (penalty.end - penalty.start), 0, 1)
