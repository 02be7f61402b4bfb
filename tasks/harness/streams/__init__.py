"""Random training data: independent streams, one a seed."""

from tasks.harness.streams.uniform import UniformStream as UniformStream
