"""What the article published: one run, its number of examples and its test loss."""

ARTICLE_EXAMPLES = 10_000
ARTICLE_TEST_LOSS = 8.575397e-05
"""Half the sum of the squared errors over the article's test examples, in its one run."""
