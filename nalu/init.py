"""Initialisations of arithmetic units, by the name of their source.

======================  ===============================================================================================
``truncated_normal``    N(0, 0.02^2) cut at two standard deviations, as in the article that popularised the NALU
``madsen_johansen``     uniform, its width solved so that W = tanh(W_hat) sigmoid(M_hat) has the Glorot variance
                        (arXiv:2001.05016, reproduction of Trask et al.); the gate is Glorot uniform
``glorot_uniform``      Glorot uniform for every parameter (Heim et al. 2020, arXiv:2006.01681)
======================  ===============================================================================================
"""

from __future__ import annotations

import math
from functools import cache
from typing import Literal, get_args

import torch
from torch import Tensor, nn

SATURATED = 20.0
"""tanh(20) and sigmoid(20) differ from 1 by less than the resolution of float32."""
EXTINCT = 200.0
"""exp(-200) is 0 in float32."""

Init = Literal["truncated_normal", "madsen_johansen", "glorot_uniform"]


def nac_weights_(W_hat: Tensor, M_hat: Tensor, init: Init) -> None:
    """Initialise the two parameter matrices of a NAC, ``(out_features, in_features)``, in place."""
    _require(init)
    for parameter in (W_hat, M_hat):
        if init == "madsen_johansen":
            out_features, in_features = parameter.shape
            r = nac_uniform_bound(in_features, out_features)
            nn.init.uniform_(parameter, -r, r)
        else:
            _plain_(parameter, init)


def gate_(G: Tensor, init: Init) -> None:
    """Initialise the gate matrix of a NALU, ``(out_features, in_features)``, in place."""
    _require(init)
    _plain_(G, "glorot_uniform" if init == "madsen_johansen" else init)


def nau_(W: Tensor) -> None:
    """U(-r, r) with r = min(1/2, sqrt(6 / (in + out))) (Madsen & Johansen)."""
    r = min(0.5, math.sqrt(6 / sum(W.shape)))
    nn.init.uniform_(W, -r, r)


def nmu_(W: Tensor) -> None:
    """U(1/4, 3/4) (Madsen & Johansen; their moment analysis would ask for a variance of 1/4)."""
    nn.init.uniform_(W, 0.25, 0.75)


@torch.no_grad()
def saturate_nac_(W_hat: Tensor, M_hat: Tensor, target: Tensor, scale: float = 1.0) -> None:
    """Set the parameters so that tanh(scale W_hat) sigmoid(scale M_hat) is ``target`` (-1, 0 or 1) in float32."""
    W_hat.copy_(SATURATED / scale * target)
    M_hat.copy_(SATURATED / scale * target.abs())


@torch.no_grad()
def saturate_sigmoid_(logits: Tensor, target: Tensor) -> None:
    """Set the logits so that their sigmoid is ``target``, of entries 0 and 1, in float32; NaN stays NaN."""
    logits.copy_(EXTINCT * (2 * target - 1))


def nac_variance(r: float) -> float:
    """Var[tanh(w) sigmoid(m)] for independent w, m ~ U(-r, r), in closed form; increases with r towards 1/2."""
    return (1 - math.tanh(r) / r) * (r - math.tanh(r / 2)) / (2 * r)


@cache
def nac_uniform_bound(in_features: int, out_features: int) -> float:
    """The r for which W has the Glorot variance 2 / (in + out), by bisection on [0, 10].

    The sum in + out is raised to at least 5, because the variance of W stays below 1/2 whatever r is. For layers as
    small as 2 -> 1 that gives r = 9.47, where most weights start saturated.
    """
    target = 2 / max(in_features + out_features, 5)
    low, high = 1e-3, 10.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if nac_variance(middle) < target else (low, middle)
    return (low + high) / 2


def _plain_(parameter: Tensor, init: Init) -> None:
    if init == "truncated_normal":
        nn.init.trunc_normal_(parameter, std=0.02, a=-0.04, b=0.04)
    else:
        nn.init.xavier_uniform_(parameter)


def _require(init: str) -> None:
    if init not in get_args(Init):
        raise ValueError(f"init must be one of {', '.join(get_args(Init))}, got {init!r}")
