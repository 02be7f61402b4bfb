"""The papers' equations as pure functions.

Shapes, throughout: ``x`` is ``(..., in_features)`` with any leading batch dimensions, a weight matrix is
``(out_features, in_features)``, the result is ``(..., out_features)``. Nothing here holds state.

Sources
-------
Trask et al. 2018, "Neural Arithmetic Logic Units", arXiv:1808.00508 (NAC, NALU).
Madsen & Johansen 2020, "Neural Arithmetic Units", arXiv:2001.05016 (NAU, NMU, the sparsity regulariser).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-7
"""The default of the small constant inside the logarithm, log(|x| + eps)."""


def linear(x: Tensor, W: Tensor) -> Tensor:
    """``y = W x``, as ``torch.nn.functional.linear`` without bias.

    Evaluated as (W x^T)^T: under ``vmap`` over weights that is several times faster for the narrow layers of
    arithmetic networks, forward and backward, than the x W^T of torch.
    """
    if x.ndim == 1:
        return W @ x
    return (W @ x.mT).mT.contiguous()


def product(z: Tensor) -> Tensor:
    """Product over the last dimension, ``(..., n) -> (...)``.

    A tree of pairwise products: unlike the gradient of ``torch.prod`` it never divides by a factor, so that gradients
    are exact where factors are zero or tiny.
    """
    while (n := z.shape[-1]) > 1:
        paired = z[..., : n // 2] * z[..., n // 2 : n // 2 * 2]
        z = torch.cat([paired, z[..., -1:]], dim=-1) if n % 2 else paired
    return z.squeeze(-1)


def log_abs(x: Tensor, eps: float = EPSILON) -> Tensor:
    """``log(|x| + eps)``, finite everywhere, with gradient 0 at x = 0 (Trask et al., eq. 2)."""
    z = x.abs().add_(eps)
    # Data needs no gradient, and then the large temporary of the first layer is reused.
    return z.log() if z.requires_grad else z.log_()


def nac_weight(W_hat: Tensor, M_hat: Tensor) -> Tensor:
    """``W = tanh(W_hat) * sigmoid(M_hat)``, elementwise, in (-1, 1) (Trask et al., eq. 1)."""
    return torch.tanh(W_hat) * torch.sigmoid(M_hat)


def nac(x: Tensor, W: Tensor) -> Tensor:
    """Neural accumulator, ``a = W x``: sums and differences of the inputs (Trask et al., eq. 1)."""
    return linear(x, W)


def nac_mul(x: Tensor, W: Tensor, eps: float = EPSILON) -> Tensor:
    """The multiplicative path, ``m = exp(W log(|x| + eps))`` (Trask et al., eq. 2).

    Products and quotients of the inputs' absolute values: the sign is lost. Overflows to inf where the product itself
    exceeds the range of the dtype.
    """
    return torch.exp(linear(log_abs(x, eps), W))


def nalu(x: Tensor, W: Tensor, gate_logits: Tensor, W_mul: Tensor | None = None, eps: float = EPSILON) -> Tensor:
    """``y = g * a + (1 - g) * m``, the gated sum of both paths (Trask et al., eq. 2).

    Args:
        gate_logits: what ``g = sigmoid`` is taken of; G x in the paper. Broadcasts to ``(..., out_features)``.
        W_mul: weights of the multiplicative path; ``None`` ties them to ``W``, as in the paper.

    The second term is evaluated as exp(log(1 - g) + log m), which is the same number, but 0 rather than 0 * inf where
    the gate is shut on an overflowing product.
    """
    a = nac(x, W)
    log_m = linear(log_abs(x, eps), W if W_mul is None else W_mul)
    return torch.sigmoid(gate_logits) * a + torch.exp(F.logsigmoid(-gate_logits) + log_m)


def nau(x: Tensor, W: Tensor) -> Tensor:
    """Neural addition unit, ``y = clip(W, -1, 1) x`` (Madsen & Johansen, eq. 7)."""
    return linear(x, W.clamp(-1, 1))


def nmu(x: Tensor, W: Tensor) -> Tensor:
    """Neural multiplication unit, ``y_o = prod_i (w_oi x_i + 1 - w_oi)`` (Madsen & Johansen, eq. 9).

    W is clipped to [0, 1]. Needs memory for ``(..., out_features, in_features)``.
    """
    w = W.clamp(0, 1)
    return product(w * x.unsqueeze(-2) + (1 - w))


def sparsity(W: Tensor) -> Tensor:
    """Distance of weights to the nearest of {-1, 0, 1}: ``min(|w|, |1 - |w||)``, elementwise.

    Its mean is the sparsity regulariser R (Madsen & Johansen, eq. 8 and 10), its maximum their sparsity error.
    """
    magnitude = W.abs()
    return torch.minimum(magnitude, (1 - magnitude).abs())
