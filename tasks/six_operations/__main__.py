"""``python -m tasks.six_operations``."""

from tasks.harness.cli.main import run_task

run_task("six_operations")
