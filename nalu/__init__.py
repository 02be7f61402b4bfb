"""Arithmetic units for neural networks, and ensembles of many seeds.

>>> from nalu import NALU, Ensemble
>>> head = NALU(64, 1)                                      # in place of nn.Linear(64, 1)
>>> models = Ensemble(lambda: NALU(64, 1), seeds=range(25))  # 25 seeds as one module
"""

from nalu import functional as functional
from nalu import init as init
from nalu import inspection as inspection
from nalu.adam import Adam as Adam
from nalu.ensemble import Ensemble as Ensemble
from nalu.gradient import Gradient as Gradient
from nalu.gradient import compiles as compiles
from nalu.inalu import INALU as INALU
from nalu.mcfc import MCFC as MCFC
from nalu.mcfc import MulMCFC as MulMCFC
from nalu.nac import NAC as NAC
from nalu.nac import NACMul as NACMul
from nalu.nac_family import GumbelNAC as GumbelNAC
from nalu.nac_family import NACMulSigma as NACMulSigma
from nalu.nac_family import SoftmaxNAC as SoftmaxNAC
from nalu.nalu import GNALU as GNALU
from nalu.nalu import NALU as NALU
from nalu.nau import NAU as NAU
from nalu.nau import NMU as NMU
from nalu.nmu_family import NMRU as NMRU
from nalu.nmu_family import SNMU as SNMU
from nalu.nmu_family import GatedNAUNMU as GatedNAUNMU
from nalu.nmu_family import NACMulNMU as NACMulNMU
from nalu.npu import NPU as NPU
from nalu.npu import RealNPU as RealNPU
from nalu.preconditioning import MeanSplit as MeanSplit
from nalu.recurrent import ArithmeticCell as ArithmeticCell
from nalu.recurrent import GRUCell as GRUCell
from nalu.recurrent import LSTMCell as LSTMCell
from nalu.recurrent import RNNCell as RNNCell
from nalu.regularization import clip_weights_ as clip_weights_
from nalu.regularization import project_gradients_ as project_gradients_
from nalu.regularization import regularizer as regularizer
from nalu.regularization import sparsity_penalty as sparsity_penalty
from nalu.restart import Restart as Restart

__version__ = "0.1.0"
