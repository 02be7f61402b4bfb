"""Training data are a pure function of seed and step."""

import numpy as np
import pytest
import torch
from scipy import stats

from nalu.training.compiled import SWITCH, compiler
from tasks.harness.streams import UniformStream, sfc64, uniform, uniform_stream
from tasks.harness.streams.philox import philox
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


CPU = torch.device("cpu")


# The published known answers for Philox-2x32-10: Random123's kat_vectors (Salmon et al. 2011).
@pytest.mark.parametrize(
    ("counter", "key", "numbers"),
    [
        ((0, 0), 0, (0xFF1DAE59, 0x6CD10DF2)),
        ((0xFFFFFFFF, 0xFFFFFFFF), 0xFFFFFFFF, (0x2C3F628B, 0xAB4FD7AD)),
        ((0x243F6A88, 0x85A308D3), 0x13198A2E, (0xDD7CE038, 0xF62A4C12)),
    ],
)
def test_philox_gives_the_published_answers(counter: tuple[int, int], key: int, numbers: tuple[int, int]) -> None:
    assert tuple(map(int, philox(*map(torch.tensor, (*counter, key))))) == numbers


def philox_batch(seeds: list[int], step: int, shape: tuple[int, ...] = (4, 3), domain: int = 0) -> torch.Tensor:
    stream = uniform_stream("philox", seeds, shape, device=CPU, domain=domain)
    return stream.uniform(stream.draw(step))


def test_a_number_of_a_philox_stream_is_a_function_of_seed_step_and_position() -> None:
    numbers = philox_batch([5, 17], 9, (4, 3), domain=2)
    for k, seed in enumerate([5, 17]):
        assert torch.equal(numbers[k], philox_batch([seed], 9, (4, 3), domain=2)[0])
        for position in range(12):
            bits, _ = philox(*map(torch.tensor, (position + (2 << 28), 9, seed)))
            assert numbers[k].flatten()[position] == (int(bits) >> 8) / 2**24
    stream = uniform_stream("philox", [5, 17], (4, 3), device=CPU, domain=2)
    assert torch.equal(stream.uniform(stream.draw(torch.tensor(9))), numbers)


def test_philox_streams_are_uniform_and_differ() -> None:
    batches = [philox_batch([k], step, (50, 50), domain) for k in (0, 1) for step in (0, 1) for domain in (0, 1)]
    for i, one in enumerate(batches):
        assert one.min() >= 0
        assert one.max() < 1
        assert stats.kstest(one.flatten(), "uniform").pvalue > 1e-3
        for other in batches[i + 1 :]:
            assert abs(np.corrcoef(one.flatten(), other.flatten())[0, 1]) < 0.1


def test_a_philox_stream_refuses_what_its_counter_cannot_number() -> None:
    for options in ({"shape": (2**14, 2**14)}, {"shape": (1,), "domain": 16}):
        with pytest.raises(ValueError, match=r"fewer than 2\^28 numbers and a domain in 0\.\.15"):
            uniform_stream("philox", [0], device=CPU, **options)


@pytest.mark.parametrize("block", [1, 4])
def test_blocks_of_an_sfc64_stream_are_its_batches_in_order(block: int) -> None:
    stream = uniform_stream("sfc64", [1, 2], (4, 3), device=CPU, block=block)
    plain = UniformStream([1, 2], (4, 3) if block == 1 else (block, 4, 3))
    for step in (0, 1, 5, 4, 4, 11):
        whole = plain.batch(step // block)
        expected = whole if block == 1 else whole[:, step % block]
        assert torch.equal(stream.uniform(stream.draw(step)), expected)
