"""``python -m tasks.mnist_counting``."""

from tasks.harness.cli.main import run_task

run_task("mnist_counting")
