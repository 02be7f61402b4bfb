"""``python -m tasks.recurrent_arithmetic``."""

from tasks.harness.cli.main import run_task

run_task("recurrent_arithmetic")
