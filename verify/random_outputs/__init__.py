"""Outputs that depend on random numbers: which they are, and a comparison in distribution."""
