"""Comparing units: the same seeds, steps and tuning for all, and paired differences."""
