"""ONNX export: what onnxruntime computes is what the unit computes, at 0, at tiny and at negative inputs."""

import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from nalu import NMRU, NACMul
from nalu.units import UNITS

X = torch.tensor([[0.0, 1.0], [1e-7, 1.0], [-3e-9, 2.0], [1e-20, 1e20], [0.0, 0.0], [-2.0, 3.0], [1e12, -1e-12]])


def exported(model: nn.Module, path: Path, *, dynamo: bool) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters' own deprecations
        torch.onnx.export(model, (X,), path, dynamo=dynamo, verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {session.get_inputs()[0].name: X.numpy()})
    return y


@pytest.mark.parametrize("dynamo", [True, False])
@pytest.mark.parametrize("name", UNITS)
def test_every_unit(name: str, dynamo: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    unit = UNITS[name].build(2, 1).eval()
    expected = unit(X).detach().numpy()
    np.testing.assert_allclose(exported(unit, tmp_path / "unit.onnx", dynamo=dynamo), expected, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("eps", [1e-6, 1e-8, 1e-10, 1e-12])
def test_constants_that_the_exporter_takes_for_zero(eps: float, tmp_path: Path) -> None:
    for number, unit in enumerate((NACMul(2, 1, eps=eps), NMRU(2, 1, eps=eps))):
        expected = unit.eval()(X).detach().numpy()
        actual = exported(unit, tmp_path / f"{number}.onnx", dynamo=True)
        np.testing.assert_allclose(actual, expected, rtol=2e-4, atol=1e-6)
