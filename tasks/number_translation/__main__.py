"""``python -m tasks.number_translation``."""

from tasks.harness.cli.main import run_task

run_task("number_translation")
