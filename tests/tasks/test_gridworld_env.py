"""The grid world: its rules by hand and by brute force, and what gymnasium asks of an environment."""

import importlib.util
import itertools
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import SyncVectorEnv

from tasks.gridworld_time.dynamics import (
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
from tasks.gridworld_time.env import ID, GridWorldTime, GridWorldTimeVector
from tasks.gridworld_time.pictures import AGENT, SIDE, TARGET, WALL, pictures, planes, text

UP, DOWN, LEFT, RIGHT, PASS = range(5)


def start(agent: int, target: int) -> int:
    return list(zip(START_AGENT, START_TARGET, strict=True)).index((agent, target))


def episode(env: GridWorldTime, agent: int, target: int, instruction: int, actions: list[int]) -> list[tuple]:
    """Reward and end after each action."""
    env.reset(options={"start": start(agent, target), "instruction": instruction})
    return [env.step(action)[1:3] for action in actions]


def test_starts_are_all_pairs_of_different_cells() -> None:
    pairs = set(zip(START_AGENT.tolist(), START_TARGET.tolist(), strict=True))
    assert pairs == set(itertools.permutations(range(CELLS), 2))
    assert STARTS == len(pairs) == 600


def test_moves_and_walls() -> None:
    assert NEXT[12].tolist() == [7, 17, 11, 13, 12]
    assert NEXT[0].tolist() == [0, 5, 0, 1, 0]
    assert NEXT[24].tolist() == [19, 24, 23, 24, 24]
    assert NEXT[4].tolist() == [4, 9, 3, 4, 4]  # no way around to the next row


def test_distances_are_those_of_the_moves() -> None:
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
    value = np.zeros(CELLS)  # of being in a cell, not arrived, at the time-out
    for time in reversed(range(1, rules.time_out(instruction) + 1)):
        arrived = max(0.0, rules.maximum * (1 - abs(time - instruction) / instruction))
        after = np.where(np.arange(CELLS) == target, arrived, value)
        value = after[NEXT].max(axis=1)
    others = np.arange(CELLS) != target
    np.testing.assert_allclose(rules.best_reward(DISTANCE[:, target], instruction)[others], value[others], atol=1e-12)


def test_mean_optimum_of_the_training_range() -> None:
    distance = DISTANCE[START_AGENT, START_TARGET]
    best = [Rules().best_reward(distance, T).mean() for T in range(5, 13)]
    assert best[0] == pytest.approx(0.972, abs=1e-4)  # starts at distance 6, 7 and 8 come late
    assert best[3:] == [1] * 5


def test_rewards_by_hand() -> None:
    env = GridWorldTime("symbolic")
    assert episode(env, 0, 1, 5, [RIGHT]) == [(pytest.approx(0.2), True)]
    assert episode(env, 0, 1, 5, [PASS] * 4 + [RIGHT])[-1] == (1, True)
    assert episode(env, 0, 1, 5, [PASS] * 3 + [RIGHT])[-1] == (pytest.approx(0.8), True)
    assert episode(env, 0, 1, 5, [UP, LEFT] * 3 + [RIGHT])[-1] == (pytest.approx(0.6), True)
    assert episode(env, 0, 24, 8, [RIGHT, DOWN] * 4)[-1] == (1, True)
    assert episode(GridWorldTime(maximum=10.0), 0, 1, 5, [PASS, PASS, RIGHT])[-1] == (pytest.approx(6), True)


def test_time_out() -> None:
    outcomes = episode(GridWorldTime("symbolic"), 0, 1, 5, [PASS] * 10)
    assert outcomes == [(0, False)] * 9 + [(0, True)]
    assert episode(GridWorldTime("symbolic"), 0, 1, 5, [PASS] * 9 + [RIGHT])[-1] == (0, True)  # worth nothing at 2T
    assert episode(GridWorldTime(patience=1), 0, 1, 5, [PASS] * 5)[-1] == (0, True)
    late = episode(GridWorldTime(patience=3), 0, 1, 5, [PASS] * 12 + [RIGHT])
    assert late[-2:] == [(0, False), (0, True)]


def test_pictures() -> None:
    shown = pictures()
    assert shown.shape == (CELLS, CELLS, SIDE, SIDE, 3)
    assert len({shown[a, b].tobytes() for a in range(CELLS) for b in range(CELLS)}) == CELLS * CELLS
    assert len({planes()[a, b].tobytes() for a in range(CELLS) for b in range(CELLS)}) == CELLS * CELLS
    image = shown[7, 12]  # row 1, column 2; row 2, column 2
    assert (image[16:24, 24:32] == AGENT).all()
    assert (image[24:32, 24:32] == TARGET).all()
    ring = np.ones((SIDE, SIDE), bool)
    ring[8:-8, 8:-8] = False
    assert (image[ring] == WALL).all()
    assert (image.reshape(-1, 3).any(axis=1)).sum() == ring.sum() + 2 * 64
    assert (shown[3, 3].reshape(-1, 3) == TARGET).all(axis=1).any()
    assert planes()[7, 12, 0].nonzero() == (1, 2)
    assert planes()[7, 12, 1].nonzero() == (2, 2)


def test_rendering() -> None:
    env = gymnasium.make(ID, render_mode="ansi")
    env.reset(options={"start": start(0, 1), "instruction": 9})
    assert env.render() == "#######\n#AT...#\n#.....#\n#.....#\n#.....#\n#.....#\n#######\nt = 0, T = 9"
    env.step(RIGHT)
    assert env.render().splitlines()[1] == "#.X...#"
    assert text(5, 0, 3, 7).splitlines()[1:3] == ["#T....#", "#A....#"]
    env = gymnasium.make(ID, observation="symbolic", render_mode="rgb_array")
    env.reset(options={"start": start(7, 12)})
    assert (env.render() == pictures()[7, 12]).all()
    vector = gymnasium.make_vec(ID, num_envs=2, render_mode="ansi")
    vector.reset(options={"start": start(0, 1), "instruction": 9})
    assert [frame.splitlines()[1] for frame in vector.render()] == ["#AT...#"] * 2


@pytest.mark.parametrize("observation", ["pixels", "symbolic"])
def test_checker_of_gymnasium(observation: str) -> None:
    for mode in (None, "rgb_array", "ansi"):
        env = gymnasium.make(ID, observation=observation, render_mode=mode)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_env(env.unwrapped, skip_render_check=mode is not None)


def test_every_start_and_time_is_equally_likely() -> None:
    random = np.random.default_rng(0)
    starts, times = np.array([draw_start(random, 5, 12) for _ in range(60_000)]).T
    for drawn, of in ((np.bincount(starts, minlength=STARTS), STARTS), (np.bincount(times)[5:], 8)):
        assert len(drawn) == of
        expected = 60_000 / of
        chi_square = ((drawn - expected) ** 2 / expected).sum()
        assert chi_square < of - 1 + 5 * np.sqrt(2 * (of - 1))  # five standard deviations


def test_seeding_is_deterministic() -> None:
    def history(env: GridWorldTime, seed: int) -> list[object]:
        seen = [env.reset(seed=seed)[0]]
        actions = np.random.default_rng(seed)
        for _ in range(100):
            *result, terminated, _, _ = env.step(int(actions.integers(5)))
            seen.append(result)
            if terminated:
                seen.append(env.reset()[0])
        return [str(entry) for entry in seen]

    env = GridWorldTime("symbolic")
    first = history(env, 3)
    assert history(env, 3) == history(GridWorldTime("symbolic"), 3) == first
    assert history(env, 4) != first


@pytest.mark.parametrize("observation", ["pixels", "symbolic"])
def test_vector_is_single_environments_in_turn(observation: str) -> None:
    count = 7
    ours = gymnasium.make_vec(ID, num_envs=count, observation=observation)
    assert isinstance(ours.unwrapped, GridWorldTimeVector)
    theirs = SyncVectorEnv([lambda: GridWorldTime(observation)] * count)
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"]
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    random = np.random.default_rng(1)
    ends = 0
    for seed in (5, None, list(range(count)), [3, *[None] * (count - 1)]):
        (seen, info), (expected, right_info) = ours.reset(seed=seed), theirs.reset(seed=seed)
        for _ in range(60):
            assert ours.observation_space.contains(seen)
            np.testing.assert_equal(seen, expected)
            np.testing.assert_equal(info, right_info)
            actions = random.integers(5, size=count)
            (seen, *result, info), (expected, *right, right_info) = ours.step(actions), theirs.step(actions)
            for found, wanted in zip(result, right, strict=True):
                np.testing.assert_array_equal(found, wanted)
                assert found.dtype == wanted.dtype
            ends += result[1].sum()
    assert ends > 50


def test_observations_are_the_callers() -> None:
    env = GridWorldTimeVector(2, "symbolic")
    first, _ = env.reset(seed=0)
    kept = {name: value.copy() for name, value in first.items()}
    env.step(np.zeros(2, np.int64))
    first_after = {name: value.copy() for name, value in first.items()}
    np.testing.assert_equal(first_after, kept)
    first["image"][:] = 9
    assert planes().max() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"observation": "sound"}, "observation must be one of symbolic, pixels, got 'sound'"),
        ({"times": (0, 5)}, "times must be .*, got \\(0, 5\\)"),
        ({"times": (6, 5)}, "times must be .*, got \\(6, 5\\)"),
        ({"maximum": 0.0}, "maximum must be above 0, got 0.0"),
        ({"patience": 0}, "patience must be at least 1, got 0"),
        ({"render_mode": "human"}, "render_mode must be one of rgb_array, ansi, got 'human'"),
    ],
)
def test_arguments_that_cannot_be_used(arguments: dict[str, object], message: str) -> None:
    for make in (GridWorldTime, GridWorldTimeVector):
        with pytest.raises(ValueError, match=message):
            make(**arguments)


@pytest.mark.parametrize("options", [{"start": 600}, {"start": -1}, {"instruction": 0}, {"target": 3}])
def test_reset_options_that_cannot_be_used(options: dict[str, int]) -> None:
    for env in (GridWorldTime(), GridWorldTimeVector()):
        with pytest.raises(ValueError, match=next(iter(options))):
            env.reset(options=options)


def test_action_names() -> None:
    assert ACTIONS == ("UP", "DOWN", "LEFT", "RIGHT", "PASS")


@pytest.mark.skipif(importlib.util.find_spec("stable_baselines3") is None, reason="needs stable-baselines3")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("observation", ["pixels", "symbolic"])
def test_stable_baselines_trains_on_it(observation: str) -> None:
    from stable_baselines3 import A2C

    env = gymnasium.make(ID, observation=observation)
    model = A2C("MultiInputPolicy", env, seed=0, device="cpu").learn(200)
    action, _ = model.predict(env.reset(seed=0)[0])
    assert env.action_space.contains(int(action))
