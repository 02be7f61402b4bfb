"""``python -m tasks.single_module``."""

from tasks.harness.cli.main import run_task

run_task("single_module")
