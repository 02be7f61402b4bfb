"""Handwritten digits: MNIST, downloaded by torchvision, or the included sample of 10 000 of its digits."""

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
"""The included sample: beside this file in an installed package (see pyproject.toml), else in the checkout."""

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
"""The files and the checksums of their unpacked content, which do not depend on the compression of the sample."""

VALIDATION: dict[Source, int] = {"mnist": 5000, "sample": 1000}
"""How many training digits are held out for validation, taken from the end; 5000 as in Madsen & Johansen 2020."""

REMEDY: dict[Source, str] = {
    "mnist": "run again to download MNIST, put the published file there, or use --dataset sample",
    "sample": "install the package again, or restore it with git checkout data/mnist-sample",
}

TIMEOUT = 5.0
"""Seconds to wait for a response of an MNIST mirror."""


@dataclass(frozen=True)
class Digits:
    """Images of single digits and their labels."""

    images: Tensor
    """uint8, ``(N, 28, 28)``; 0 is background."""
    labels: Tensor
    """int64, ``(N,)``, from 0 to 9."""


@dataclass(frozen=True)
class DigitSets:
    """Disjoint sets of digits for training, for choosing the step (validation) and for reporting (test)."""

    train: Digits
    validation: Digits
    test: Digits


@cache
def resolve(dataset: Dataset, root: Path) -> Source:
    """The data set that ``dataset`` stands for on this machine; it stays the same during the whole process.

    ``auto`` means MNIST if its files are under ``root`` or can be downloaded, else the sample, with a message on
    stderr. Damaged MNIST files do not lead to the sample: :func:`load_digits` reports them.

    Raises:
        UserError: when ``dataset`` is ``mnist``, and MNIST is neither present nor can be downloaded.
    """
    if dataset == "sample":
        return "sample"
    obstacle = fetch(root)
    if obstacle is None:
        return "mnist"
    if dataset == "mnist":
        raise UserError(
            f"--dataset mnist needs the four unpacked files in {raw_folder(root)}, and they could not be downloaded: "
            f"{obstacle}; put them there, or use --dataset sample"
        )
    print(
        f"MNIST is not in {root} and could not be downloaded: using the included sample of 10 000 digits "
        "(results are not comparable with those on all of MNIST)",
        file=sys.stderr,
    )
    return "sample"


def load_digits(dataset: Source, root: Path) -> DigitSets:
    """MNIST from ``root``, or the included sample.

    Raises:
        UserError: when a file is missing, unreadable, or has another checksum.
    """
    folder = SAMPLE if dataset == "sample" else raw_folder(root)
    files = [read_checked(folder / name, md5, REMEDY[dataset]) for name, md5 in MD5[dataset].items()]
    training, test = as_digits(*files[:2]), as_digits(*files[2:])
    kept = len(training.labels) - VALIDATION[dataset]
    return DigitSets(
        train=Digits(training.images[:kept], training.labels[:kept]),
        validation=Digits(training.images[kept:], training.labels[kept:]),
        test=test,
    )


def raw_folder(root: Path) -> Path:
    """The folder in which torchvision keeps the files of MNIST."""
    return root / "MNIST" / "raw"


@cache
def fetch(root: Path) -> str | None:
    """Make sure that the files of MNIST are under ``root``; download them if they are missing.

    The download is tried once per process. A failed download leaves no files behind.

    Returns:
        None if the files are present, else the reason why the download failed.
    """
    raw = raw_folder(root)
    if all((raw / name).exists() for name in MD5["mnist"]):
        return None
    from torchvision.datasets import MNIST  # imported here because it takes a second

    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)  # torchvision sets none and would wait forever for a silent mirror
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Downloaded to a temporary folder first, so that an interrupted download is not taken for the data set.
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


def read_checked(path: Path, md5: str, remedy: str) -> bytes:
    """The content of a file, unpacked if its name ends in .gz.

    Raises:
        UserError: when the file cannot be read or has another checksum; the message ends with the ``remedy``.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; {remedy}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}; delete it and {remedy}") from None
    actual = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if actual != md5:
        raise UserError(f"{path} must have the md5 {md5}, got {actual} ({len(content)} bytes); delete it and {remedy}")
    return content


def as_digits(images: bytes, labels: bytes) -> Digits:
    """Digits from the content of two IDX files. The headers (16 and 8 bytes) are skipped; checksums cover them."""
    pixels = torch.frombuffer(bytearray(images), dtype=torch.uint8, offset=16)
    classes = torch.frombuffer(bytearray(labels), dtype=torch.uint8, offset=8)
    return Digits(pixels.view(-1, 28, 28), classes.long())
