"""gymnasium's wrappers work on the environments, with known values."""

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.wrappers import vector as vector_wrappers

from tasks.gridworld_time.world.dynamics import START_AGENT, START_TARGET
from tasks.gridworld_time.world.env import ID

RIGHT, PASS = 3, 4
START = list(zip(START_AGENT, START_TARGET, strict=True)).index((0, 1))
OPTIONS = {"start": START, "instruction": 5}


def make(**options: object) -> gymnasium.Env:
    return gymnasium.make(ID, observation="symbolic", **options)


def on_time(env: gymnasium.Env) -> list[tuple]:
    """The steps of an episode that arrives when it should, for the full reward of 1."""
    env.reset(seed=0, options=OPTIONS)
    return [env.step(action) for action in [PASS] * 4 + [RIGHT]]


def test_statistics_and_a_shorter_time_limit() -> None:
    last = on_time(wrappers.RecordEpisodeStatistics(make()))[-1]
    assert last[2]
    assert (last[4]["episode"]["r"], last[4]["episode"]["l"]) == (1, 5)
    outcomes = [
        (terminated, truncated) for _, _, terminated, truncated, _ in on_time(wrappers.TimeLimit(make(), 3))[:3]
    ]
    assert outcomes == [(False, False), (False, False), (False, True)]


def test_observations_are_flattened_stacked_and_transformed() -> None:
    env = make()
    observation, _ = env.reset(options=OPTIONS)
    flat = wrappers.FlattenObservation(make())
    flattened, _ = flat.reset(options=OPTIONS)
    assert flattened.shape == flat.observation_space.shape
    assert np.array_equal(
        gymnasium.spaces.unflatten(env.observation_space, flattened)["instruction"], observation["instruction"]
    )
    stacked = wrappers.FrameStackObservation(flat, 4)
    frames, _ = stacked.reset(options=OPTIONS)
    assert frames.shape == (4, *flattened.shape)
    assert np.array_equal(frames[-1], flattened)
    assert stacked.observation_space.contains(frames)


def test_rewards_are_transformed() -> None:
    assert on_time(wrappers.TransformReward(make(), lambda reward: 10 * reward - 1))[-1][1] == 9
    normalised = [step[1] for step in on_time(wrappers.NormalizeReward(make()))]
    assert normalised[:4] == [0, 0, 0, 0]
    assert normalised[4] > 0


def test_frames_are_collected_and_filmed(tmp_path: Path) -> None:
    env = wrappers.RenderCollection(gymnasium.make(ID, render_mode="rgb_array"))
    on_time(env)
    frames = env.render()
    assert len(frames) == 6
    assert frames[0].dtype == np.uint8
    assert not np.array_equal(frames[0], frames[-1])
    pytest.importorskip("moviepy")
    with wrappers.RecordVideo(gymnasium.make(ID, render_mode="rgb_array"), str(tmp_path)) as filmed:
        on_time(filmed)
    assert [path.suffix for path in tmp_path.iterdir() if path.suffix == ".mp4"] == [".mp4"]


def test_vector_wrappers() -> None:
    env = vector_wrappers.RecordEpisodeStatistics(gymnasium.make_vec(ID, num_envs=2, observation="symbolic"))
    env.reset(seed=0, options=OPTIONS)
    for action in [PASS] * 4 + [RIGHT]:
        _, reward, terminated, _, information = env.step(np.array([action, PASS]))
    assert reward.tolist() == [1, 0]
    assert terminated.tolist() == [True, False]
    assert information["episode"]["r"].tolist() == [1, 0]
    assert information["episode"]["l"].tolist() == [5, 0]
    assert information["_episode"].tolist() == [True, False]
