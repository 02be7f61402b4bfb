"""Commands that repeat runs: the one for given options, or the one for the profile that consists of given runs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from tasks.harness.config import Config, flag
from tasks.harness.contract import Task
from tasks.harness.registry import task_names


def run_command(task: Task, config: Config) -> str:
    """The task's command with the fewest options that give this configuration."""
    wanted = config.to_dict()
    options = {
        field.name: wanted[field.name]
        for field in fields(task.config)
        if field.default is None or field.default != getattr(config, field.name)
    }
    for field in fields(task.config):
        if field.default is not None:
            continue  # a default of None stands for a value that may depend on other options
        fewer = {name: value for name, value in options.items() if name != field.name}
        try:
            if task.config.from_dict(fewer).to_dict() == wanted:
                options = fewer
        except ValueError:
            continue  # the remaining options are invalid without this one
    words = [word for name, value in options.items() for word in _words(name, value)]
    command = ["python", "-m", f"tasks.{task.name}"] if task.name in task_names() else ["nalu", task.command]
    return shlex.join([*command, *words])


def sweep_command(task: Task, configs: Sequence[Config]) -> str | None:
    """``nalu reproduce`` with the profile that has exactly these configurations; None if there is none."""
    for profile, sweep in task.sweep.items():
        if {_key(config) for config in sweep} == {_key(config) for config in configs}:
            return f"nalu reproduce --profile {profile} --tasks {task.command}"
    return None


def _words(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [flag(name) if value else flag(f"no_{name}")]
    return [flag(name), *(str(item) for item in (value if isinstance(value, list) else [value]))]


def _key(config: Config) -> str:
    return str(sorted(config.to_dict().items()))
