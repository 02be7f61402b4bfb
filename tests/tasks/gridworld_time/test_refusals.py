"""What both environments refuse: actions and options that would be taken for others, steps before a reset."""

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from tasks.gridworld_time.world.env import ID, GridWorldTime
from tasks.gridworld_time.world.vector_env import GridWorldTimeVector


@pytest.mark.parametrize("action", [-1, 5, 10**9, 1.0, True, "PASS", None])
def test_an_action_that_is_none(action: object) -> None:
    env = GridWorldTime()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="action must"):
        env.step(action)
    env.step(np.int64(4))
    env.step(np.array(4))


@pytest.mark.parametrize("actions", [[-1, 0], [0, 5], [0.0, 1.0], [0], [[0, 1]], 0, [0, 1, 2]])
def test_actions_that_are_none(actions: object) -> None:
    envs = GridWorldTimeVector(2)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="actions must"):
        envs.step(np.array(actions))
    envs.step(np.array([4, 4]))


def test_a_step_before_the_first_reset() -> None:
    with pytest.raises(ResetNeeded):
        GridWorldTime().step(0)
    with pytest.raises(ResetNeeded):
        GridWorldTimeVector(2).step(np.array([0, 0]))
    with gymnasium.make(ID) as env, pytest.raises(ResetNeeded):
        env.step(0)


@pytest.mark.parametrize("options", [{"instruction": 7.5}, {"start": 0.5}, {"instruction": "7"}, {"start": True}])
def test_options_that_are_no_whole_numbers(options: dict[str, object]) -> None:
    for env in (GridWorldTime(), GridWorldTimeVector(2)):
        with pytest.raises(ValueError, match="must be a whole number"):
            env.reset(seed=0, options=options)
    GridWorldTime().reset(options={"instruction": np.int32(7), "start": np.int64(3)})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": (5.5, 12)}, "times must be two whole numbers, got"),
        ({"times": 5}, "times must be two whole numbers, got 5"),
        ({"times": (5, 6, 7)}, "times must be two whole numbers"),
        ({"patience": 1.5}, "patience must be a whole number, got 1.5"),
    ],
)
def test_arguments_that_are_no_whole_numbers(arguments: dict[str, object], message: str) -> None:
    for build in (GridWorldTime, GridWorldTimeVector):
        with pytest.raises(ValueError, match=message):
            build(**arguments)
