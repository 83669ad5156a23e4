"""One step of training, and a few, in PyTorch."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from verify.runtimes.torch_runtime import open as open_module
from verify.runtimes.torch_runtime import unpacked
from verify.runtimes.torch_tensors import from_numpy, to_numpy
from verify.structure import torch_leaves
from verify.training.plan import BETAS, EPSILON, Ability, Arrays, Learned, Plan, in_order

if TYPE_CHECKING:
    from converter.signature import Signature
    from verify.engine import Engine

_Normalisation = torch.nn.modules.batchnorm._BatchNorm


@dataclass
class Subject:
    """What is trained.

    Attributes:
        runner: hands inputs over and knows the names of outputs.
        module: what it calls.
        trainable: names of the parameters that are trained.
        permutations: of parameters that are stored otherwise than the side stores them.
        how: what it is, where it is not the side's own model.
    """

    runner: Any
    module: torch.nn.Module
    trainable: list[str]
    permutations: dict[str, tuple[int, ...]]
    how: str = ""

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """Return the parameters that are trained, by name."""
        named = dict(self.module.named_parameters())
        return {name: named[name] for name in self.trainable if name in named}


def ability(engine: Engine) -> Ability:
    """Tell whether the model trains."""
    if engine.source.framework == "onnx":
        kinds = {node.op_type for node in engine.source.model.graph.all_nodes()}
        return Ability(normalises="fixed" if "BatchNormalization" in kinds else "none")
    module = engine.runner.function
    if not isinstance(module, torch.nn.Module) or isinstance(module, torch.jit.ScriptModule):
        return Ability("a script is run and not trained")
    if any(isinstance(part, _Normalisation) for part in module.modules()):
        return Ability(normalises="follows")
    text = getattr(getattr(module, "code", ""), "source", "") or str(getattr(module, "code", ""))
    if "batch_norm" in text:
        return Ability(normalises="follows" if "self.training" in text else "fixed")
    return Ability()


def learn(
    engine: Engine, plan: Plan, inputs: Arrays, targets: Arrays, signature: Signature | None
) -> Learned:
    """Carry out a plan; the model is left as it was."""
    if engine.source.framework == "onnx" or plan.from_graph:
        return _carried_out(_rebuilt(engine, plan, signature), plan, inputs, targets)
    own = _own(engine)
    if not plan.wide or _dtype(own) == "float64":
        return _carried_out(own, plan, inputs, targets)
    if not _casts_in_its_graph(own.module):
        try:
            seen = _Narrow()
            result = _carried_out(_widened(own), plan, inputs, targets, seen)
            if not seen.narrow:
                return result
        except (RuntimeError, TypeError, ValueError, NotImplementedError):
            pass  # a model that names float32 itself; its graph can be had in float64
    return _carried_out(_rebuilt(engine, plan, signature), plan, inputs, targets)


def _own(engine: Engine) -> Subject:
    module, record = engine.runner.function, engine.source.record
    names = [name for name, p in module.named_parameters() if p.is_floating_point()]
    if record is not None:
        trained = {name for name, weight in record.weights.items() if weight.role == "parameter"}
        names = [name for name in names if name in trained]
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(name in names)
    names = [name for name, p in module.named_parameters() if p.requires_grad and name in names]
    return Subject(engine.runner, module, names, {})


def _dtype(subject: Subject) -> str:
    parameters = subject.parameters().values()
    kinds = [p.dtype for p in parameters] or [torch.float32]
    return str(kinds[0]).removeprefix("torch.")


def _widened(own: Subject) -> Subject:
    module = copy.deepcopy(own.module).double()
    runner = copy.copy(own.runner)
    runner.function = module
    return Subject(runner, module, own.trainable, {})


def _rebuilt(engine: Engine, plan: Plan, signature: Signature | None) -> Subject:
    import onnx_ir as ir

    from converter.formats import from_live
    from converter.rebuild.pytorch import build
    from verify.float64 import in_float64

    graph = ir.load(plan.graph) if plan.graph else engine.graph(signature)
    purpose = "training" if plan.normalise else "inference"
    module = build(in_float64(graph) if plan.wide else graph, purpose=purpose)
    runner = open_module(from_live(module), "cpu", None)
    names = [name for name, p in module.named_parameters() if p.requires_grad]
    how = f"rebuilt from its graph in PyTorch{', in float64' if plan.wide else ''}"
    return Subject(runner, module, names, dict(module.permutations), how)


def _casts_in_its_graph(module: Any) -> bool:
    """Tell whether an exported program says itself what is computed in float32."""
    graph = getattr(module, "graph", None)
    nodes = getattr(graph, "nodes", ())
    narrow = (torch.float32, torch.float16, torch.bfloat16)
    leaves = torch.utils._pytree.tree_leaves
    return any(leaf in narrow for node in nodes for leaf in leaves((node.args, node.kwargs))
               if isinstance(leaf, torch.dtype))  # fmt: skip


class _Narrow(TorchDispatchMode):
    """Sees whether anything is computed in less than float64."""

    narrow = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in torch.utils._pytree.tree_leaves(result):
            if isinstance(leaf, torch.Tensor) and leaf.is_floating_point():
                self.narrow = self.narrow or leaf.dtype.itemsize < 8
        return result


def _carried_out(
    subject: Subject, plan: Plan, inputs: Arrays, targets: Arrays, watch: Any = None
) -> Learned:
    work = _Work(subject, plan, inputs, targets, watch)
    with _as_it_was(subject.module), _modes(subject.module, plan.normalise), _default(plan.wide):
        return work.learned()


class _Work:
    """One plan for one subject."""

    def __init__(
        self, subject: Subject, plan: Plan, inputs: Arrays, targets: Arrays, watch: Any = None
    ) -> None:
        """Prepare; ``watch`` is a context in which the model runs."""
        self.subject, self.plan, self.targets = subject, plan, targets
        self.watch = watch or nullcontext()
        self.parameters = subject.parameters()
        self.args, self.kwargs, self.leaves = self._prepared(inputs)

    def _prepared(self, inputs: Arrays) -> tuple[Any, Any, dict[str, torch.Tensor]]:
        """Return the arguments, and the floating-point inputs among them by name."""
        flatten, unflatten = torch.utils._pytree.tree_flatten, torch.utils._pytree.tree_unflatten
        tags = {name: np.array(index) for index, name in enumerate(inputs)}
        order = [list(inputs)[int(leaf)] for leaf in flatten(self.subject.runner.prepare(tags))[0]]
        values, structure = flatten(self.subject.runner.prepare(inputs))
        leaves = {}
        for position, (name, value) in enumerate(zip(order, values, strict=True)):
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                wide = value.double() if self.plan.wide else value
                leaves[name] = values[position] = wide.detach().clone().requires_grad_(True)
        args, kwargs = unflatten(values, structure)
        return args, kwargs, leaves

    def loss(self) -> torch.Tensor:
        """Run the model and return the loss."""
        with self.watch:
            result = self.subject.module(*self.args, **self.kwargs)
        self.watch = nullcontext()  # once is enough
        runner = self.subject.runner
        tensors = [value for _, value in torch_leaves(unpacked(result))[0]]
        names = list(runner.fetch(result))
        return _loss(in_order(list(zip(names, tensors, strict=True)), self.plan), self.targets,
                     self.plan)  # fmt: skip

    def learned(self) -> Learned:
        """Return gradients, statistics and curves."""
        before = _buffers(self.subject.module)
        with torch.enable_grad():
            loss = self.loss()
            wanted = [*self.parameters.values(), *self.leaves.values()]
            found = torch.autograd.grad(loss, wanted, allow_unused=True)
        arrays = [
            to_numpy(torch.zeros_like(t) if g is None else g)
            for t, g in zip(wanted, found, strict=True)
        ]
        count = len(self.parameters)
        result = Learned(float(loss), _dtype(self.subject), how=self.subject.how)
        for name, array in zip(self.parameters, arrays[:count], strict=True):
            result.gradients[name] = self._as_stored(name, array)
        result.inputs = dict(zip(self.leaves, arrays[count:], strict=True))
        after = _buffers(self.subject.module)
        for name, value in after.items():
            if not torch.equal(value, before[name]):
                result.before[name] = self._as_stored(name, to_numpy(before[name]))
                result.after[name] = self._as_stored(name, to_numpy(value))
        for name, rate in self.plan.rates.items():
            result.curves[name] = self._curve(name, rate)
        return result

    def _as_stored(self, name: str, array: np.ndarray) -> np.ndarray:
        order = self.subject.permutations.get(name)
        return array if order is None else array.transpose(np.argsort(order))

    def _curve(self, name: str, rate: float) -> list[float]:
        """Train, and put everything back."""
        losses = []
        with _as_it_was(self.subject.module):
            parameters = list(self.parameters.values())
            if name == "adam":
                optimizer: Any = torch.optim.Adam(parameters, rate, BETAS, EPSILON, foreach=False)
            else:
                optimizer = torch.optim.SGD(parameters, rate, foreach=False)
            for _ in range(self.plan.steps):
                with torch.enable_grad():
                    loss = self.loss()
                    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
                losses.append(float(loss))
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.grad = gradient
                optimizer.step()
            losses.append(float(self.loss()))
        return losses


def _loss(outputs: dict[str, Any], targets: Arrays, plan: Plan) -> torch.Tensor:
    """Return the loss over all outputs that have a target; see `verify.training.plan.LOSSES`."""
    total, count = [], 0
    for name, array in targets.items():
        output = outputs[name]
        target = from_numpy(array).to(output.device, output.dtype)
        if plan.loss == "mse":
            total.append((output - target).square().sum())
            count += output.numel()
        else:
            axis = plan.axes[name]
            total.append(-(target * torch.log_softmax(output, axis)).sum())
            count += output.numel() // max(1, output.shape[axis])
    return torch.stack([part.to(total[0].dtype) for part in total]).sum() / max(1, count)


def _buffers(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {
        name: buffer.detach().clone()
        for name, buffer in module.named_buffers()
        if isinstance(buffer, torch.Tensor) and buffer.is_floating_point()
    }


@contextmanager
def _as_it_was(module: torch.nn.Module) -> Iterator[None]:
    """Put parameters, buffers and gradients back."""
    held = [*module.parameters(), *(b for b in module.buffers() if isinstance(b, torch.Tensor))]
    values = [tensor.detach().clone() for tensor in held]
    gradients = [parameter.grad for parameter in module.parameters()]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(held, values, strict=True):
                tensor.copy_(value)
        for parameter, gradient in zip(module.parameters(), gradients, strict=True):
            parameter.grad = gradient


@contextmanager
def _modes(module: torch.nn.Module, normalise: bool) -> Iterator[None]:
    """Let batch normalisation train where it is wanted, and nothing else (Dropout is chance)."""
    parts: list[torch.nn.Module] = [p for p in module.modules() if isinstance(p, _Normalisation)]
    modes = [(part, part.training) for part in (module, *parts)]
    try:
        for part in parts:
            part.train(normalise)  # a normalisation that is always fixed stays so
        if hasattr(module, "signature"):  # one of our own results, which follows its own flag
            module.training = normalise
        yield
    finally:
        for part, mode in modes:
            part.training = mode


@contextmanager
def _default(wide: bool) -> Iterator[None]:
    """Let tensors that the model makes itself be as wide as its weights."""
    usual = torch.get_default_dtype()
    try:
        if wide:
            torch.set_default_dtype(torch.float64)
        yield
    finally:
        torch.set_default_dtype(usual)
