"""``python -m tasks.identity``."""

from tasks.harness.cli.main import run_task

run_task("identity")
