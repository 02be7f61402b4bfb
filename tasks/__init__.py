"""The tasks. To add one, copy the smallest folder, edit its files, and add its name here."""

TASKS = (
    "identity",
    "static_arithmetic",
    "six_operations",
    "single_module",
    "recurrent_arithmetic",
    "blog_example",
    "mnist_counting",
    "number_translation",
    "gridworld_time",
)
