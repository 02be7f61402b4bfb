"""``python -m tasks.static_arithmetic``."""

from tasks.harness.cli import run_task

run_task("static_arithmetic")
