"""Published figures on MNIST counting, addition, cumulative sums and products.

The figures of Trask et al. are quoted from memory and were not checked against the paper. The counts of Madsen &
Johansen were read off the figures in their paper.
"""

from tasks.mnist_counting.data import Target

TRASK: dict[Target, dict[str, tuple[str, ...]]] = {
    "counting": {
        "nac": ("99.23 %", "0.12", "0.76", "3.32"),
        "nalu": ("97.6 %", "0.17", "0.93", "4.18"),
        "lstm": ("98.29 %", "0.79", "18.2", "198.5"),
        "gru": ("99.02 %", "0.73", "18.0", "198.3"),
        "rnn-tanh": ("38.91 %", "1.49", "18.4", "198.7"),
        "rnn-relu": ("9.80 %", "0.66", "39.8", "1.4e10"),
    },
    "addition": {
        "nac": ("97.58 %", "1.42", "7.88", "57.3"),
        "nalu": ("77.7 %", "5.11", "–", "–"),
        "lstm": ("0 %", "14.8", "800.8", "8811.6"),
        "gru": ("0 %", "1.75", "771.4", "8775.2"),
        "rnn-tanh": ("0 %", "2.98", "20.4", "200.7"),
        "rnn-relu": ("88.18 %", "19.1", "182.1", "1171.0"),
    },
}
"""Trask et al. 2018, table of section 4.2: accuracy at length 1, then the error at lengths 10, 100 and 1000."""

MADSEN_JOHANSEN: dict[Target, dict[str, int]] = {
    "cumsum": {"nau": 8, "nac": 6, "nalu": 0, "lstm": 0},
    "product": {"nmu": 8, "nalu": 0, "lstm": 0},
}
"""Madsen & Johansen 2020 (arXiv:2001.05016), figures: how many of their seeds succeed at the longest series."""

MADSEN_JOHANSEN_SEEDS = 10
