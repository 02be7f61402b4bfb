"""Training data as a pure function of seed and step."""

import pytest
import torch
from scipy import stats

from tasks.harness.streams import CHUNK, UniformStream

STEPS = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5]


def batch(seeds: list[int], step: int, shape: tuple[int, ...] = (4, 3), domain: int = 0) -> torch.Tensor:
    return UniformStream(seeds, shape, domain=domain).batch(step).clone()


@pytest.mark.parametrize("step", STEPS)
def test_a_seed_sees_the_same_numbers_alone_and_among_others(step: int) -> None:
    together = batch([5, 17, 2], step)
    for k, seed in enumerate([5, 17, 2]):
        assert torch.equal(together[k], batch([seed], step)[0])


@pytest.mark.parametrize("shape", [(4, 3), (5,), (1,)])
def test_any_order_of_steps_gives_the_same_batches(shape: tuple[int, ...]) -> None:
    stream = UniformStream([1, 2], shape)
    in_order = {step: stream.batch(step).clone() for step in range(max(STEPS) + 1)}
    jumping = UniformStream([1, 2], shape)
    for step in [*reversed(STEPS), *STEPS, 7, 7, 8]:
        assert torch.equal(jumping.batch(step), in_order[step])


def test_seeds_steps_and_domains_differ() -> None:
    batches = [batch([k], step, domain=domain) for k in (0, 1) for step in (0, 1, CHUNK) for domain in (0, 1)]
    for i, one in enumerate(batches):
        assert all(not torch.equal(one, other) for other in batches[i + 1 :])


def test_uniform_on_the_unit_interval() -> None:
    numbers = batch([0], 0, shape=(200_000,)).flatten()
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert stats.kstest(numbers.numpy(), "uniform").pvalue > 0.001
    lagged = torch.corrcoef(torch.stack([numbers[:-1], numbers[1:]]))[0, 1]
    assert abs(lagged) < 4 / len(numbers) ** 0.5
