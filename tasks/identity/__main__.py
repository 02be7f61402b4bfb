"""``python -m tasks.identity``."""

from tasks.harness.cli import run_task

run_task("identity")
