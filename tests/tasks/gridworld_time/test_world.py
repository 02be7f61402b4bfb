"""The rules of the grid world by hand and by brute force, its pictures, and the rewards of simple policies."""

import itertools

import numpy as np
import pytest

from tasks.gridworld_time.options import TRAINED
from tasks.gridworld_time.world.dynamics import (
    ACTIONS,
    CELLS,
    DISTANCE,
    NEXT,
    START_AGENT,
    START_TARGET,
    STARTS,
    Rules,
    draw_start,
)
from tasks.gridworld_time.world.reference_policies import arriving_at, best_blind, optimum, random_walk
from tasks.gridworld_time.world.rendering import AGENT, SIDE, TARGET, WALL, pictures, planes


def test_starts_are_all_pairs_of_different_cells() -> None:
    pairs = set(zip(START_AGENT.tolist(), START_TARGET.tolist(), strict=True))
    assert pairs == set(itertools.permutations(range(CELLS), 2))
    assert STARTS == len(pairs) == 600


def test_moves_and_walls() -> None:
    assert NEXT[12].tolist() == [7, 17, 11, 13, 12]
    assert NEXT[0].tolist() == [0, 5, 0, 1, 0]
    assert NEXT[24].tolist() == [19, 24, 23, 24, 24]
    assert NEXT[4].tolist() == [4, 9, 3, 4, 4]  # no way around to the next row


def test_distances_agree_with_the_moves() -> None:
    reached = np.eye(CELLS, dtype=bool)
    for steps in range(9):
        assert not (reached ^ (steps >= DISTANCE)).any()
        reached = reached[:, NEXT].any(axis=2)
    assert DISTANCE.max() == 8


@pytest.mark.parametrize("rules", [Rules(), Rules(maximum=2.0, patience=1), Rules(patience=3)])
@pytest.mark.parametrize("instruction", [1, 2, 3, 5, 8, 12, 13])
def test_optimum_by_brute_force(rules: Rules, instruction: int) -> None:
    """Backward induction over cell and time, without using distances."""
    target = 12
    value = np.zeros(CELLS)  # the value of a cell, not arrived, at the time-out
    for time in reversed(range(1, rules.time_out(instruction) + 1)):
        arrived = max(0.0, rules.maximum * (1 - abs(time - instruction) / instruction))
        after = np.where(np.arange(CELLS) == target, arrived, value)
        value = after[NEXT].max(axis=1)
    others = np.arange(CELLS) != target
    np.testing.assert_allclose(rules.best_reward(DISTANCE[:, target], instruction)[others], value[others], atol=1e-12)


def test_mean_optimum_of_the_training_range() -> None:
    distance = DISTANCE[START_AGENT, START_TARGET]
    best = [Rules().best_reward(distance, T).mean() for T in range(5, 13)]
    assert best[0] == pytest.approx(0.972, abs=1e-4)  # starts at distance 6, 7 and 8 arrive late
    assert best[3:] == [1] * 5


def test_pictures() -> None:
    drawn = pictures()
    assert drawn.shape == (CELLS, CELLS, SIDE, SIDE, 3)
    assert len({drawn[a, b].tobytes() for a in range(CELLS) for b in range(CELLS)}) == CELLS * CELLS
    assert len({planes()[a, b].tobytes() for a in range(CELLS) for b in range(CELLS)}) == CELLS * CELLS
    image = drawn[7, 12]  # row 1, column 2; row 2, column 2
    assert (image[16:24, 24:32] == AGENT).all()
    assert (image[24:32, 24:32] == TARGET).all()
    ring = np.ones((SIDE, SIDE), bool)
    ring[8:-8, 8:-8] = False
    assert (image[ring] == WALL).all()
    assert (image.reshape(-1, 3).any(axis=1)).sum() == ring.sum() + 2 * 64
    assert (drawn[3, 3].reshape(-1, 3) == TARGET).all(axis=1).any()
    assert planes()[7, 12, 0].nonzero() == (1, 2)
    assert planes()[7, 12, 1].nonzero() == (2, 2)


def test_every_start_and_time_is_equally_likely() -> None:
    random = np.random.default_rng(0)
    starts, times = np.array([draw_start(random, 5, 12) for _ in range(60_000)]).T
    for drawn, of in ((np.bincount(starts, minlength=STARTS), STARTS), (np.bincount(times)[5:], 8)):
        assert len(drawn) == of
        expected = 60_000 / of
        chi_square = ((drawn - expected) ** 2 / expected).sum()
        assert chi_square < of - 1 + 5 * np.sqrt(2 * (of - 1))  # five standard deviations


def test_action_names() -> None:
    assert ACTIONS == ("UP", "DOWN", "LEFT", "RIGHT", "PASS")


def test_reference_policies() -> None:
    rules, trained = Rules(), list(TRAINED)
    assert optimum(trained, rules).mean() == pytest.approx(0.9955, abs=1e-4)
    assert arriving_at(1)(trained, rules).mean() == pytest.approx(0.4160, abs=1e-4)
    assert best_blind(trained, rules) == 8
    np.testing.assert_allclose(arriving_at(12)((13, 15, 20, 40, 100), rules), [12 / 13, 0.8, 0.6, 0.3, 0.12])
    random = np.random.default_rng(0)
    start = random.integers(STARTS, size=20_000)
    cell, target, earned = START_AGENT[start], START_TARGET[start], np.zeros(20_000)
    active = np.ones(20_000, bool)
    for time in range(1, 13):
        cell = np.where(active, NEXT[cell, random.integers(5, size=20_000)], cell)
        arrived = active & (cell == target)
        earned[arrived] = 1 - abs(time - 6) / 6
        active &= ~arrived
    assert random_walk([6], rules)[0] == pytest.approx(earned.mean(), abs=4 * earned.std() / 20_000**0.5)
