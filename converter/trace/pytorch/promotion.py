"""Write down the conversions of dtypes that PyTorch's operators do by themselves.

``int64 + float32`` is one call in PyTorch; ONNX wants both of one dtype. Which arguments an
operator converts is `torch.onnx`'s own table. Its pass runs the whole program again to insert the
conversions, which fails where the size of a result depends on data (`masked_select`), and it takes
no call with an integer and a float bound (``clamp(0, 6.5)``); this one looks at calls alone.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch.utils import _pytree as pytree

CONVERT = torch.ops.prims.convert_element_type.default

KEPT = ("nn_module_stack", "stack_trace", "source_fn_stack", "from_node", "original_aten")
"""What a new node says of the call that it is there for."""


def write_promotions(program: torch.export.ExportedProgram) -> None:
    """Insert conversions before every call that needs some, in bodies too; in place."""
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in list(module.graph.nodes):
                if isinstance(node.target, torch._ops.OpOverload):
                    promote(node)
            module.recompile()
    name_outputs(program)


def name_outputs(program: torch.export.ExportedProgram) -> None:
    """Say in the program's signature what its outputs are now; `torch.onnx` goes by these names."""
    (results,) = program.graph.output_node().args
    specs = program.graph_signature.output_specs
    for spec, result in zip(specs, results, strict=True):  # type: ignore[arg-type]
        if isinstance(result, torch.fx.Node):
            spec.arg.name = result.name  # type: ignore[union-attr]


@cache
def _rules() -> Any:
    from torch.onnx._internal.fx.passes.type_promotion import TypePromotionTable

    return TypePromotionTable()


def promote(node: torch.fx.Node) -> None:
    """Convert the arguments of one call to the dtype that the operator works in."""
    rule = _rules().get_rule(node.target.overloadpacket)  # type: ignore[union-attr]
    if rule is None or not isinstance(node.meta.get("val"), torch.Tensor):
        return
    wanted = rule.preview_type_promotion(values(node.args), values(node.kwargs))
    args = [all_converted(node, a, wanted.args_dtypes.get(i)) for i, a in enumerate(node.args)]
    kwargs = {
        name: all_converted(node, a, wanted.kwargs_dtypes.get(name))
        for name, a in node.kwargs.items()
    }
    if tuple(args) == node.args and kwargs == node.kwargs:
        return
    overload = compatible(node.target.overloadpacket, args, kwargs)  # type: ignore[union-attr]
    if overload is None:  # a tensor bound beside a number: operators take two of a kind
        args = [
            as_tensor(node, a, wanted.args_dtypes[i]) if i in wanted.args_dtypes else a
            for i, a in enumerate(args)
        ]
        overload = compatible(node.target.overloadpacket, args, kwargs)  # type: ignore[union-attr]
    if overload is None:
        return
    node.target, node.args, node.kwargs = overload, tuple(args), kwargs
    result = run(overload, values(node.args), values(node.kwargs))
    if result.dtype != node.meta["val"].dtype:
        with node.graph.inserting_after(node):
            back = inserted(node, CONVERT, node, node.meta["val"].dtype)
        node.replace_all_uses_with(back)
        back.args = (node,)
        back.meta["val"] = node.meta["val"]
    node.meta["val"] = result


def values(arguments: Any) -> Any:
    """Return arguments with the value of each node in its place."""
    return pytree.tree_map(
        lambda leaf: leaf.meta["val"] if isinstance(leaf, torch.fx.Node) else leaf, arguments
    )


def all_converted(node: torch.fx.Node, argument: Any, dtype: torch.dtype | None) -> Any:
    """Return an argument, or each of a list, as a value of ``dtype``."""
    return pytree.tree_map(lambda leaf: converted(node, leaf, dtype), argument)


def converted(node: torch.fx.Node, argument: Any, dtype: torch.dtype | None) -> Any:
    """Return an argument as a value of ``dtype``; itself if it is one, or no number."""
    value = values(argument)
    if dtype is None or value is None:
        return argument
    if isinstance(value, torch.Tensor):
        if value.dtype == dtype:
            return argument
        with node.graph.inserting_before(node):
            return inserted(node, CONVERT, argument, dtype)
    return argument if dtype_of_number(value) == dtype else as_tensor(node, argument, dtype)


def dtype_of_number(value: Any) -> torch.dtype | None:
    """Return the dtype that a number has in a translation, by its Python type."""
    from torch.onnx._internal.fx import type_utils

    return type_utils.from_scalar_type_to_torch_dtype(type(value))


def as_tensor(node: torch.fx.Node, argument: Any, dtype: torch.dtype) -> Any:
    """Return a number as a tensor without dimensions; anything else as it is."""
    value = values(argument)
    if not isinstance(value, int | float | complex | torch.SymInt | torch.SymFloat | torch.SymBool):
        return argument
    with node.graph.inserting_before(node):
        return inserted(node, torch.ops.aten.scalar_tensor.default, argument, dtype)


def inserted(node: torch.fx.Node, operator: Any, argument: Any, dtype: torch.dtype) -> Any:
    """Add a call of ``operator`` at the graph's insertion point, on behalf of ``node``."""
    new = node.graph.call_function(operator, (argument,), {"dtype": dtype})
    new.meta.update({key: node.meta[key] for key in KEPT if key in node.meta})
    new.meta["val"] = run(operator, (values(argument),), {"dtype": dtype}, like=node.meta["val"])
    return new


def run(operator: Any, args: Any, kwargs: Any, like: Any = None) -> Any:
    """Run an operator on values without data."""
    leaves = pytree.tree_leaves((args, kwargs, like))
    mode = next((x.fake_mode for x in leaves if hasattr(x, "fake_mode")), None)
    assert mode is not None
    with mode, torch._dispatch.python.enable_python_dispatcher():
        return operator(*args, **kwargs)


def compatible(packet: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Return the overload that takes these arguments, or ``None``."""
    from torch.onnx._internal.fx.passes.type_promotion import find_compatible_op_overload

    try:
        return find_compatible_op_overload(packet, tuple(values(args)), values(kwargs))
    except RuntimeError:  # how it says that there is none
        return None
