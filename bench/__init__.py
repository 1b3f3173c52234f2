"""Measurements, as ratios of figures taken in one run on one machine."""
