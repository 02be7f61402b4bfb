"""The arithmetic units, one file a family, and the catalogue of all of them by name."""

from nalu.units.catalogue import UNITS as UNITS
