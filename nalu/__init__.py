"""Arithmetic units for neural networks, and ensembles of many seeds.

>>> from nalu import NALU, Ensemble
>>> head = NALU(64, 1)                                      # in place of nn.Linear(64, 1)
>>> models = Ensemble(lambda: NALU(64, 1), seeds=range(25))  # 25 seeds as one module
"""

from nalu import functional as functional
from nalu import init as init
from nalu import inspection as inspection
from nalu.ensemble import Ensemble as Ensemble
from nalu.nac import NAC as NAC
from nalu.nac import NACMul as NACMul
from nalu.nalu import NALU as NALU
from nalu.nau import NAU as NAU
from nalu.nau import NMU as NMU
from nalu.nau import clip_weights_ as clip_weights_
from nalu.nau import sparsity_penalty as sparsity_penalty
from nalu.recurrent import ArithmeticCell as ArithmeticCell
from nalu.recurrent import GRUCell as GRUCell
from nalu.recurrent import LSTMCell as LSTMCell
from nalu.recurrent import RNNCell as RNNCell

__version__ = "0.1.0"
