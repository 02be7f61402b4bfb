"""``python -m tasks.static_arithmetic``."""

from tasks.harness.cli.main import run_task

run_task("static_arithmetic")
