"""The papers' equations as pure functions.

Shapes, throughout: ``x`` is ``(..., in_features)`` with any leading batch dimensions, a weight matrix is
``(out_features, in_features)``, the result is ``(..., out_features)``. Nothing here holds state.

Sources
-------
Trask et al. 2018, "Neural Arithmetic Logic Units", arXiv:1808.00508 (NAC, NALU).
Madsen & Johansen 2020, "Neural Arithmetic Units", arXiv:2001.05016 (NAU, NMU, the sparsity regulariser, weights as
expectations).
Schlör, Ring & Hotho 2020, "iNALU: Improved Neural Arithmetic Logic Unit", Frontiers in AI 3:71 (iNALU).
Heim, Pevný & Šmídl 2020, "Neural Power Units", arXiv:2006.01681 (NPU, RealNPU).
Mistry, Farrahi & Hare 2022, "A Primer for Neural Arithmetic Logic Modules", arXiv:2101.09530 (G-NALU).
Mistry, Farrahi & Hare 2022, "Exploring the Learning Mechanisms of Neural Division Modules", arXiv:2110.05177 (NMRU).
Mistry, Farrahi & Hare 2022, "Improving the Robustness of Neural Multiplication Units with Reversible Stochasticity",
arXiv:2211.05624 (sNMU).
Hoedt et al. 2021, "MC-LSTM: Mass-Conserving LSTM", arXiv:2101.05186 (MC-FC).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

Function = TypeVar("Function", bound=Callable[..., Tensor])

EPSILON = 1e-7
"""The default of the small constant inside the logarithm, log(|x| + eps)."""
LOG_GOLDEN_RATIO = math.log((1 + math.sqrt(5)) / 2)
LARGEST_EXPONENT = 20.0
"""Where the iNALU cuts the logarithm of its product."""
LARGEST_SWALLOWED = 1e-8
"""Added constants up to this one are taken for 0 by the optimiser of ONNX graphs."""
HALF = (torch.float16, torch.bfloat16)


def in_full_precision(function: Function) -> Function:
    """Let a function of tensors compute in float32 where its first argument is float16 or bfloat16, or under autocast.

    The result has the dtype of the first argument. Logarithms, powers and products over many inputs leave the range of
    half precision, or its resolution, long before their result does.
    """

    @wraps(function)
    def wrapped(x: Tensor, *arguments: Any, **options: Any) -> Tensor:
        if x.dtype not in HALF and not torch.is_autocast_enabled(x.device.type):
            return function(x, *arguments, **options)
        with torch.autocast(x.device.type, enabled=False):
            full = [_full(argument) for argument in (x, *arguments)]
            return function(*full, **{name: _full(value) for name, value in options.items()}).to(x.dtype)

    return wrapped  # type: ignore[return-value]


def _full(argument: Any) -> Any:
    if not isinstance(argument, Tensor) or argument.dtype not in HALF:
        return argument
    full: Tensor = _ToFloat32.apply(argument)
    return full


class _ToFloat32(torch.autograd.Function):
    """``x.float()``, with a gradient that saturates where half precision would make it infinite.

    That of 1 / x for small x does so whatever the loss is scaled by, and a GradScaler would skip every step.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.float()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.dtype = inputs[0].dtype

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        limits = torch.finfo(ctx.dtype)
        return gradient.clamp(limits.min, limits.max).to(ctx.dtype)


def plus(x: Tensor, constant: float) -> Tensor:
    """``x + constant`` for ``x`` not below 0, also in an exported graph.

    The optimiser of ONNX graphs takes added constants of at most 1e-8 for 0. While a graph is exported, the constant is
    therefore written as a factor; above ``2^60 constant`` the sum is ``x`` in every precision.
    """
    if constant > LARGEST_SWALLOWED or not _is_exporting():
        return x + constant
    scaled = torch.clamp(x / constant, max=2.0**60)
    return torch.where(x < 2.0**60 * constant, constant * (scaled + 1), x)


def _is_exporting() -> bool:
    # The newer exporters are recognised by the first question, since torch 2.7, the older one by the second.
    return getattr(torch.compiler, "is_exporting", torch.onnx.is_in_onnx_export)() or torch.onnx.is_in_onnx_export()


def gated(gate: Tensor, value: Tensor) -> Tensor:
    """``gate * value``, and 0 where the gate is exactly 0, even if the value has overflowed; gradients as well."""
    return gate * torch.where(gate > 0, value, 0.0)


def linear(x: Tensor, W: Tensor) -> Tensor:
    """``y = W x``, as ``torch.nn.functional.linear`` without bias.

    Evaluated as (W x^T)^T: under ``vmap`` over weights that is several times faster for the narrow layers of
    arithmetic networks, forward and backward, than the x W^T of torch.
    """
    if x.ndim == 1:
        return W @ x
    return (W @ x.transpose(-2, -1)).transpose(-2, -1).contiguous()


def affine(x: Tensor, W: Tensor, bias: Tensor) -> Tensor:
    """``y = W x + bias``, as ``torch.nn.functional.linear``.

    Stacked weights ``(S, out, in)`` and biases ``(S, out)`` go with ``x (S, B, in)``. The result, and what is made of
    it elementwise, lies in memory as its transpose does, which saves the next product a copy.
    """
    if x.ndim == 1:
        return W @ x + bias
    return (W @ x.transpose(-2, -1)).transpose(-2, -1) + bias.unsqueeze(-2)


def product(z: Tensor) -> Tensor:
    """Product over the last dimension, ``(..., n) -> (...)``.

    A tree of pairwise products: unlike the gradient of ``torch.prod`` it never divides by a factor, so that gradients
    are exact where factors are zero or tiny.
    """
    while (n := z.shape[-1]) > 1:
        paired = z[..., : n // 2] * z[..., n // 2 : n // 2 * 2]
        z = torch.cat([paired, z[..., -1:]], dim=-1) if n % 2 else paired
    return z.squeeze(-1)


@in_full_precision
def log_abs(x: Tensor, eps: float = EPSILON) -> Tensor:
    """``log(|x| + eps)``, finite everywhere, with gradient 0 at x = 0 (Trask et al., eq. 2)."""
    z = plus(x.abs(), eps)
    # Data needs no gradient, and then the large temporary of the first layer is reused.
    return z.log() if z.requires_grad else z.log_()


def nac_weight(W_hat: Tensor, M_hat: Tensor) -> Tensor:
    """``W = tanh(W_hat) * sigmoid(M_hat)``, elementwise, in (-1, 1) (Trask et al., eq. 1)."""
    return torch.tanh(W_hat) * torch.sigmoid(M_hat)


def nac(x: Tensor, W: Tensor) -> Tensor:
    """Neural accumulator, ``a = W x``: sums and differences of the inputs (Trask et al., eq. 1)."""
    return linear(x, W)


@in_full_precision
def nac_mul(x: Tensor, W: Tensor, eps: float = EPSILON) -> Tensor:
    """The multiplicative path, ``m = exp(W log(|x| + eps))`` (Trask et al., eq. 2).

    Products and quotients of the inputs' absolute values: the sign is lost. Overflows to inf where the product itself
    exceeds the range of the dtype.
    """
    return torch.exp(linear(log_abs(x, eps), W))


@in_full_precision
def nalu(x: Tensor, W: Tensor, gate_logits: Tensor, W_mul: Tensor | None = None, eps: float = EPSILON) -> Tensor:
    """``y = g * a + (1 - g) * m``, the gated sum of both paths (Trask et al., eq. 2).

    Args:
        gate_logits: what ``g = sigmoid`` is taken of; G x in the paper. Broadcasts to ``(..., out_features)``.
        W_mul: weights of the multiplicative path; ``None`` ties them to ``W``, as in the paper.

    The second term is evaluated as exp(log(1 - g) + log m), which is the same number, but 0 rather than 0 * inf where
    the gate is shut on an overflowing product.
    """
    if x.ndim == 1:
        return nalu(x.unsqueeze(0), W, gate_logits, W_mul, eps).squeeze(0)
    # Transposed, as the products have made them: compiled, long rows are worth more than rows of out_features.
    a = nac(x, W).transpose(-2, -1)
    log_m = linear(log_abs(x, eps), W if W_mul is None else W_mul).transpose(-2, -1)
    z = gate_logits.transpose(-2, -1) if gate_logits.ndim > 1 else gate_logits.unsqueeze(-1)
    return (gated(torch.sigmoid(z), a) + torch.exp(F.logsigmoid(-z) + log_m)).transpose(-2, -1).contiguous()


def clip(W: Tensor, low: float, high: float) -> Tensor:
    """``min(max(W, low), high)``, elementwise, with gradient 1 on both bounds too.

    That is where projected weights lie. torch.clamp has gradient 0 there in newer versions, which would hold them for
    ever, and 1 in those of the papers.
    """
    return torch.where(W.ge(low) & W.le(high), W, W.detach().clamp(low, high))


def project_gradient_(W: Tensor, low: float, high: float) -> None:
    """Zero the gradient of a parameter, in place, where a step against it would leave [low, high]."""
    if W.grad is not None:
        W.grad.masked_fill_((W.le(low) & W.grad.gt(0)) | (W.ge(high) & W.grad.lt(0)), 0.0)


def nau(x: Tensor, W: Tensor) -> Tensor:
    """Neural addition unit, ``y = clip(W, -1, 1) x`` (Madsen & Johansen, eq. 7)."""
    return linear(x, clip(W, -1, 1))


@in_full_precision
def nmu(x: Tensor, W: Tensor) -> Tensor:
    """Neural multiplication unit, ``y_o = prod_i (w_oi x_i + 1 - w_oi)`` (Madsen & Johansen, eq. 9).

    W is clipped to [0, 1]. Needs memory for ``(..., out_features, in_features)``.
    """
    w = clip(W, 0, 1)
    return product(w * x.unsqueeze(-2) + (1 - w)).contiguous()


def golden_nac_weight(W_hat: Tensor, M_hat: Tensor) -> Tensor:
    """The weights of the G-NALU: :func:`nac_weight` with the golden ratio phi in the place of e.

    tanh(w) = (phi^2w - 1) / (phi^2w + 1) and sigmoid(m) = 1 / (1 + phi^-m), which are the usual functions of w ln(phi)
    and m ln(phi) (Mistry et al., primer).
    """
    return nac_weight(LOG_GOLDEN_RATIO * W_hat, LOG_GOLDEN_RATIO * M_hat)


def softmax_weight(W_plus: Tensor, W_minus: Tensor) -> Tensor:
    """``W = softmax([w+, w-, 0]) . (1, -1, 0)``, elementwise: the expectation of a weight that is 1, -1 or 0.

    (Madsen & Johansen, appendix.)
    """
    plus, minus, _ = torch.softmax(torch.stack([W_plus, W_minus, torch.zeros_like(W_plus)]), dim=0).unbind()
    return plus - minus


@in_full_precision
def gumbel_softmax_weight(W_plus: Tensor, W_minus: Tensor, uniform: Tensor, temperature: Tensor) -> Tensor:
    """A soft draw of a weight that is 1, -1 or 0: :func:`softmax_weight` of (logits + Gumbel noise) / temperature.

    (Madsen & Johansen, appendix, after Jang et al. 2017.)

    Args:
        uniform: from U(0, 1), ends excluded, ``(3, out_features, in_features)``; the noise is -log(-log(uniform)).
    """
    logits = torch.stack([W_plus, W_minus, torch.zeros_like(W_plus)])
    plus, minus, _ = torch.softmax((logits - torch.log(-torch.log(uniform))) / temperature, dim=0).unbind()
    return plus - minus


@in_full_precision
def inalu(x: Tensor, W: Tensor, W_mul: Tensor, gate_logits: Tensor, eps: float = EPSILON) -> Tensor:
    """``y = g * a + (1 - g) * m * s``, a NALU whose product has a sign and a bound (Schlör et al. 2020).

    a = W x; m = exp(min(W_mul log(max(|x|, eps)), 20)); s_o = prod_i (sign(x_i) |w_oi| + 1 - |w_oi|), w from W_mul.
    Needs memory for ``(..., out_features, in_features)``.

    Args:
        gate_logits: what ``g = sigmoid`` is taken of, ``(out_features,)``: it does not depend on the input.
    """
    log_m = linear(x.abs().clamp(min=eps).log(), W_mul).clamp(max=LARGEST_EXPONENT)
    magnitude = W_mul.abs()
    sign = product(magnitude * x.sign().unsqueeze(-2) + (1 - magnitude))
    gate = torch.sigmoid(gate_logits)
    return gated(gate, linear(x, W)) + (1 - gate) * log_m.exp() * sign


@in_full_precision
def npu(x: Tensor, W_re: Tensor, W_im: Tensor | None, relevance: Tensor, eps: float) -> Tensor:
    """Neural power unit: the real part of prod_i x_i^w_oi with complex w (Heim et al. 2020).

    y = exp(W_re log r - W_im k) * cos(W_im log r + W_re k), where r = g (|x| + eps) + 1 - g, k = pi g for x < 0 and 0
    else, and the relevance g in [0, 1] turns an input that does not matter into a factor 1.

    Args:
        W_im: ``None`` for the RealNPU, exp(W_re log r) * cos(W_re k).
        relevance: ``(in_features,)``, clipped to [0, 1].
    """
    g = clip(relevance, 0, 1)
    log_r = (g * plus(x.abs(), eps) + (1 - g)).log()
    k = math.pi * g * (x < 0)
    exponent, angle = linear(log_r, W_re), linear(k, W_re)
    if W_im is not None:
        exponent, angle = exponent - linear(k, W_im), angle + linear(log_r, W_im)
    return exponent.exp() * angle.cos()


def reciprocal(x: Tensor, eps: float = EPSILON) -> Tensor:
    """``x / (x^2 + eps^2)``: 1 / x up to a relative error of (eps / x)^2; odd, and 0 with a finite gradient at 0."""
    return x / plus(x.square(), eps * eps)


@in_full_precision
def nmru(x: Tensor, W: Tensor, eps: float = EPSILON) -> Tensor:
    """Neural multiplicative reciprocal unit: an NMU of ``[x, 1 / x]`` (Mistry et al., division).

    W is ``(out_features, 2 * in_features)``, the exponents 1 first, then the exponents -1. The paper's 1 / (x + eps) in
    training and 1 / x in tests are one function here, :func:`reciprocal`.
    """
    return nmu(torch.cat([x, reciprocal(x, eps)], dim=-1), W)


@in_full_precision
def snmu(x: Tensor, W: Tensor, noise: Tensor) -> Tensor:
    """Stochastic NMU: ``nmu(x * noise, W) / nmu(noise, W)``, which is the NMU where weights are 0 or 1.

    Between 0 and 1 the noise moves the loss, so that training does not settle there (Mistry et al., stochasticity).

    Args:
        noise: of the shape of ``x``, above 0; drawn from U(1, 5) in the paper.

    Divided factor by factor, since either product alone overflows with a hundred inputs.
    """
    w, noise = clip(W, 0, 1), noise.unsqueeze(-2)
    return product((w * (x.unsqueeze(-2) * noise) + (1 - w)) / (w * noise + (1 - w))).contiguous()


def mcfc(x: Tensor, R: Tensor, out_gate: Tensor) -> Tensor:
    """Mass-conserving layer: ``y_o = sigmoid(out_gate_o) sum_i softmax_o(R)_oi x_i`` (Hoedt et al. 2021).

    Every input is distributed over the outputs, nothing is lost on the way; the gate decides what leaves.

    Args:
        R: logits of the distribution, ``(out_features, in_features)``.
        out_gate: logits, ``(out_features,)``.
    """
    return torch.sigmoid(out_gate) * linear(x, torch.softmax(R, dim=-2))


@in_full_precision
def mul_mcfc(x: Tensor, R: Tensor, out_gate: Tensor, bias: Tensor) -> Tensor:
    """``y = exp(mcfc(log(|x| + eps)) + bias)``: products of absolute values (Hoedt et al. 2021).

    Args:
        R, out_gate: of :func:`mcfc`.
        bias: ``(out_features,)``.
    """
    return torch.exp(mcfc(log_abs(x), R, out_gate) + bias)


@in_full_precision
def gated_nau_nmu(x: Tensor, W: Tensor, W_mul: Tensor, gate_logits: Tensor) -> Tensor:
    """``y = g * nau(x, W) + (1 - g) * nmu(x, W_mul)``, ``g = sigmoid(gate_logits)`` (Madsen & Johansen, appendix).

    1 - g is a sigmoid of its own: subtracted, it has no correct digits where the gate is nearly open. A path whose gate
    is shut contributes 0, even if its product overflows; the factors of such a product are replaced by 1, since they
    would make its gradient NaN.
    """
    multiplies = torch.sigmoid(-gate_logits)
    w = clip(W_mul, 0, 1)
    factors = w * x.unsqueeze(-2) + (1 - w)
    m = product(torch.where(multiplies.unsqueeze(-1) > 0, factors, 1.0))
    return gated(torch.sigmoid(gate_logits), nau(x, W)) + multiplies * m


def sparsity(W: Tensor) -> Tensor:
    """Distance of weights to the nearest of {-1, 0, 1}: ``min(|w|, |1 - |w||)``, elementwise.

    Its mean is the sparsity regulariser R (Madsen & Johansen, eq. 8 and 10), its maximum their sparsity error.
    """
    magnitude = W.abs()
    return torch.minimum(magnitude, (1 - magnitude).abs())
