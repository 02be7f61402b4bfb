"""Handwritten digits: MNIST, fetched by torchvision, or the embedded sample of 10 000 of its digits."""

from __future__ import annotations

import gzip
import hashlib
import socket
import sys
import tempfile
import zlib
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from tasks.harness.errors import UserError

Source = Literal["mnist", "sample"]
Dataset = Literal["auto", "mnist", "sample"]

PACKED = Path(__file__).with_name("mnist-sample")
SAMPLE = PACKED if PACKED.is_dir() else Path(__file__).parents[2] / "data" / "mnist-sample"
"""The sample lies beside this file in an installed package, which pyproject.toml sees to, or else in the checkout."""

MD5: dict[Source, dict[str, str]] = {
    "mnist": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "sample": {
        "train-images-idx3-ubyte.gz": "d621587fdc7c02d5cb69322b771f6ff2",
        "train-labels-idx1-ubyte.gz": "bf27af89d09f3d2e3a71af4ed3e3628a",
        "t10k-images-idx3-ubyte.gz": "232b949a476be4fa502c033cf463bb56",
        "t10k-labels-idx1-ubyte.gz": "69c67941db698e8ce50045d6fa315e91",
    },
}
"""The files, and the checksums of their unpacked content: those of the sample do not depend on who packed it."""

VALIDATION: dict[Source, int] = {"mnist": 5000, "sample": 1000}
"""How many of the training digits, the last ones, are held out; 5000 as in Madsen & Johansen 2020."""

CURE: dict[Source, str] = {
    "mnist": "run again to have MNIST fetched, put the published file there, or use --dataset sample",
    "sample": "install the package again, or restore it with git checkout data/mnist-sample",
}

TIMEOUT = 5.0
"""Seconds to wait for any answer of a mirror of MNIST."""


@dataclass(frozen=True)
class Digits:
    """Images of single digits and what they show."""

    images: Tensor
    """uint8, ``(N, 28, 28)``; 0 is background."""
    labels: Tensor
    """int64, ``(N,)``, from 0 to 9."""


@dataclass(frozen=True)
class DigitSets:
    """Digits to train with, to choose by and to report on; no digit is in two of them."""

    train: Digits
    validation: Digits
    test: Digits


@cache
def resolve(dataset: Dataset, root: Path) -> Source:
    """Which digits ``dataset`` stands for here; the answer is the same during the whole process.

    ``auto`` is MNIST if its files are under ``root`` or can be fetched, or else the sample, which is said on stderr.
    Damaged files are not passed over: :func:`load_digits` reports them.

    Raises:
        UserError: when MNIST is asked for and can neither be found nor fetched.
    """
    if dataset == "sample":
        return "sample"
    obstacle = fetch(root)
    if obstacle is None:
        return "mnist"
    if dataset == "mnist":
        raise UserError(
            f"--dataset mnist needs the four unpacked files in {raw_folder(root)}, and they could not be fetched: "
            f"{obstacle}; put them there, or use --dataset sample"
        )
    print(
        f"MNIST is not in {root} and could not be fetched: using the embedded sample of 10 000 digits "
        "(results are not comparable with those of the full set)",
        file=sys.stderr,
    )
    return "sample"


def load_digits(dataset: Source, root: Path) -> DigitSets:
    """MNIST from ``root``, or the embedded sample.

    Raises:
        UserError: when a file is missing or is not, byte for byte, what it should be.
    """
    folder = SAMPLE if dataset == "sample" else raw_folder(root)
    files = [read_checked(folder / name, md5, CURE[dataset]) for name, md5 in MD5[dataset].items()]
    training, test = as_digits(*files[:2]), as_digits(*files[2:])
    kept = len(training.labels) - VALIDATION[dataset]
    return DigitSets(
        train=Digits(training.images[:kept], training.labels[:kept]),
        validation=Digits(training.images[kept:], training.labels[kept:]),
        test=test,
    )


def raw_folder(root: Path) -> Path:
    """Where torchvision keeps the files of MNIST."""
    return root / "MNIST" / "raw"


@cache
def fetch(root: Path) -> str | None:
    """See to it that the files of MNIST are under ``root``, by downloading them if need be.

    Returns:
        None if they are there, or else what stood in the way. It is tried once; whatever fails leaves no files behind.
    """
    raw = raw_folder(root)
    if all((raw / name).exists() for name in MD5["mnist"]):
        return None
    from torchvision.datasets import MNIST  # here, since it takes a second

    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)  # torchvision sets none, and would wait for a silent mirror without end
    try:
        root.mkdir(parents=True, exist_ok=True)
        # First beside their place: an interrupted download must not pass for the data set.
        with tempfile.TemporaryDirectory(prefix=".mnist-", dir=root) as partial:
            MNIST(partial, download=True)
            raw.mkdir(parents=True, exist_ok=True)
            for name in MD5["mnist"]:
                (raw_folder(Path(partial)) / name).replace(raw / name)
    except (OSError, RuntimeError, HTTPException) as error:
        return " ".join(str(error).split())
    finally:
        socket.setdefaulttimeout(previous)
    return None


def read_checked(path: Path, md5: str, cure: str) -> bytes:
    """The content of a file, unpacked if its name ends in .gz.

    Raises:
        UserError: when the content has another checksum or cannot be read; ends with the ``cure``.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; {cure}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}; delete it and {cure}") from None
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise UserError(f"{path} must have the md5 {md5}, got {found} ({len(content)} bytes); delete it and {cure}")
    return content


def as_digits(images: bytes, labels: bytes) -> Digits:
    """Digits from the content of two IDX files; their headers, of 16 and 8 bytes, are vouched for by the checksums."""
    pixels = torch.frombuffer(bytearray(images), dtype=torch.uint8, offset=16)
    names = torch.frombuffer(bytearray(labels), dtype=torch.uint8, offset=8)
    return Digits(pixels.view(-1, 28, 28), names.long())
