"""The arguments and options of both environments: their types, their checks, and the observation space."""

from __future__ import annotations

from typing import Any, Literal, get_args

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict

from tasks.gridworld_time.world.dynamics import ACTIONS, STARTS, whole_number
from tasks.gridworld_time.world.rendering import Observation, observations

LONGEST = 10**6
"""The largest instruction T."""

RenderMode = Literal["rgb_array", "ansi"]


def observation_space(observation: Observation) -> gymnasium.Space[Any]:
    """The space of one observation: the image and the instruction T.

    Raises:
        ValueError: for an unknown kind of observation.
    """
    if observation not in get_args(Observation):
        raise ValueError(f"observation must be one of {', '.join(get_args(Observation))}, got {observation!r}")
    image = observations(observation)
    highest = 255 if observation == "pixels" else 1
    instruction = Box(1, LONGEST, (1,), np.int64)
    return Dict({"image": Box(0, highest, image.shape[2:], np.uint8), "instruction": instruction})


def checked_times(times: tuple[int, int]) -> tuple[int, int]:
    """The smallest and the largest T, unchanged.

    Raises:
        ValueError: unless 1 <= shortest <= longest <= LONGEST.
    """
    try:
        shortest, longest = (whole_number("times", time) for time in times)
    except (TypeError, ValueError):
        raise ValueError(f"times must be two whole numbers, got {times!r}") from None
    if not 1 <= shortest <= longest <= LONGEST:
        raise ValueError(f"times must be two numbers, 1 <= shortest <= longest <= {LONGEST}, got {times}")
    return shortest, longest


def checked_render_mode(render_mode: RenderMode | None) -> RenderMode | None:
    """The render mode, unchanged.

    Raises:
        ValueError: for an unknown render mode.
    """
    if render_mode not in (None, *get_args(RenderMode)):
        raise ValueError(f"render_mode must be one of {', '.join(get_args(RenderMode))}, got {render_mode!r}")
    return render_mode


def checked_action(action: Any) -> int:
    """The action as an int.

    Raises:
        ValueError: unless it is a whole number in 0..4; a negative one would count from the end.
    """
    number = whole_number("action", action.item() if isinstance(action, np.ndarray) else action)
    if not 0 <= number < len(ACTIONS):
        raise ValueError(f"action must lie in 0..{len(ACTIONS) - 1}, got {number}")
    return number


def checked_actions(actions: Any, num_envs: int) -> np.ndarray:
    """The actions of all worlds, ``(num_envs,)``.

    Raises:
        ValueError: unless they are that many whole numbers in 0..4.
    """
    numbers = np.asarray(actions)
    if numbers.shape != (num_envs,) or not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(f"actions must be {num_envs} whole numbers, got shape {numbers.shape} of {numbers.dtype}")
    if not ((numbers >= 0) & (numbers < len(ACTIONS))).all():
        raise ValueError(f"actions must lie in 0..{len(ACTIONS) - 1}, got {numbers.min()} to {numbers.max()}")
    return numbers


def start_and_instruction(drawn: tuple[int, int], options: dict[str, Any]) -> tuple[int, int]:
    """The start and the instruction T of an episode: those of the reset ``options``, otherwise the drawn ones.

    Raises:
        ValueError: for an unknown option or a value out of range.
    """
    unknown = sorted(set(options) - {"start", "instruction"})
    if unknown:
        raise ValueError(f"options may be start and instruction, got {', '.join(unknown)}")
    start = whole_number("start", options.get("start", drawn[0]))
    instruction = whole_number("instruction", options.get("instruction", drawn[1]))
    if not 0 <= start < STARTS:
        raise ValueError(f"start must lie in 0..{STARTS - 1}, got {start}")
    if not 1 <= instruction <= LONGEST:
        raise ValueError(f"instruction must lie in 1..{LONGEST}, got {instruction}")
    return start, instruction
