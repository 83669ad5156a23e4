"""Write ONNX nodes in the place of one TensorFlow node.

A value is the name of a tensor in the graph, or a NumPy array that is known now. An operator of
which all inputs are arrays is worked out at once, so the same lines serve known and open sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from converter.graph.evaluate import evaluated

Value = str | np.ndarray

OPSET = 18
"""The newest opset that tf2onnx writes."""


class NotTranslated(Exception):
    """This use of an operator has no translation; the text says why."""


class Writer:
    """Adds nodes to a graph of tf2onnx; ``writer.Add(a, b)`` adds an ONNX `Add`.

    Inputs may be values, Python numbers (``int`` is int64, ``float`` float32) or ``None`` for an
    optional input. An operator gives a value, or a tuple of values with ``outputs=``.
    """

    def __init__(self, graph: Any, scope: str) -> None:
        self.graph, self.scope = graph, scope

    def __getattr__(self, operator: str) -> Callable[..., Any]:
        if not operator[0].isupper():
            raise AttributeError(operator)

        def write(*inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
            values = [self.value(item) for item in inputs]
            known = [item for item in values if not isinstance(item, str)]
            if values and len(known) == len(values):
                alone = helper.make_node(operator, [], ["y"] * outputs, **attributes)
                results = evaluated(alone, known, OPSET)
            else:
                names = [self.name(item) for item in values]
                node = self.graph.make_node(
                    operator, names, attr=attributes, output_count=outputs, op_name_scope=self.scope
                )
                results = tuple(node.output)
            return results[0] if outputs == 1 else results

        return write

    @staticmethod
    def value(item: Any) -> Value | None:
        """Return an input as a value: Python numbers and lists of them as arrays."""
        if item is None or isinstance(item, str | np.ndarray):
            return item
        array = np.asarray(item)
        if array.size == 0:
            return array.astype(np.int64)
        return array.astype(np.float32) if array.dtype == np.float64 else array

    def name(self, value: Value | None) -> str:
        """Return a value's name in the graph; an array becomes a constant."""
        from tf2onnx import utils

        if value is None:
            return ""
        if isinstance(value, str):
            return value
        name: str = self.graph.make_const(utils.make_name(f"{self.scope}_known"), value).output[0]
        return name

    def shape(self, value: Value) -> tuple[int | None, ...]:
        """Return a value's sizes, ``None`` where one is open.

        Raises:
            NotTranslated: not even the rank is known.
        """
        if isinstance(value, np.ndarray):
            return value.shape
        sizes = self.graph.get_shape(value)
        if sizes is None:
            raise NotTranslated(f"the number of axes of its input {value} is not known")
        return tuple(size if size >= 0 else None for size in sizes)

    def rank(self, value: Value) -> int:
        """Return a value's number of axes.

        Raises:
            NotTranslated: it is not known.
        """
        return len(self.shape(value))

    def size(self, value: Value, axis: int) -> Value:
        """Return the size of one axis as an int64 scalar."""
        known = self.shape(value)[axis]
        if known is not None:
            return np.array(known, np.int64)
        taken: Value = self.Gather(self.Shape(value), np.array(axis % self.rank(value)))
        return taken

    def sizes(self, value: Value, start: int = 0, end: int | None = None) -> Value:
        """Return the sizes of the axes from ``start`` to ``end`` as an int64 vector."""
        known = self.shape(value)[start:end]
        if None not in known:
            return np.array(known, np.int64)
        cut: Value = self.Slice(
            self.Shape(value), [start], [self.rank(value) if end is None else end]
        )
        return cut

    def vector(self, *parts: Any) -> Value:
        """Join int64 scalars and vectors to one vector."""
        values = [self.value(part) for part in parts]
        joined: Value = self.Concat(
            *(
                self.Reshape(value, [-1]) if self.rank(value) == 0 else value
                for value in values
                if value is not None
            ),
            axis=0,
        )
        return joined

    def dtype(self, value: Value) -> np.dtype:
        """Return a value's element type."""
        return np.dtype(helper.tensor_dtype_to_np_dtype(self.element(value)))

    def element(self, value: Value) -> int:
        """Return ONNX's number of a value's element type."""
        if isinstance(value, np.ndarray):
            return helper.np_dtype_to_tensor_dtype(value.dtype)
        return int(self.graph.get_dtype(value))

    def cast(self, value: Any, dtype: Any) -> Value:
        """Cast to a NumPy type, or to one of ONNX's numbers; nothing where it has it already."""
        number = (
            dtype if isinstance(dtype, int) else helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        )
        value = self.value(value)
        if isinstance(value, np.ndarray):
            return value.astype(helper.tensor_dtype_to_np_dtype(number))
        if self.graph.get_dtype(value) == number:
            return value
        node = self.graph.make_node("Cast", [value], attr={"to": number}, op_name_scope=self.scope)
        name: str = node.output[0]
        self.graph.set_dtype(name, number)
        self.graph.copy_shape(value, name)
        return name

    def like(self, number: Any, value: Value) -> np.ndarray:
        """Return a number as a scalar of another value's type."""
        return np.array(number).astype(self.dtype(value))

    def index(self, value: Any) -> Value:
        """Return a value as int64."""
        return self.cast(value, np.int64)

    def reshape(self, value: Value, *parts: Any) -> Value:
        """Reshape to sizes that are all given; a 0 is a size, not a copy."""
        done: Value = self.Reshape(value, self.vector(*parts), allowzero=1)
        return done

    def filled(self, value: Any, sizes: Value) -> Value:
        """Spread a scalar over sizes."""
        done: Value = self.Expand(value, sizes)
        return done

    def known(self, value: Value, what: str) -> np.ndarray:
        """Return a value that must be known.

        Raises:
            NotTranslated: it is worked out in the graph.
        """
        if isinstance(value, np.ndarray):
            return value
        raise NotTranslated(f"{what} is worked out while the model runs, and must be a constant")

    def scan(
        self,
        step: Callable[[Writer, list[str], list[str]], tuple[Value, Value]],
        state: Value,
        scanned: Value,
        axis: int,
        reverse: bool,
    ) -> Value:
        """Go along one axis with a state; ``step`` gives the next state and the row's result."""
        from tf2onnx import utils

        rank, shape = self.rank(scanned), list(self.shape(scanned))
        axis %= rank
        del shape[axis]
        row = [-1 if size is None else size for size in shape]
        body = self.graph.create_new_graph_with_same_config()
        body.parent_graph = self.graph
        inner = Writer(body, self.scope)
        names = [utils.make_name("state"), utils.make_name("row")]
        for name, value in zip(names, (state, scanned), strict=True):
            body.add_graph_input(name, self.element(value), row)
        for result in step(inner, names[:1], names[1:]):
            own = inner.graph.make_node("Identity", [inner.name(result)], output_count=1).output[0]
            body.add_graph_output(own, self.element(scanned), row)
        attributes = {
            "num_scan_inputs": 1,
            "scan_input_axes": [axis],
            "scan_output_axes": [axis],
            "scan_input_directions": [int(reverse)],
            "scan_output_directions": [int(reverse)],
        }
        whole = [-1 if size is None else size for size in self.shape(scanned)]
        node = self.graph.make_node(
            "Scan",
            [self.name(state), self.name(scanned)],
            attr=attributes,
            output_count=2,
            op_name_scope=self.scope,
            dtypes=[self.element(scanned)] * 2,
            shapes=[row, whole],
            branches={"body": body},
        )
        rows: str = node.output[1]
        return rows


class NodeWriter(Writer):
    """Writes what one TensorFlow node becomes.

    Attributes:
        operator: the TensorFlow operator.
        inputs: the node's inputs; constants as arrays.
    """

    def __init__(self, graph: Any, node: Any, operator: str) -> None:
        super().__init__(graph, node.name)
        self.node, self.operator = node, operator
        self.inputs: tuple[Value, ...] = tuple(map(self._known, node.input))
        self.result_dtypes: list[int] = [graph.get_dtype(name) for name in node.output]
        self.result_shapes = [graph.get_shape(name) for name in node.output]

    def _known(self, name: str) -> Value:
        node = self.graph.get_node_by_output(name)
        if node is None or not node.is_const() or self.graph.get_dtype(name) == TensorProto.STRING:
            return name
        array: np.ndarray = node.get_tensor_value(as_list=False)
        return array

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute of the TensorFlow node."""
        value = self.node.get_attr_value(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def used(self, output: int) -> bool:
        """Tell whether anything reads an output."""
        name = self.node.output[output]
        return name in self.graph.outputs or bool(self.graph.find_output_consumers(name))

    def finish(self, results: Sequence[Value | None]) -> None:
        """Put the results in the place of the node's outputs.

        Raises:
            NotTranslated: an output that is read has no result.
        """
        outputs, name = list(self.node.output), self.node.name
        for index in range(len(outputs)):
            if self.used(index) and (index >= len(results) or results[index] is None):
                raise NotTranslated(f"its output {index} has no translation")
        names = [None if value is None else self.name(value) for value in results]
        self.graph.remove_node(name)
        for index, (value, output) in enumerate(zip(names, outputs, strict=False)):
            if value is None:
                continue
            self.graph.make_node(
                "Identity",
                [value],
                name=name if index == 0 else f"{name}_output_{index}",
                outputs=[output],
                dtypes=[self.result_dtypes[index]],
                shapes=[self.result_shapes[index]],
            )
