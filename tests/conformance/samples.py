"""One operator with inputs and attributes, as a model of a single node."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnx.defs
from onnx import helper, numpy_helper


@dataclass(frozen=True)
class Sample:
    """An operator's inputs (``None``: left out) and attributes.

    Attributes:
        wrt: positions of the inputs to differentiate by.
        version: the opset of the operator's domain, ``None`` for the newest.
        outputs: how many outputs the node names.
        single: its function body computes in float32 whatever the input is, so finite differences
            are coarse.
    """

    op: str
    inputs: tuple[np.ndarray | None, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    domain: str = ""
    version: int | None = None
    outputs: int = 1
    wrt: tuple[int, ...] = (0,)
    single: bool = False

    def names(self) -> list[str]:
        return ["" if x is None else f"in{i}" for i, x in enumerate(self.inputs)]

    def arrays(self) -> list[np.ndarray]:
        return [x for x in self.inputs if x is not None]


def newest_opset(domain: str = "") -> int:
    """Return the newest released opset that onnx defines for a domain."""
    return (
        onnx.defs.onnx_opset_version()
        if not domain
        else max(
            schema.since_version
            for schema in onnx.defs.get_all_schemas()
            if schema.domain == domain
        )
    )


def model_of(sample: Sample, *, static: bool = True) -> onnx.ModelProto:
    """Return a model of one node; shapes are declared unless ``static`` is false."""
    node = helper.make_node(
        sample.op,
        sample.names(),
        [f"out{i}" for i in range(sample.outputs)],
        domain=sample.domain,
        **sample.attributes,
    )
    inputs = [
        helper.make_tensor_value_info(
            f"in{i}",
            numpy_helper.from_array(x).data_type,
            list(x.shape) if static else [f"d{i}_{axis}" for axis in range(x.ndim)],
        )
        for i, x in enumerate(sample.inputs)
        if x is not None
    ]
    outputs = [onnx.ValueInfoProto(name=f"out{i}") for i in range(sample.outputs)]
    version = sample.version or newest_opset(sample.domain)
    opsets = [helper.make_opsetid(sample.domain, version)]
    if sample.domain:
        # The runtime that judges ai.onnx.ml knows no opset that is newer than itself.
        plain = 21 if sample.domain == "ai.onnx.ml" else newest_opset()
        opsets.append(helper.make_opsetid("", plain))
    graph = helper.make_graph([node], "sample", inputs, outputs)
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return onnx.shape_inference.infer_shapes(model)
