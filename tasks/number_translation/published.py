"""Published figures on number words to numbers, quoted from memory and not checked against the paper."""

TRASK: dict[str, tuple[float, float, float]] = {
    "lstm": (0.003, 29.9, 29.4),
    "lstm-nac": (80.0, 114.1, 114.3),
    "lstm-nalu": (0.12, 0.39, 0.41),
}
"""Trask et al. 2018, section 4.3: mean absolute errors in training, validation and test, by model."""
