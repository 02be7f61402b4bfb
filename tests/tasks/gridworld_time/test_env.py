"""The gymnasium environments: rewards by hand, rendering, seeding, and gymnasium's own checks."""

import importlib.util
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import SyncVectorEnv

from tasks.gridworld_time.world.dynamics import START_AGENT, START_TARGET
from tasks.gridworld_time.world.env import ID, GridWorldTime
from tasks.gridworld_time.world.rendering import pictures, planes, text
from tasks.gridworld_time.world.vector_env import GridWorldTimeVector

UP, DOWN, LEFT, RIGHT, PASS = range(5)


def start(agent: int, target: int) -> int:
    return list(zip(START_AGENT, START_TARGET, strict=True)).index((agent, target))


def episode(env: GridWorldTime, agent: int, target: int, instruction: int, actions: list[int]) -> list[tuple]:
    """The reward, and whether the episode ended, after each action."""
    env.reset(options={"start": start(agent, target), "instruction": instruction})
    return [env.step(action)[1:3] for action in actions]


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


def test_gymnasium_finds_the_environments_by_name() -> None:
    """In a new process, the documented name, with its module, is enough."""
    name = f"tasks.gridworld_time.world.env:{ID}"
    code = f"import gymnasium; gymnasium.make('{name}'); print(gymnasium.make_vec('{name}', num_envs=2).unwrapped)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert "GridWorldTimeVector" in done.stdout


def test_seeding_is_deterministic() -> None:
    def history(env: GridWorldTime, seed: int) -> list[object]:
        results = [env.reset(seed=seed)[0]]
        actions = np.random.default_rng(seed)
        for _ in range(100):
            *result, terminated, _, _ = env.step(int(actions.integers(5)))
            results.append(result)
            if terminated:
                results.append(env.reset()[0])
        return [str(entry) for entry in results]

    env = GridWorldTime("symbolic")
    first = history(env, 3)
    assert history(env, 3) == history(GridWorldTime("symbolic"), 3) == first
    assert history(env, 4) != first


@pytest.mark.parametrize("observation", ["pixels", "symbolic"])
def test_the_vector_environment_agrees_with_single_ones(observation: str) -> None:
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
        (observed, info), (expected, expected_info) = ours.reset(seed=seed), theirs.reset(seed=seed)
        for _ in range(60):
            assert ours.observation_space.contains(observed)
            np.testing.assert_equal(observed, expected)
            np.testing.assert_equal(info, expected_info)
            actions = random.integers(5, size=count)
            observed, *result, info = ours.step(actions)
            expected, *expected_result, expected_info = theirs.step(actions)
            for found, wanted in zip(result, expected_result, strict=True):
                np.testing.assert_array_equal(found, wanted)
                assert found.dtype == wanted.dtype
            ends += result[1].sum()
    assert ends > 50


def test_observations_are_copies() -> None:
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
def test_invalid_arguments(arguments: dict[str, object], message: str) -> None:
    for make in (GridWorldTime, GridWorldTimeVector):
        with pytest.raises(ValueError, match=message):
            make(**arguments)


@pytest.mark.parametrize("options", [{"start": 600}, {"start": -1}, {"instruction": 0}, {"target": 3}])
def test_invalid_reset_options(options: dict[str, int]) -> None:
    for env in (GridWorldTime(), GridWorldTimeVector()):
        with pytest.raises(ValueError, match=next(iter(options))):
            env.reset(options=options)


@pytest.mark.skipif(importlib.util.find_spec("stable_baselines3") is None, reason="needs stable-baselines3")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("observation", ["pixels", "symbolic"])
def test_stable_baselines_trains_on_it(observation: str) -> None:
    from stable_baselines3 import A2C

    env = gymnasium.make(ID, observation=observation)
    model = A2C("MultiInputPolicy", env, seed=0, device="cpu").learn(200)
    action, _ = model.predict(env.reset(seed=0)[0])
    assert env.action_space.contains(int(action))
