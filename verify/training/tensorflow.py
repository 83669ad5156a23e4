"""One step of training, and a few, in TensorFlow and Keras."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from converter.formats.tensorflow_variables import named_variables, trained_names
from verify.runtimes.tensorflow_runtime import open as open_module
from verify.structure import tensorflow_leaves
from verify.training.plan import BETAS, EPSILON, Ability, Arrays, Learned, Plan, in_order

if TYPE_CHECKING:
    from converter.signature import Signature
    from verify.engine import Engine


@dataclass
class Subject:
    """What is trained.

    Attributes:
        runner: hands inputs over and calls the model.
        variables: all floating-point weights by name.
        trainable: names of those that are trained.
        model: what the runner calls.
        layers: Keras layers that normalise by batches.
        permutations: of variables that are stored otherwise than the side stores them.
        how: what it is, where it is not the side's own model.
    """

    runner: Any
    model: Any
    variables: dict[str, Any]
    trainable: list[str]
    layers: list[Any] = field(default_factory=list)
    permutations: dict[str, tuple[int, ...]] = field(default_factory=dict)
    how: str = ""


def ability(engine: Engine) -> Ability:
    """Tell whether the model trains."""
    source = engine.source
    if source.kind == "tflite":
        return Ability("a LiteRT file holds constants, nothing in it trains")
    if source.kind == "tf_function":
        return Ability("a tf.function does not show its variables")
    if _normalisations(source.model):
        return Ability(normalises="follows")
    moving = ("moving_mean", "running_mean", "moving_variance", "running_var")
    fixed = any(name.endswith(moving) for name in named_variables(source.model))
    return Ability(normalises="fixed" if fixed else "none")


def learn(
    engine: Engine, plan: Plan, inputs: Arrays, targets: Arrays, signature: Signature | None
) -> Learned:
    """Carry out a plan; the model is left as it was."""
    if plan.from_graph:
        return _Work(_rebuilt(engine, plan, signature), plan, inputs, targets).learned()
    own = _own(engine)
    if not plan.wide or _dtype(own) == "float64":
        return _Work(own, plan, inputs, targets).learned()
    if isinstance(engine.source.model, keras.Model) and engine.source.record is None:
        wide = _widened(engine.source.model)
        if wide is not None:
            work = _Work(wide, plan, inputs, targets)
            if not work.narrow():
                return work.learned()
    return _Work(_rebuilt(engine, plan, signature), plan, inputs, targets).learned()


def _own(engine: Engine) -> Subject:
    source = engine.source
    variables = {n: v for n, v in named_variables(source.model).items() if v.dtype.is_floating}
    if source.record is not None:
        roles = {name: weight.role for name, weight in source.record.weights.items()}
        trainable = [name for name in variables if roles.get(name) == "parameter"]
    else:
        trainable = trained_names(source.model, variables)
    layers = _normalisations(source.model)
    return Subject(engine.runner, source.model, variables, trainable, layers)


def _dtype(subject: Subject) -> str:
    kinds = [subject.variables[name].dtype.name for name in subject.trainable]
    return kinds[0] if kinds else "float32"


def _normalisations(model: Any) -> list[Any]:
    if not isinstance(model, keras.Layer):
        return []
    layers = model._flatten_layers()
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def _widened(model: Any) -> Subject | None:
    """Return a Keras model of the same configuration in float64, if Keras can build one."""
    from converter.formats import from_live
    from verify.runtimes.keras_runtime import open as open_keras

    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")  # for layers that a class makes itself
    try:
        copy = type(model).from_config(_in_float64(model.get_config()))
        if not copy.built and model.get_build_config():
            copy.build_from_config(model.get_build_config())
        if not copy.built:
            copy.build(model.input_shape)
        copy.set_weights([weight.astype(np.float64) for weight in model.get_weights()])
    except (TypeError, ValueError, AttributeError, NotImplementedError, KeyError):
        return None  # a model of the user's own class; its graph can be had in float64
    finally:
        keras.config.set_dtype_policy(usual)
    names = dict(zip(named_variables(model), named_variables(copy).values(), strict=True))
    variables = {name: v for name, v in names.items() if v.dtype.is_floating}
    if any(variable.dtype != "float64" for variable in variables.values()):
        return None
    trainable = trained_names(copy, variables)
    runner = open_keras(from_live(copy), "cpu", None)
    how = "Keras's own copy in float64"
    return Subject(runner, copy, variables, trainable, _normalisations(copy), how=how)


def _in_float64(config: Any) -> Any:
    """Return a configuration in which every layer computes in float64."""
    if isinstance(config, dict):
        return {key: _in_float64(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_in_float64(item) for item in config)
    return "float64" if config in ("float32", "float16", "bfloat16") else config


def _rebuilt(engine: Engine, plan: Plan, signature: Signature | None) -> Subject:
    import onnx_ir as ir

    from converter.formats import from_live
    from converter.rebuild.tensorflow import build
    from verify.float64 import in_float64

    graph = ir.load(plan.graph) if plan.graph else engine.graph(signature)
    module = build(in_float64(graph) if plan.wide else graph)
    variables = {n: v for n, v in module.named_variables().items() if v.dtype.is_floating}
    trainable = [name for name, variable in variables.items() if variable.trainable]
    runner = open_module(from_live(module), "cpu", None)
    how = "rebuilt from its graph in TensorFlow, in float64"
    return Subject(runner, module, variables, trainable, [], dict(module.permutations), how)


class _Work:
    """One plan for one subject."""

    def __init__(self, subject: Subject, plan: Plan, inputs: Arrays, targets: Arrays) -> None:
        self.subject, self.plan, self.targets = subject, plan, targets
        self.trained = {name: subject.variables[name] for name in subject.trainable}
        self.args, self.kwargs, self.leaves = self._prepared(inputs)

    def _prepared(self, inputs: Arrays) -> tuple[Any, Any, dict[str, tf.Tensor]]:
        """Return the arguments, and the floating-point inputs among them by name."""
        runner, names = self.subject.runner, list(inputs)
        tags = runner.prepare({name: np.array(index) for index, name in enumerate(names)})
        order = [names[int(leaf)] for leaf in tf.nest.flatten(tags)]
        given = runner.prepare(inputs)
        values, leaves = tf.nest.flatten(given), {}
        for position, (name, value) in enumerate(zip(order, values, strict=True)):
            if value.dtype.is_floating:
                wide = tf.cast(value, tf.float64) if self.plan.wide else value
                leaves[name] = values[position] = tf.identity(wide)
        args, kwargs = tf.nest.pack_sequence_as(given, values)
        return args, kwargs, leaves

    def run(self) -> Any:
        """Run the model."""
        runner = self.subject.runner
        if self.subject.layers:  # its own graph has other modes
            return self.subject.model(*self.args, **self.kwargs, training=False)
        return runner.call((self.args, self.kwargs))

    def loss(self) -> tf.Tensor:
        """Run the model and return the loss."""
        runner, result = self.subject.runner, self.run()
        leaves = tensorflow_leaves(result)[0]
        if not set(self.plan.axes) <= {name for name, _ in leaves}:
            names = list(runner.fetch(result))
            leaves = [(name, value) for name, (_, value) in zip(names, leaves, strict=True)]
        return _loss(in_order(leaves, self.plan), self.targets, self.plan)

    def narrow(self) -> bool:
        """Tell whether anything is computed in less than float64."""
        with _normalising(self.subject.layers, self.plan.normalise):
            graph = tf.function(self.run, autograph=False).get_concrete_function().graph
        kinds = (tf.float32, tf.float16, tf.bfloat16)
        operations = [o for o in graph.get_operations() if o.type not in ("Const", "Placeholder")]
        functions = [graph._get_function(name) for name in graph._functions]
        inner = [f.graph for f in functions if getattr(f, "graph", None) is not None]
        operations += [o for g in inner for o in g.get_operations() if o.type != "Const"]
        return any(output.dtype in kinds for o in operations for output in o.outputs)

    def learned(self) -> Learned:
        """Return gradients, statistics and curves."""
        fixed = {n: v for n, v in self.subject.variables.items() if n not in self.trained}
        with ExitStack() as stack:
            stack.enter_context(_as_it_was(self.subject.variables))
            stack.enter_context(_normalising(self.subject.layers, self.plan.normalise))
            before = {name: variable.numpy() for name, variable in fixed.items()}
            wanted = [*self.trained.values(), *self.leaves.values()]
            loss, found = _gradients(self.loss, wanted)
            count = len(self.trained)
            result = Learned(float(loss), _dtype(self.subject), how=self.subject.how)
            for name, gradient in zip(self.trained, found[:count], strict=True):
                result.gradients[name] = self._as_stored(name, gradient.numpy())
            for name, gradient in zip(self.leaves, found[count:], strict=True):
                result.inputs[name] = gradient.numpy()
            for name, variable in fixed.items():
                now = variable.numpy()
                if not np.array_equal(now, before[name]):
                    result.before[name] = self._as_stored(name, before[name])
                    result.after[name] = self._as_stored(name, now)
            for name, rate in self.plan.rates.items():
                result.curves[name] = self._curve(name, rate)
        return result

    def _as_stored(self, name: str, array: np.ndarray) -> np.ndarray:
        order = self.subject.permutations.get(name)
        return array if order is None else array.transpose(np.argsort(order))

    def _curve(self, name: str, rate: float) -> list[float]:
        """Train, and put everything back."""
        losses = []
        variables = list(self.trained.values())
        with _as_it_was(self.subject.variables):
            if name == "adam":
                beta_1, beta_2 = BETAS
                optimizer = keras.optimizers.Adam(rate, beta_1, beta_2, EPSILON)
            else:
                optimizer = keras.optimizers.SGD(rate)
            optimizer.build(variables)
            for step in range(1, self.plan.steps + 1):
                loss, gradients = _gradients(self.loss, variables)
                losses.append(float(loss))
                if name == "adam":
                    # Keras adds epsilon before it corrects the second moment for its start at
                    # zero, PyTorch (and the paper's algorithm 1) after that.
                    optimizer.epsilon = EPSILON * (1 - BETAS[1] ** step) ** 0.5
                optimizer.apply(gradients, variables)
            losses.append(float(self.loss()))
        return losses


def _gradients(loss: Callable[[], tf.Tensor], wanted: list[Any]) -> tuple[Any, list[tf.Tensor]]:
    """Return the loss and its gradients; zeros where it does not depend on something."""
    with tf.GradientTape() as tape:
        for value in wanted:
            tape.watch(value)
        result = loss()
    found = tape.gradient(result, wanted)
    return result, [
        tf.zeros_like(value) if gradient is None else tf.convert_to_tensor(gradient)
        for value, gradient in zip(wanted, found, strict=True)
    ]


def _loss(outputs: dict[str, Any], targets: Arrays, plan: Plan) -> tf.Tensor:
    """Return the loss over all outputs that have a target; see `verify.training.plan.LOSSES`."""
    total, count = [], 0
    for name, array in targets.items():
        output = outputs[name]
        target = tf.cast(tf.constant(array), output.dtype)
        if plan.loss == "mse":
            total.append(tf.reduce_sum(tf.square(output - target)))
            count += array.size
        else:
            axis = plan.axes[name]
            logits = tf.nn.log_softmax(output, axis)
            total.append(-tf.reduce_sum(target * logits))
            count += array.size // max(1, array.shape[axis])
    parts = [tf.cast(part, total[0].dtype) for part in total]
    return tf.add_n(parts) / tf.cast(max(1, count), parts[0].dtype)


@contextmanager
def _as_it_was(variables: dict[str, Any]) -> Iterator[None]:
    """Put the weights back."""
    values = {name: variable.numpy() for name, variable in variables.items()}
    try:
        yield
    finally:
        for name, variable in variables.items():
            variable.assign(values[name])


@contextmanager
def _normalising(layers: list[Any], wanted: bool) -> Iterator[None]:
    """Let batch normalisation train where it is wanted, and nothing else (Dropout is chance)."""

    def training(call: Callable) -> Callable:
        return lambda inputs, training=None, mask=None: call(inputs, training=True, mask=mask)

    calls = [layer.call for layer in layers]
    try:
        for layer, call in zip(layers, calls, strict=True):
            if wanted:
                layer.call = training(call)
        yield
    finally:
        for layer in layers:
            layer.__dict__.pop("call", None)
