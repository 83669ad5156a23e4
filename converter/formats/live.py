"""Models that are in memory already, told apart without importing a framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converter.errors import UsageError
from converter.formats import Source
from converter.signature import Signature


def wrapped(model: Any) -> Source:
    """Wrap a live model; see `converter.formats.from_live`.

    Raises:
        UsageError: it is no model.
    """
    classes = [f"{base.__module__}.{base.__qualname__}" for base in type(model).__mro__]
    for matches, wrap in _KINDS:
        if any(matches(name) for name in classes):
            return wrap(model)
    raise UsageError(
        f"a {type(model).__name__} is no model",
        hint="Give an nn.Module, an ExportedProgram, a ScriptModule, a Keras model, a tf.Module, a "
        "tf.function, an ONNX model, or the path of a file.",
    )


def _own_signature(model: Any) -> Signature | None:
    """Return what one of our own results says of itself."""
    signature = getattr(model, "signature", None)
    return signature if isinstance(signature, Signature) else None


def _program(model: Any) -> Source:
    from converter.formats.torch_signature import signature_of

    return Source("torch", "exported_program", model, signature=signature_of(model))


def _script(model: Any) -> Source:
    return Source("torch", "torchscript", model)


def _module(model: Any) -> Source:
    return Source("torch", "module", model, signature=_own_signature(model))


def _keras(model: Any) -> Source:
    from converter.formats.tensorflow_signature import keras_signature

    record = getattr(model, "record", None)
    signature = record.signature if record is not None else keras_signature(model)
    return Source("tensorflow", "keras_model", model, signature=signature, record=record)


def _tensorflow(model: Any) -> Source:
    from converter.formats.tensorflow_signature import served_function, served_signature

    own = _own_signature(model)
    function = None if own else served_function(model)
    if function is None:
        return Source("tensorflow", "tf_module", model, signature=own)
    return Source("tensorflow", "saved_model", model, signature=served_signature(function))


def _function(model: Any) -> Source:
    return Source("tensorflow", "tf_function", model)


def _onnx_proto(model: Any) -> Source:
    import onnx_ir as ir

    return _onnx_graph(ir.serde.deserialize_model(model))


def _onnx_graph(model: Any) -> Source:
    from converter.formats.onnx_file import wrapped as wrap_graph

    return wrap_graph(model, "onnx_model", None)


def _is(*names: str) -> Callable[[str], bool]:
    return lambda name: name in names


_KINDS: tuple[tuple[Callable[[str], bool], Callable[[Any], Source]], ...] = (
    (_is("torch.export.exported_program.ExportedProgram"), _program),
    (_is("torch.jit._script.ScriptModule"), _script),
    (lambda name: name.startswith("keras.") and name.endswith(".Layer"), _keras),
    (_is("torch.nn.modules.module.Module"), _module),
    (
        _is(
            "tensorflow.python.module.module.Module",
            "tensorflow.python.trackable.autotrackable.AutoTrackable",
        ),
        _tensorflow,
    ),
    (
        _is(
            "tensorflow.python.eager.polymorphic_function.polymorphic_function.Function",
            "tensorflow.python.eager.polymorphic_function.concrete_function.ConcreteFunction",
            "tensorflow.python.types.core.ConcreteFunction",
        ),
        _function,
    ),
    (_is("onnx.onnx_ml_pb2.ModelProto", "onnx.onnx_pb2.ModelProto"), _onnx_proto),
    (_is("onnx_ir.Model", "onnx_ir._core.Model"), _onnx_graph),
)
"""Class names in a type's ancestry, in the order in which they are asked for."""
