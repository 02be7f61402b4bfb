"""Run the task from the command line, as ``nalu my-task`` does."""

from tasks.harness.cli.main import run_task

from . import TASK

if __name__ == "__main__":  # other processes of --processes import this file again
    run_task(TASK)
