"""The real TensorBoard, asked over HTTP, shows every task."""

import json
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from tasks.harness.metrics import TRAINING_GROUPS, group, is_curve
from tasks.harness.registry import load_task, task_names
from tasks.harness.rundir.tensorboard import show_figures
from tasks.harness.training.run import run
from tests.helpers import in_vocabulary

ROUTES = "data/plugin"
SECONDS = 60


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run of every task."""
    root = tmp_path_factory.mktemp("runs")
    for name in task_names():
        task = load_task(name)
        finished = run(task, replace(task.smoke, steps=2, eval_every=1), root / name)
        if name == "identity":
            show_figures(root / "report" / name, task.figures([finished]))
    return root


@pytest.fixture(scope="module")
def ask(logs: Path) -> Iterator[Callable[..., Any]]:
    """A function that asks the server for JSON."""
    command = [
        sys.executable,
        "-m",
        "tensorboard.main",
        "--logdir",
        str(logs),
        "--host",
        "127.0.0.1",
        "--port",
        "0",
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=lambda: [lines.put(line) for line in server.stderr], daemon=True)
    reader.start()
    try:
        told = ""
        while not (address := re.search(r"http://127\.0\.0\.1:(\d+)/", told)):
            told += lines.get(timeout=SECONDS)
        port = int(address[1])

        def get(path: str, body: dict[str, Any] | None = None, **query: str) -> Any:
            connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
            url = f"/{ROUTES}/{path}?{urlencode(query)}"
            if body is None:
                connection.request("GET", url)
            else:
                connection.request("POST", url, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            connection.close()
            assert response.status == 200, (url, content)
            return json.loads(content) if "json" in response.headers["Content-Type"] else content

        deadline = time.monotonic() + SECONDS  # it reads the files in the background
        while not all("final/" in str(get("scalars/tags").get(name)) for name in task_names()):
            assert time.monotonic() < deadline, get("scalars/tags").keys()
            time.sleep(0.3)
        yield get
    finally:
        server.terminate()
        server.wait(timeout=SECONDS)
        reader.join(timeout=SECONDS)
        server.stderr.close()


def test_scalars_are_grouped_alike_in_all_tasks(ask: Callable[..., Any]) -> None:
    tags = ask("scalars/tags")
    for name in task_names():
        found = set(tags[name])
        for statistic in ("median", "p10", "p90", "seed_0"):
            assert f"interpolation/error/{statistic}" in found, name
        assert "speed/model_steps_per_second" in found
        assert "final/interpolation/error" in found
        assert not any(map(is_curve, found)), "a point of a curve has no chart over time"
        metrics = [tag for tag in found if not tag.startswith(("final/", "speed/"))]
        assert all(re.search(r"/(median|p10|p90|seed_\d+|fraction)$", tag) for tag in metrics), name
        of_training = [tag for tag in metrics if group(tag) in TRAINING_GROUPS]
        assert of_training, name
        assert all(in_vocabulary(tag.rpartition("/")[0]) for tag in of_training), name


def test_custom_scalars_show_interpolation_beside_extrapolation(ask: Callable[..., Any]) -> None:
    layout = ask("custom_scalars/layout")
    first = layout["category"][0]
    assert first["title"] == "1. interpolation beside extrapolation"
    assert not first.get("closed")
    titles = [chart["title"] for chart in first["chart"]]
    assert titles == ["interpolation/log10_error", "extrapolation/log10_error"]
    (series,) = first["chart"][0]["margin"]["series"]
    band = {"value": "median", "lower": "p10", "upper": "p90"}
    assert series == {end: f"interpolation/log10_error/{statistic}" for end, statistic in band.items()}
    titles = [category["title"] for category in layout["category"]]
    assert titles == [first["title"], "2. solved", "3. training", "4. of single tasks"]
    tags = {tag for of_run in ask("scalars/tags").values() for tag in of_run}
    for category in layout["category"]:
        for chart in category["chart"]:
            shown = (
                [tag for series in chart["margin"]["series"] for tag in series.values()]
                if "margin" in chart
                else chart["multiline"]["tag"]
            )
            assert set(shown) <= tags, chart["title"]


def test_hparams_compare_runs_by_options_and_final_results(ask: Callable[..., Any]) -> None:
    experiment = ask("hparams/experiment", body={"experimentName": ""})
    options = {info["name"] for info in experiment["hparamInfos"]}
    assert {"task", "seeds", "steps", "op", "cell", "learning_rate"} <= options
    metrics = {info["name"]["tag"] for info in experiment["metricInfos"]}
    assert {"final/interpolation/error", "final/extrapolation/error", "final/solved"} <= metrics


def test_images_weights_and_text(ask: Callable[..., Any]) -> None:
    images, histograms = (ask(f"{kind}/tags") for kind in ("images", "histograms"))
    for name in task_names():
        task = load_task(name)
        (card, *_) = ask("text/text", run=name, tag="run/task/text_summary")
        text = unescape(card["text"])
        assert task.title in text
        assert task.source in text
        assert all(f"<td>{option}</td>" in text for option in task.smoke.to_dict())
        assert {tag.split("/")[0] for tag in histograms.get(name, ())} <= {"weights", "gate"}, name
        assert "weights" in {tag.split("/")[0] for tag in images[name]}, name
    weights = [tag for tag in images["static_arithmetic"] if tag.startswith("weights/")]
    assert len(weights) == 2, "both layers of the first seed"
    (entry, *_) = ask("images/images", run="static_arithmetic", tag=weights[0], sample="0")
    picture = ask("images/individualImage", **dict(parse_qsl(entry["query"])))
    assert picture.startswith(b"\x89PNG")
    assert "figure-1" in images["report/identity/tensorboard"]
