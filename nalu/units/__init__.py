"""The arithmetic units, one file a family, and the catalogue of all of them by name."""

from nalu.units.catalogue import UNITS as UNITS
from nalu.units.catalogue import BinaryOperation as BinaryOperation
from nalu.units.catalogue import Unit as Unit
from nalu.units.catalogue import constructor as constructor
from nalu.units.catalogue import find_unit as find_unit
from nalu.units.catalogue import two_layers as two_layers
