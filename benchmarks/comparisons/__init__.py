"""The same work in other libraries, where they are installed: ``pip install -e '.[comparisons]'``."""
