"""Arithmetic units for neural networks, and ensembles of many seeds.

>>> from nalu import NALU, Ensemble
>>> head = NALU(64, 1)                                      # in place of nn.Linear(64, 1)
>>> models = Ensemble(lambda: NALU(64, 1), seeds=range(25))  # 25 seeds as one module
"""

from nalu import functional, init, inspection
from nalu.recurrent import ArithmeticCell, GRUCell, LSTMCell, RNNCell
from nalu.regularization import after_step_, project_gradients_, regularizer, sparsity_penalty
from nalu.training.adam import Adam
from nalu.training.compiled import CompiledBackward, worth_compiling
from nalu.training.ensemble import Ensemble
from nalu.training.mean_split import MeanSplit
from nalu.training.restart import Restart
from nalu.training.steps import training_steps
from nalu.units.mcfc import MCFC, MulMCFC
from nalu.units.nac import NAC, GumbelNAC, NACMul, NACMulSigma, SoftmaxNAC
from nalu.units.nalu import GNALU, INALU, NALU
from nalu.units.nau_nmu import NAU, NMRU, NMU, SNMU, GatedNAUNMU, NACMulNMU
from nalu.units.npu import NPU, RealNPU

__version__ = "0.1.0"

__all__ = [
    "GNALU",
    "INALU",
    "MCFC",
    "NAC",
    "NALU",
    "NAU",
    "NMRU",
    "NMU",
    "NPU",
    "SNMU",
    "Adam",
    "ArithmeticCell",
    "CompiledBackward",
    "Ensemble",
    "GRUCell",
    "GatedNAUNMU",
    "GumbelNAC",
    "LSTMCell",
    "MeanSplit",
    "MulMCFC",
    "NACMul",
    "NACMulNMU",
    "NACMulSigma",
    "RNNCell",
    "RealNPU",
    "Restart",
    "SoftmaxNAC",
    "after_step_",
    "functional",
    "init",
    "inspection",
    "project_gradients_",
    "regularizer",
    "sparsity_penalty",
    "training_steps",
    "worth_compiling",
]
