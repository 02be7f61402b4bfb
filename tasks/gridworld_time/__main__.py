"""``python -m tasks.gridworld_time``."""

from tasks.harness.cli.main import run_task

run_task("gridworld_time")
