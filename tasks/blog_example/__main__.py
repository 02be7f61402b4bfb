"""``python -m tasks.blog_example``."""

from tasks.harness.cli.main import run_task

run_task("blog_example")
