"""Measurements, each run with one command; figures are for ratios and orders of magnitude, the machine is shared."""
