"""Layout as a rewrite of the whole graph: transpositions are written down, moved and cancelled.

`channels_last` gives the spatial operators the layout that TensorFlow's kernels want, with a
`Transpose` on either side; `settle` moves every `Transpose` towards the outputs through operators
whose contract says how (`contract.py`) until it meets its inverse. Each single step keeps the
graph's meaning, so their sum does.
"""

from converter.graph.layout.sink import count_transposes, settle
from converter.graph.layout.spatial import channels_last

__all__ = ["channels_last", "count_transposes", "settle"]
