"""Random training data: independent streams, one per seed."""

from tasks.harness.config import Generator as Generator
from tasks.harness.streams.stream import Stream as Stream
from tasks.harness.streams.stream import uniform_stream as uniform_stream
from tasks.harness.streams.uniform import UniformStream as UniformStream
