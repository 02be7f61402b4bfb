"""What a trained network computes, as a formula."""

from nalu.formula.layers import HasFormula as HasFormula
from nalu.formula.network import formula as formula
from nalu.formula.network import formulas as formulas
from nalu.formula.network import network_weights as network_weights
