"""Arithmetic units for neural networks, and ensembles of many seeds.

>>> from nalu import NALU, Ensemble
>>> head = NALU(64, 1)                                      # in place of nn.Linear(64, 1)
>>> models = Ensemble(lambda: NALU(64, 1), seeds=range(25))  # 25 seeds as one module
"""

from nalu import functional as functional
from nalu import init as init
from nalu import inspection as inspection
from nalu.recurrent import ArithmeticCell as ArithmeticCell
from nalu.recurrent import GRUCell as GRUCell
from nalu.recurrent import LSTMCell as LSTMCell
from nalu.recurrent import RNNCell as RNNCell
from nalu.regularization import after_step_ as after_step_
from nalu.regularization import project_gradients_ as project_gradients_
from nalu.regularization import regularizer as regularizer
from nalu.regularization import sparsity_penalty as sparsity_penalty
from nalu.training.adam import Adam as Adam
from nalu.training.compiled import CompiledBackward as CompiledBackward
from nalu.training.compiled import worth_compiling as worth_compiling
from nalu.training.ensemble import Ensemble as Ensemble
from nalu.training.mean_split import MeanSplit as MeanSplit
from nalu.training.restart import Restart as Restart
from nalu.units.mcfc import MCFC as MCFC
from nalu.units.mcfc import MulMCFC as MulMCFC
from nalu.units.nac import NAC as NAC
from nalu.units.nac import GumbelNAC as GumbelNAC
from nalu.units.nac import NACMul as NACMul
from nalu.units.nac import NACMulSigma as NACMulSigma
from nalu.units.nac import SoftmaxNAC as SoftmaxNAC
from nalu.units.nalu import GNALU as GNALU
from nalu.units.nalu import INALU as INALU
from nalu.units.nalu import NALU as NALU
from nalu.units.nau_nmu import NAU as NAU
from nalu.units.nau_nmu import NMRU as NMRU
from nalu.units.nau_nmu import NMU as NMU
from nalu.units.nau_nmu import SNMU as SNMU
from nalu.units.nau_nmu import GatedNAUNMU as GatedNAUNMU
from nalu.units.nau_nmu import NACMulNMU as NACMulNMU
from nalu.units.npu import NPU as NPU
from nalu.units.npu import RealNPU as RealNPU

__version__ = "0.1.0"
