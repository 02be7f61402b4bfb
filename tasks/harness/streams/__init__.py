"""Random training data: independent streams, one per seed."""

from tasks.harness.streams.uniform import UniformStream as UniformStream
