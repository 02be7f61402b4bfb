"""The data of static arithmetic: sums of two subsets of 100 inputs, shared with the other arithmetic tasks."""

from tasks.arithmetic.subset_sums import SubsetSums as SubsetSums
