"""A graph as the writer of Keras wants it: channels last, nothing to compute beforehand."""

from __future__ import annotations

import onnx_ir as ir


def prepared(model: ir.Model) -> ir.Model:
    """Return a copy of a graph that can be written."""
    from converter.graph.layout import channels_last, settle
    from converter.graph.loops import capture_invariants, count_loops
    from converter.graph.shapes import infer_shapes
    from converter.graph.structure.borders import turn_outside
    from converter.graph.structure.folding import fold_constants
    from converter.graph.structure.open_sizes import name_open_sizes
    from converter.graph.structure.recurrent import turn_between
    from converter.graph.structure.rules import recover
    from converter.rebuild.prepare import prepare
    from converter.rebuild.tensorflow import load_handlers

    copy = infer_shapes(fold_constants(infer_shapes(model.clone())))
    if recover(copy):
        copy = infer_shapes(copy)
    copy = prepare(copy, load_handlers())
    count_loops(capture_invariants(copy))
    copy = name_open_sizes(infer_shapes(fold_constants(copy)))
    copy = settle(channels_last(copy))
    turn_outside(copy)
    turn_between(copy)
    return infer_shapes(copy)
