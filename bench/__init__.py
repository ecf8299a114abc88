"""Measurements: each prints its goal, its figure and how it was taken."""
