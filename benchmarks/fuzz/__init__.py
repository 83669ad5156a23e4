"""Random small models through `convert`, in both directions: nothing untyped, nothing wrong.

``python -m benchmarks.fuzz --cases 3000 --seed 1`` runs them and prints a table. A case is a
text: a few steps and layers, its inputs, and the options of one conversion. It comes
from the seed and its number alone, and is printed so that a person can run it.
"""
