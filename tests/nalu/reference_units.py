"""Every unit a second time, in NumPy: its paper's equation for one example, with the parameters by their names.

``x`` is ``(in_features,)``, the result ``(out_features,)``. Dots in the names of parameters are underscores here.
"""

from collections.abc import Callable

import numpy as np

EPSILON = 1e-7
PHI = (1 + np.sqrt(5)) / 2

Array = np.ndarray


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def nac(x: Array, W_hat: Array, M_hat: Array) -> Array:
    """Trask et al., eq. 1."""
    return (np.tanh(W_hat) * sigmoid(M_hat)) @ x


def powers(x: Array, W: Array) -> Array:
    """The product of |x_i|^w_oi, which is Trask et al.'s exp(W log(|x| + eps)), eq. 2."""
    return np.prod((np.abs(x) + EPSILON) ** W, axis=1)


def nac_mul(x: Array, W_hat: Array, M_hat: Array) -> Array:
    return powers(x, np.tanh(W_hat) * sigmoid(M_hat))


def nalu(x: Array, W_hat: Array, M_hat: Array, G: Array) -> Array:
    """Trask et al., eq. 2."""
    g = sigmoid(G @ x)
    return g * nac(x, W_hat, M_hat) + (1 - g) * nac_mul(x, W_hat, M_hat)


def gnalu(x: Array, W_hat: Array, M_hat: Array, G: Array) -> Array:
    """Mistry et al., primer: phi in the place of e."""
    W = (PHI**W_hat - PHI**-W_hat) / (PHI**W_hat + PHI**-W_hat) / (1 + PHI**-M_hat)
    g = 1 / (1 + PHI ** -(G @ x))
    return g * (W @ x) + (1 - g) * powers(x, W)


def nau(x: Array, W_hat: Array) -> Array:
    """Madsen & Johansen, eq. 7."""
    return np.clip(W_hat, -1, 1) @ x


def nmu(x: Array, W_hat: Array) -> Array:
    """Madsen & Johansen, eq. 9."""
    W = np.clip(W_hat, 0, 1)
    return np.prod(W * x + 1 - W, axis=1)


def gated_nau_nmu(x: Array, nau_W_hat: Array, nmu_W_hat: Array, G: Array) -> Array:
    """Madsen & Johansen, appendix."""
    g = sigmoid(G @ x)
    return g * nau(x, nau_W_hat) + (1 - g) * nmu(x, nmu_W_hat)


def nac_mul_sigma(x: Array, W_hat: Array) -> Array:
    """Madsen & Johansen, appendix."""
    return powers(x, sigmoid(W_hat))


def nac_mul_nmu(x: Array, W_hat: Array) -> Array:
    """Madsen & Johansen, appendix."""
    return powers(x, np.clip(W_hat, 0, 1))


def softmax_nac(x: Array, W_plus: Array, W_minus: Array) -> Array:
    """Madsen & Johansen, appendix: the expectation of weights 1, -1 and 0 with logits W_plus, W_minus and 0."""
    return (np.exp(W_plus) - np.exp(W_minus)) / (np.exp(W_plus) + np.exp(W_minus) + 1) @ x


def gumbel_nac(x: Array, W_plus: Array, W_minus: Array, uniform: Array, step: int) -> Array:
    """Madsen & Johansen, appendix: noise on the logarithms of probabilities, and a temperature that falls to 1/2."""
    weights = np.exp([W_plus, W_minus, np.zeros_like(W_plus)])
    noisy = np.log(weights / weights.sum(axis=0)) - np.log(-np.log(uniform))
    shares = np.exp(noisy / max(0.5, np.exp(-1e-5 * step)))
    return (shares[0] - shares[1]) / shares.sum(axis=0) @ x


def inalu(x: Array, W_hat: Array, M_hat: Array, W_hat_mul: Array, M_hat_mul: Array, gate_bias: Array) -> Array:
    """Schlör et al.: separate weights, a bounded product with a sign, a gate that does not depend on x."""
    W_mul = np.tanh(W_hat_mul) * sigmoid(M_hat_mul)
    m = np.minimum(np.prod(np.maximum(np.abs(x), EPSILON) ** W_mul, axis=1), np.exp(20))
    s = np.prod(np.sign(x) * np.abs(W_mul) + 1 - np.abs(W_mul), axis=1)
    g = sigmoid(gate_bias)
    return g * nac(x, W_hat, M_hat) + (1 - g) * m * s


def npu(x: Array, W_re: Array, W_im: Array, g: Array) -> Array:
    """Heim et al.: the real part of a product of complex powers of r e^ik, which is x where the relevance g is 1."""
    g = np.clip(g, 0, 1)
    r = g * (np.abs(x) + np.finfo(np.float32).eps) + 1 - g
    k = np.pi * g * (x < 0)
    return np.prod(np.exp((np.log(r) + 1j * k) * (W_re + 1j * W_im)), axis=1).real


def realnpu(x: Array, W_re: Array, g: Array) -> Array:
    """Heim et al.: without imaginary exponents."""
    return npu(x, W_re, np.zeros_like(W_re), g)


def nmru(x: Array, W_hat: Array) -> Array:
    """Mistry et al., division: an NMU of [x, 1 / x], where 1 / 0 counts as 0, as in the first departure we state."""
    return nmu(np.concatenate([x, np.divide(1, x, out=np.zeros_like(x), where=x != 0)]), W_hat)


def snmu(x: Array, W_hat: Array, noise: Array) -> Array:
    """Mistry et al., stochasticity."""
    return nmu(x * noise, W_hat) / nmu(noise, W_hat)


def mcfc(x: Array, R: Array, gate_weight: Array, gate_bias: Array) -> Array:
    """Hoedt et al.: each input is distributed over the outputs, and the gate lets a part of it out."""
    shares = np.exp(R) / np.exp(R).sum(axis=0)
    return sigmoid(gate_weight + gate_bias) * (shares @ x)


def mul_mcfc(x: Array, mcfc_R: Array, mcfc_gate_weight: Array, mcfc_gate_bias: Array, bias: Array) -> Array:
    """Hoedt et al.: of the logarithms."""
    return np.exp(mcfc(np.log(np.abs(x) + EPSILON), mcfc_R, mcfc_gate_weight, mcfc_gate_bias) + bias)


REFERENCES: dict[str, Callable[..., Array]] = {
    "nac": nac,
    "nac-mul": nac_mul,
    "nalu": nalu,
    "nau": nau,
    "nmu": nmu,
    "inalu": inalu,
    "gnalu": gnalu,
    "npu": npu,
    "realnpu": realnpu,
    "nmru": nmru,
    "snmu": nmu,
    "gated-nau-nmu": gated_nau_nmu,
    "nac-mul-sigma": nac_mul_sigma,
    "nac-mul-nmu": nac_mul_nmu,
    "softmax-nac": softmax_nac,
    "gumbel-nac": softmax_nac,
    "mcfc": mcfc,
    "mul-mcfc": mul_mcfc,
}
"""By the name of the unit, in evaluation mode: those of :data:`nalu.units.UNITS`."""


def uniform(key: int, step: int, size: int) -> Array:
    """The numbers of :mod:`nalu.noise`, by the hash "lowbias32" in its own 32 bits."""
    return ((lowbias32(np.arange(size) + lowbias32(step + lowbias32(key))) >> 9) + 0.5) / 2**23


def lowbias32(x: Array | int) -> Array:
    x = np.atleast_1d(x).astype(np.uint32)
    x = (x ^ (x >> 16)) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * np.uint32(0x846CA68B)
    return (x ^ (x >> 16)).astype(np.int64)
