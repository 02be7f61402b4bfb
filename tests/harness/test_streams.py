"""Training data are a pure function of seed and step."""

import pytest
import torch
from scipy import stats

from nalu.training.compiled import SWITCH, compiler
from tasks.harness.streams import UniformStream, sfc64, uniform
from tasks.harness.streams.uniform import BATCHES_PER_SEEDING

STEPS = [0, 1, BATCHES_PER_SEEDING - 1, BATCHES_PER_SEEDING, BATCHES_PER_SEEDING + 1, 3 * BATCHES_PER_SEEDING + 5]


def batch(seeds: list[int], step: int, shape: tuple[int, ...] = (4, 3), domain: int = 0) -> torch.Tensor:
    return UniformStream(seeds, shape, domain=domain).batch(step).clone()


@pytest.mark.parametrize("step", STEPS)
def test_a_seed_gets_the_same_numbers_alone_and_among_others(step: int) -> None:
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
    batches = [
        batch([k], step, domain=domain) for k in (0, 1) for step in (0, 1, BATCHES_PER_SEEDING) for domain in (0, 1)
    ]
    for i, one in enumerate(batches):
        assert all(not torch.equal(one, other) for other in batches[i + 1 :])


@pytest.mark.skipif(compiler() is None, reason="no C++ compiler")
@pytest.mark.parametrize("shape", [(1,), (2,), (31,), (32,), (3, 11), (8, 33), (100, 7)])
@pytest.mark.parametrize("seeds", [1, 7, 8, 17])
def test_compiled_generators_make_the_same_numbers(
    seeds: int, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = UniformStream(range(seeds), shape)
    expected = [plain.batch(step).clone() for step in (*range(BATCHES_PER_SEEDING + 3), 7)]
    assert not isinstance(plain._generators, sfc64.Together)
    monkeypatch.setattr(uniform, "MIN_COMPILED_NUMBERS", 0)
    fast = UniformStream(range(seeds), shape)
    for step, batch in zip((*range(BATCHES_PER_SEEDING + 3), 7), expected, strict=True):
        assert torch.equal(fast.batch(step), batch)
    assert isinstance(fast._generators, sfc64.Together)


def test_without_a_compiler_the_compiled_generators_are_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "0")
    sfc64._compiled.cache_clear()
    assert not sfc64.is_available()
    sfc64._compiled.cache_clear()


def test_numbers_are_uniform_on_the_unit_interval_and_uncorrelated() -> None:
    numbers = batch([0], 0, shape=(200_000,)).flatten()
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert stats.kstest(numbers.numpy(), "uniform").pvalue > 0.001
    lagged = torch.corrcoef(torch.stack([numbers[:-1], numbers[1:]]))[0, 1]
    assert abs(lagged) < 4 / len(numbers) ** 0.5
