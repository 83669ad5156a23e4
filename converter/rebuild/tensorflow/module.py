"""The TensorFlow result: a `tf.Module` whose `tf.function` is the written-down graph."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any

import onnx_ir as ir
import tensorflow as tf

from converter.errors import EquiportError, RebuildError
from converter.formats.saved_model_names import served_as
from converter.rebuild.program import Program, load_program, located
from converter.rebuild.tensorflow.dtypes import carried, from_numpy, to_framework
from converter.signature import Signature, TensorSpec


class _Untracked:
    """Keeps a value out of what a SavedModel tracks: it takes dictionaries with names only."""

    def __init__(self, value: Any) -> None:
        self.value = value


class ConvertedModule(tf.Module):
    """Every rebuilt module: call it with the inputs in order, or by name.

    Attributes:
        source: the text of ``forward``.
        signature: names, dtypes and shapes of inputs and outputs.
        weights: the variables by their source's names; a SavedModel keeps this attribute.
        permutations: weight name to how it is stored, ``stored = source.transpose(permutation)``.
        served: an input's name to the one that TensorFlow's graph has for it.
    """

    def __init__(
        self, program: Program, signature: Signature, *, tensors_only: bool = True
    ) -> None:
        """Make the variables and the functions.

        Args:
            tensors_only: no input or output is a sequence or an optional, for which TensorFlow's
                signatures have no word.
        """
        super().__init__(name="equiport")
        self._tensors_only = tensors_only
        self.source = program.source
        self.signature = replace(
            signature,
            inputs=tuple(map(carried, signature.inputs)),
            outputs=tuple(map(carried, signature.outputs)),
        )
        self.permutations: dict[str, tuple[int, ...]] = {}
        self.weights = {name: _variable(name, value) for name, value in program.weights.items()}
        for name, value in program.weights.items():
            if stored := value.metadata_props.get("equiport.permutation"):
                self.permutations[name] = tuple(map(int, stored.split(",")))
        self._constants = {
            name: from_numpy(tensor.numpy(), int(tensor.dtype))
            for name, tensor in program.constants.items()
        }
        digest = hashlib.sha256(program.source.encode()).hexdigest()[:12]
        self._origins = _Untracked(program.origins)
        self._forward = load_program(program.source, program.modules, program.values, digest)
        self.served = served_as([spec.name for spec in self.signature.inputs])
        inputs = [replace(spec, name=self.served[spec.name]) for spec in self.signature.inputs]
        specs = [_tensor_spec(spec) for spec in inputs] if tensors_only else None
        self._function = tf.function(self.run_graph, input_signature=specs, autograph=False)
        self._serving = tf.function(self._serve, input_signature=specs, autograph=False)

    def weight(self, name: str) -> tf.Tensor:
        """Return the present value of a weight."""
        return tf.convert_to_tensor(self.weights[name])

    def keep(self, name: str, value: tf.Tensor) -> None:
        """Store a buffer's new value for the next call."""
        self.weights[name].assign(value)

    def constant(self, name: str) -> tf.Tensor:
        """Return a tensor that is no weight of the source."""
        return self._constants[name]

    def get_weight(self, name: str) -> tf.Variable:
        """Return the variable under its source's name; `KeyError` when there is none."""
        return self.weights[name]

    def named_variables(self) -> dict[str, tf.Variable]:
        """Return all weights by their source's names."""
        return dict(self.weights)

    def __call__(self, /, *inputs: Any, **named: Any) -> Any:
        """Run the model.

        Raises:
            TypeError: an input is missing, given twice or unknown.
        """
        return self._function(*self._in_order(inputs, named))

    def concrete_function(self, *inputs: Any) -> Any:
        """Return the traced graph: by the signature, or by the inputs where it has none."""
        return self._function.get_concrete_function(*([] if self._tensors_only else inputs))

    def _in_order(self, inputs: tuple, named: dict[str, Any]) -> list[Any]:
        names = [spec.name for spec in self.signature.inputs]
        given = dict(zip(names, inputs, strict=False))
        if len(inputs) > len(names) or set(given) & set(named) or set(named) - set(names):
            raise TypeError(f"the model takes the inputs {', '.join(names)}")
        given |= named
        if missing := [name for name in names if name not in given]:
            raise TypeError(f"missing input(s): {', '.join(missing)}")
        if not self._tensors_only:
            return [given[name] for name in names]
        specs = self._function.input_signature
        return [
            value if isinstance(value, tf.Tensor) else tf.convert_to_tensor(value, spec.dtype)
            for value, spec in zip((given[name] for name in names), specs, strict=True)
        ]

    def run_graph(self, *inputs: tf.Tensor) -> Any:
        result = self._forward(self, *inputs)
        single = len(self.signature.outputs) == 1
        outputs = (result,) if single else result
        for value, spec in zip(outputs, self.signature.outputs, strict=True):
            _narrow(value, spec)
        return result

    def _serve(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        result = self.run_graph(*inputs)
        outputs = (result,) if len(self.signature.outputs) == 1 else result
        names = [spec.name for spec in self.signature.outputs]
        # A signature may not return one of its inputs as it is.
        return {name: tf.identity(value) for name, value in zip(names, outputs, strict=True)}

    def signatures(self) -> dict[str, Any]:
        """Return what a SavedModel serves: names of inputs and outputs are the source's.

        Raises:
            RebuildError: an input or output is a sequence or an optional, or there is a node
                that TensorFlow cannot trace.
        """
        if not self._tensors_only:
            raise RebuildError(
                "an input or output of the model is a sequence or an optional, and the signature "
                "of a SavedModel holds tensors only",
                hint="Convert the part of the model that works on tensors.",
            )
        try:
            return {"serving_default": self._serving.get_concrete_function()}
        except EquiportError:
            raise
        except Exception as error:  # TensorFlow's word for what it cannot trace
            raise located(error, self._origins.value) from error


def _narrow(value: Any, spec: TensorSpec) -> None:
    """Write the static sizes that the source declares into the traced output."""
    if not isinstance(value, tf.Tensor) or spec.shape is None:
        return
    dims = [dim if isinstance(dim, int) else None for dim in spec.shape]
    if value.shape.is_compatible_with(dims):
        value.set_shape(dims)


def _tensor_spec(spec: TensorSpec) -> tf.TensorSpec:
    dims = None
    if spec.shape is not None:
        dims = [dim if isinstance(dim, int) else None for dim in spec.shape]
    return tf.TensorSpec(dims, tf.dtypes.as_dtype(spec.carried_as or spec.dtype), spec.name)


def _variable(name: str, value: ir.Value) -> tf.Variable:
    tensor = value.const_value
    assert tensor is not None
    return tf.Variable(
        from_numpy(tensor.numpy(), int(tensor.dtype)),
        trainable=value.metadata_props["equiport.role"] == "parameter",
        name=variable_name(name),
        dtype=to_framework(int(tensor.dtype)),
    )


def variable_name(name: str) -> str:
    """Return ``name`` with what TensorFlow does not take in a name replaced."""
    clean = re.sub(r"[^A-Za-z0-9_.\\/>-]", "_", name)
    return clean if re.match(r"[A-Za-z0-9.]", clean) else f"v{clean}"


def expression(name: str) -> str:
    """Return the Python expression for a weight by its name."""
    return f"self.weight({name!r})"


def keep_statement(name: str, value: str) -> str:
    """Return the statement that stores a value in a variable."""
    return f"self.keep({name!r}, {value})"


def constant_expression(name: str) -> str:
    """Return the Python expression for a constant."""
    return f"self.constant({name!r})"
