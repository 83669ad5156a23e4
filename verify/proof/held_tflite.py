"""The constant tensors of a LiteRT file, mapped; nothing says which of them are weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from converter.errors import MissingFrameworkError
from verify.proof.held import Holding, Weight

if TYPE_CHECKING:
    from converter.formats import Source

NOTE = (
    "LiteRT's converter folds weights into constants and drops their names, so weights are looked "
    "for by content"
)


def held(source: Source) -> Holding:
    """Read the buffers of all subgraphs' constant tensors.

    Raises:
        MissingFrameworkError: neither LiteRT nor TensorFlow is there with its schema.
    """
    assert source.path is not None
    schema = _schema()
    content = np.memmap(source.path, np.uint8, "r")
    model = schema.Model.GetRootAs(content, 0)
    dtypes = {
        number: name.lower()
        for name, number in vars(schema.TensorType).items()
        if not name.startswith("_")
    }
    holding = Holding(note=NOTE)
    for index in range(model.SubgraphsLength()):
        graph = model.Subgraphs(index)
        for position in range(graph.TensorsLength()):
            tensor = graph.Tensors(position)
            weight = _constant(model, tensor, dtypes[tensor.Type()])
            if weight is not None:
                holding.weights.setdefault(weight.name, weight)
    return holding


def _constant(model: Any, tensor: Any, dtype: str) -> Weight | None:
    buffer = model.Buffers(tensor.Buffer())
    try:
        kind = np.dtype("uint16" if dtype == "bfloat16" else dtype)
    except TypeError:  # strings, resources, packed integers
        return None
    shape = tuple(int(size) for size in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
    data = buffer.DataAsNumpy() if buffer.DataLength() else None
    if data is None or data.nbytes != int(np.prod(shape, dtype=np.int64)) * kind.itemsize:
        return None  # no constant, or packed or sparse
    return Weight(tensor.Name().decode(), data.view(kind).reshape(shape), dtype)


def _schema() -> Any:
    try:
        from ai_edge_litert import schema_py_generated
    except ModuleNotFoundError:
        try:
            from tensorflow.lite.python import schema_py_generated
        except ModuleNotFoundError as error:
            raise MissingFrameworkError(
                "reading the weights of a LiteRT file needs ai_edge_litert or tensorflow",
                hint='Install it: pip install "equiport[tensorflow]".',
            ) from error
    return schema_py_generated
