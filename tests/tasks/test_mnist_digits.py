"""Digits: known facts of MNIST hold for the sample; splits, damaged files, downloads. No test uses a network."""

import gzip
import hashlib
import json
import re
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Callable
from http.client import BadStatusLine
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision.datasets.mnist import read_image_file, read_label_file

from tasks.harness.errors import UserError
from tasks.mnist_counting import digits
from tasks.mnist_counting.digits import MD5, Digits, load_digits, raw_folder, resolve
from tasks.mnist_counting.make_sample import Options, make_sample, write_idx

NOWHERE = Path("nowhere")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request.urlopen", raising(URLError("no network in tests")))


def raising(error: BaseException) -> Callable[..., None]:
    def function(*args: object, **options: object) -> None:
        raise error

    return function


def write_mnist(root: Path, contents: dict[str, bytes]) -> None:
    raw_folder(root).mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (raw_folder(root) / name).write_bytes(content)


@pytest.fixture
def small_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with 5010 training digits and 20 test digits. Image i has the label i % 10 and the first pixel i % 251."""
    number = np.arange(5030)
    images = np.zeros((5030, 28, 28), dtype=np.uint8)
    images[:, 0, 0] = number % 251
    labels = (number % 10).astype(np.uint8)
    contents = {}
    arrays = (images[:5010], labels[:5010], images[5010:], labels[5010:])
    for name, array in zip(MD5["mnist"], arrays, strict=True):
        packed = tmp_path / "packed.gz"
        write_idx(packed, array)
        contents[name] = gzip.decompress(packed.read_bytes())
        packed.unlink()
    write_mnist(tmp_path, contents)
    checksums = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setitem(MD5, "mnist", checksums)
    return tmp_path


@pytest.fixture
def copied_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sample that replaces it."""
    copy = tmp_path / "mnist-sample"
    shutil.copytree(digits.SAMPLE, copy)
    monkeypatch.setattr(digits, "SAMPLE", copy)
    return copy


def pairs(some: Digits) -> list[tuple[bytes, int]]:
    return [(image.numpy().tobytes(), int(label)) for image, label in zip(some.images, some.labels, strict=True)]


def test_the_sample_is_the_first_10_000_digits_of_mnist() -> None:
    """Known facts of MNIST's files: the label counts, the sum of all pixels, and no duplicates among these digits."""
    sets = load_digits("sample", NOWHERE)
    parts = (sets.train, sets.validation, sets.test)
    assert [len(part.images) for part in parts] == [len(part.labels) for part in parts] == [7000, 1000, 2000]
    images = torch.cat([part.images for part in parts])
    labels = torch.cat([part.labels for part in parts])
    assert (images.dtype, images.shape[1:], labels.dtype) == (torch.uint8, (28, 28), torch.int64)
    assert labels.bincount().tolist() == [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    assert images.long().sum() == 262_146_600
    assert (images.min(), images.max()) == (0, 255)
    assert len({pair for part in parts for pair in pairs(part)}) == 10_000


def test_labels_and_split_of_the_sample_are_mixed_and_right() -> None:
    """Nearest-class-mean classification has an accuracy of 82 % on MNIST's test digits."""
    sets = load_digits("sample", NOWHERE)
    means = torch.stack([sets.train.images[sets.train.labels == digit].float().mean(0) for digit in range(10)])
    for part in (sets.validation, sets.test):
        guesses = torch.cdist(part.images.flatten(1).float(), means.flatten(1)).argmin(1)
        assert (guesses == part.labels).double().mean() == pytest.approx(0.82, abs=0.03)
    for part in (sets.train, sets.validation, sets.test):
        assert (part.labels.bincount() / len(part.labels)).tolist() == pytest.approx([0.1] * 10, abs=0.03)


def test_the_last_5000_training_digits_of_mnist_are_held_out(small_mnist: Path) -> None:
    sets = load_digits("mnist", small_mnist)
    number = torch.arange(5030)
    for part, which in ((sets.train, number[:10]), (sets.validation, number[10:5010]), (sets.test, number[5010:])):
        assert torch.equal(part.labels, which % 10)
        assert torch.equal(part.images[:, 0, 0], (which % 251).byte())


FAULTS: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\1"),
    "altered": lambda path: flip(path, path.stat().st_size // 2),
    "wrong magic": lambda path: flip(path, 0),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", MD5["mnist"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_file_of_mnist(fault: str, name: str, small_mnist: Path) -> None:
    path = raw_folder(small_mnist) / name
    FAULTS[fault](path)
    with pytest.raises(UserError, match=f"^{re.escape(str(path))} .*or use --dataset sample$"):
        load_digits("mnist", small_mnist)


@pytest.mark.parametrize("name", MD5["sample"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_file_of_the_sample(fault: str, name: str, copied_sample: Path) -> None:
    FAULTS[fault](copied_sample / name)
    with pytest.raises(UserError, match=f"^{re.escape(str(copied_sample / name))} .*git checkout data/mnist-sample$"):
        load_digits("sample", NOWHERE)


def test_an_image_altered_in_a_whole_gzip_file(copied_sample: Path) -> None:
    """Only the checksum can reveal this."""
    name = "t10k-images-idx3-ubyte.gz"
    content = bytearray(gzip.decompress((copied_sample / name).read_bytes()))
    content[16] ^= 1
    (copied_sample / name).write_bytes(gzip.compress(content))
    actual = hashlib.md5(content).hexdigest()
    with pytest.raises(
        UserError, match=rf"{name} must have the md5 {MD5['sample'][name]}, got {actual} \(1568016 bytes"
    ):
        load_digits("sample", NOWHERE)


def test_the_sample_packed_by_another_program(copied_sample: Path) -> None:
    for name in MD5["sample"]:
        content = gzip.decompress((copied_sample / name).read_bytes())
        (copied_sample / name).write_bytes(gzip.compress(content, compresslevel=1))
    assert len(load_digits("sample", NOWHERE).test.labels) == 2000


@pytest.mark.parametrize(
    "error",
    [URLError("name or service not known"), TimeoutError("timed out"), ConnectionResetError(), BadStatusLine("portal")],
    ids=lambda error: type(error).__name__,
)
def test_without_a_network_auto_is_the_sample_and_says_so(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("urllib.request.urlopen", raising(error))
    assert [resolve("auto", tmp_path), resolve("auto", tmp_path)] == ["sample", "sample"]
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err == (
        f"MNIST is not in {tmp_path} and could not be downloaded: using the included sample of 10 000 digits "
        "(results are not comparable with those on all of MNIST)\n"
    )
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match=f"^--dataset mnist needs .* in {re.escape(str(raw_folder(tmp_path)))}, .*"):
        resolve("mnist", tmp_path)


def test_a_silent_mirror_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def urlopen(request: object) -> None:
        seen.append(socket.getdefaulttimeout())
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    with pytest.raises(UserError, match="could not be downloaded: timed out; put them there, or use --dataset sample"):
        resolve("mnist", tmp_path)
    assert set(seen) == {digits.TIMEOUT}
    assert socket.getdefaulttimeout() is None


def test_a_root_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert resolve("auto", tmp_path / "file" / "data") == "sample"


def downloader(contents: dict[str, bytes], error: Exception | None, calls: list[Path]) -> Callable[..., None]:
    """Replaces torchvision's download: writes these files, then raises ``error`` if it is given."""

    def download_mnist(root: str, download: bool) -> None:
        assert download
        calls.append(Path(root))
        write_mnist(Path(root), contents)
        if error is not None:
            raise error

    return download_mnist


class Mirror(BaseHTTPRequestHandler):
    """Answers every request alike; a subclass says how."""

    status = 200
    content = b""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""


class Forbidden(Mirror):
    status = 403


class CaptivePortal(Mirror):
    content = b"<html>please log in</html>"


class Damaged(Mirror):
    content = gzip.compress(b"not the digits")


@pytest.mark.parametrize("kind", [Forbidden, CaptivePortal, Damaged])
def test_a_mirror_that_does_not_have_the_files(
    kind: type[Mirror], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, no file is left, and a download by another way is then used."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        with pytest.raises(UserError) as raised:
            resolve("mnist", tmp_path)
    finally:
        server.shutdown()
        server.server_close()
    message = str(raised.value)
    assert "could not be downloaded: " in message
    assert message.endswith("; put them there, or use --dataset sample")
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []
    digits.fetch.cache_clear()
    digits.resolve.cache_clear()
    write_mnist(tmp_path, dict.fromkeys(MD5["mnist"], b"put there by hand"))
    assert resolve("mnist", tmp_path) == "mnist"


@pytest.mark.parametrize("dataset", ["auto", "mnist"])
def test_what_is_fetched_is_put_in_place(dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []
    contents = {name: name.encode() for name in MD5["mnist"]}
    extra = {"train-images-idx3-ubyte.gz": b"packed"}
    monkeypatch.setattr("torchvision.datasets.MNIST", downloader(contents | extra, None, calls))
    root = tmp_path / "new" / "data"
    assert [resolve(dataset, root), resolve(dataset, root)] == ["mnist", "mnist"]
    assert len(calls) == 1
    assert [path.name for path in root.iterdir()] == ["MNIST"]
    assert {path.name: path.read_bytes() for path in raw_folder(root).iterdir()} == contents


def test_a_download_that_is_cut_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []
    error = RuntimeError("File not found\nor corrupted.")
    contents = dict.fromkeys(MD5["mnist"], b"half")
    monkeypatch.setattr("torchvision.datasets.MNIST", downloader(contents, error, calls))
    assert resolve("auto", tmp_path) == "sample"
    with pytest.raises(UserError, match=r"could not be downloaded: File not found or corrupted\.; put them there"):
        resolve("mnist", tmp_path)
    assert len(calls) == 1
    assert list(tmp_path.iterdir()) == []
    write_mnist(tmp_path, contents)
    assert resolve("auto", tmp_path) == "sample", "the same during the whole process"


def test_mnist_in_place_is_taken_without_fetching_and_damage_is_not_hidden(
    small_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchvision.datasets.MNIST", raising(AssertionError("must not be fetched")))
    flip(raw_folder(small_mnist) / "t10k-labels-idx1-ubyte", 10)
    assert resolve("auto", small_mnist) == "mnist"
    with pytest.raises(UserError, match="t10k-labels-idx1-ubyte must have the md5"):
        load_digits("mnist", small_mnist)


def test_the_sample_needs_no_fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchvision.datasets.MNIST", raising(AssertionError("must not be fetched")))
    assert resolve("sample", tmp_path) == "sample"


def write_package(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Write a package like `mnist` with digit + 1 images of each digit; returns its images and labels."""
    labels = np.repeat(np.arange(10), np.arange(1, 11))
    images = np.random.RandomState(1).randint(0, 256, size=(len(labels), 28, 28))
    images[0].flat[:256] = np.arange(256)
    (folder / "src" / "digits").mkdir(parents=True)
    for digit in range(10):
        pixels = [round(int(pixel) / 255, 3) for pixel in images[labels == digit].flat]
        (folder / "src" / "digits" / f"{digit}.json").write_text(json.dumps({"data": pixels}))
    return images.astype(np.uint8), labels


def test_a_sample_of_a_small_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Torchvision reads back the same images; rounding to three decimals loses no byte."""
    images, labels = write_package(tmp_path / "package")
    make_sample(Options(tmp_path / "package", tmp_path / "out"))
    assert capsys.readouterr().out == f"44 digits to train and 11 to test in {tmp_path / 'out'}\n"
    pairs_read = []
    for part, size in (("train", 44), ("t10k", 11)):
        for name in (f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"):
            (tmp_path / name).write_bytes(gzip.decompress((tmp_path / "out" / f"{name}.gz").read_bytes()))
        read = Digits(
            read_image_file(str(tmp_path / f"{part}-images-idx3-ubyte")),
            read_label_file(str(tmp_path / f"{part}-labels-idx1-ubyte")),
        )
        assert len(read.labels) == size
        assert not torch.equal(read.labels, read.labels.sort().values), "the digits are mixed"
        pairs_read += pairs(read)
    assert Counter(pairs_read) == Counter(pairs(Digits(torch.from_numpy(images), torch.from_numpy(labels))))


def test_the_same_package_gives_the_same_bytes(tmp_path: Path) -> None:
    write_package(tmp_path / "package")
    for out in ("one", "two"):
        make_sample(Options(tmp_path / "package", tmp_path / out))
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(MD5["sample"])
    for name in names:
        packed = (tmp_path / "one" / name).read_bytes()
        assert packed == (tmp_path / "two" / name).read_bytes()
        assert packed[3:8] == bytes(5), "no file name, no time"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no readable 7.json in .*digits"),
        ("[1, 2]", "7.json must hold a JSON object"),
        ("{}", "7.json must hold .* 784 numbers for each image"),
        (json.dumps({"data": [0] * 783}), "7.json must hold .* 784 numbers for each image"),
        (json.dumps({"data": ["black"] * 784}), "7.json must hold .* 784 numbers for each image"),
        (json.dumps({"data": [0] * 783 + [255]}), "7.json must hold pixels from 0 to 1, got 0 to 255"),
    ],
)
def test_a_package_that_is_another(text: str | None, message: str, tmp_path: Path) -> None:
    write_package(tmp_path)
    path = tmp_path / "src" / "digits" / "7.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(UserError, match=message):
        make_sample(Options(tmp_path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
