"""What a failure of `torch.export` or `torch.onnx` says: the cause, the place, and what to change.

A hint comes from its cause. A failure that is not known here gets its own words and no hint.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch

from converter.errors import TraceError
from converter.trace.pytorch.guards import Place, place_of

Words = tuple[str, str | None]
"""What went wrong, and what to do about it."""


@dataclass(frozen=True)
class Cause:
    """A kind of failure.

    Attributes:
        kinds: names of the exception's class; empty: any.
        pattern: found in its text.
        words: makes what is said of it from the match.
    """

    kinds: tuple[str, ...]
    pattern: str
    words: Callable[[re.Match[str]], Words]


def _said(message: str, hint: str | None) -> Callable[[re.Match[str]], Words]:
    """Return words with the match's named groups in them."""

    def words(match: re.Match[str]) -> Words:
        groups = {key: value for key, value in match.groupdict().items() if value is not None}
        return message.format(**groups), hint.format(**groups) if hint else None

    return words


CAUSES = (
    Cause(
        ("GuardOnDataDependentSymNode",),
        r"Could not extract specialized integer",
        _said(
            "a Python number is made of a tensor's value, and a size or a loop depends on it",
            "A trace has no values. Keep the size fixed and mask what is beyond it, in place of "
            ".item(), .tolist() or int() on a tensor.",
        ),
    ),
    Cause(
        ("GuardOnDataDependentSymNode", "DataDependentOutputException"),
        r"",
        _said(
            "Python decides by a tensor's value (if, while, assert or bool() on a tensor)",
            "A trace has no values. Write the choice with torch.where or torch.cond, a loop with "
            "torch.while_loop, and leave the assertion out.",
        ),
    ),
    Cause(
        (),
        r"no fake impl registered for <CustomOpDef\((?P<op>[\w:.]+)\)>",
        _said(
            "the custom operator {op} does not say what its result looks like",
            "Only operators of PyTorch's own can be converted: write {op} with them.",
        ),
    ),
    Cause(
        ("UnsupportedOperatorException",),
        r"(?P<op>aten\.(_to_sparse|sparse_|_sparse)[\w.]*)",
        _said(
            "the model uses sparse tensors ({op})",
            "ONNX has dense tensors only: make it dense before the model, or compute with a dense "
            "tensor and a mask.",
        ),
    ),
    Cause(
        ("UnsupportedOperatorException",),
        r"(?P<op>aten\._nested[\w.]*)",
        _said(
            "the model uses nested tensors ({op})",
            "ONNX has none: pad the rows to one length and pass their lengths or a mask.",
        ),
    ),
    Cause(
        ("UnsupportedOperatorException", "DynamicOutputShapeException"),
        r"(?P<op>[\w.:]+)",
        _said(
            "PyTorch cannot say what the result of {op} looks like without its values",
            "Write this part with other operators.",
        ),
    ),
    Cause(
        (),
        r"\.numpy\(\) is not supported for tensor subclasses|"
        r"Cannot access data pointer of Tensor|expected np\.ndarray",
        _said(
            "the model leaves PyTorch: it reads a tensor's memory (NumPy, or an extension in C++)",
            "A trace sees PyTorch's operators only: write this part with them.",
        ),
    ),
    Cause(
        (),
        r"Found <class '(?P<type>[\w.]+)'> in output",
        _said(
            "the model returns a {type}, which is no tensor",
            "Return tensors, or tuples, lists and dicts of tensors.",
        ),
    ),
    Cause(
        (),
        r"ScriptObject|torchbind|__torch__",
        _said(
            "the model holds an object of a class in C++ (a torchbind class)",
            "Such objects have no ONNX form: write this part with modules and tensors.",
        ),
    ),
)

NODE = re.compile(
    r"Error when translating node %(?P<node>\w+) .*?target=(torch\.ops\.)?(?P<op>[\w.]+)"
)
"""What `torch.onnx` says of the call that it could not write."""

RAISED = (
    "RuntimeError", "ValueError", "IndexError", "TypeError", "KeyError", "AssertionError",
    "AttributeError", "ZeroDivisionError", "NotImplementedError", "UserError",
)  # fmt: skip
"""What a model itself raises when it is called with what it cannot take."""


def as_trace_error(
    error: Exception,
    module: torch.nn.Module | None = None,
    called_with: str = "",
) -> TraceError:
    """Say in one message what stopped a trace, and where in the user's code.

    Args:
        module: what was traced, to name the part of it that failed.
        called_with: the example inputs, ``x:float32[3,4]``.
    """
    chain = chain_of(error)
    root = chain[-1]
    if about_sizes := of_open_sizes(str(root)):
        return about_sizes
    place = place_of(root, module)
    scripted = scripted_inside(module) if isinstance(root, TypeError) else None
    if scripted and "positional argument" in str(root):
        return TraceError(
            "a part of the model is TorchScript, which cannot be traced inside of a module",
            module_path=scripted,
            source_line=place.line or None,
            hint="Put the module that torch.jit.script was given in its place, or script the "
            "whole model: torch.jit.script(model) is converted, loops included.",
        )
    message, hint = words_of(root)
    for link in chain:
        if match := NODE.search(str(link)):
            message = f"PyTorch's {match['op']} cannot be written in ONNX: {plain(root)}"
            hint = "Write this part with other operators."
            return _error(message, hint, place, match["node"])
    if not message and type(root).__name__ in RAISED:
        message = f"the model raised {type(root).__name__}: {plain(root)}"
        if called_with and place.module + place.line:
            hint = f"It was called with {called_with}. Describe inputs that it takes (--input)."
    return _error(message or f"PyTorch could not trace the model: {plain(root)}", hint, place)


def scripted_inside(module: torch.nn.Module | None) -> str | None:
    """Return the path of the first part of a module that is TorchScript, if it has one."""
    children = module.named_modules() if module is not None else ()
    paths = (path for path, child in children if path and isinstance(child, torch.jit.ScriptModule))
    return next(paths, None)


def of_open_sizes(text: str) -> TraceError | None:
    """Return the error for dimensions that were declared open and are not, where it is that."""
    if fixed := _FIXED.search(text):
        return TraceError(
            f"the model fixes the dimension {fixed[1]!r} at {fixed[2]}, so it cannot be dynamic",
            hint=f"Write {fixed[2]} instead of {fixed[1]} in --input, or change the model.",
        )
    if "Constraints violated" in text:
        lines = [line.strip(" -") for line in text.splitlines() if line.strip().startswith("-")]
        return TraceError(
            "the declared dynamic dimensions do not fit the model: " + "; ".join(lines)[:600],
            hint="Narrow them in --input (for example seq<=512), or write sizes instead of words.",
        )
    return None


_FIXED = re.compile(
    r"marked (\w+) as dynamic but your code specialized it to be a constant \((\d+)\)"
)


def _error(message: str, hint: str | None, place: Place, node: str | None = None) -> TraceError:
    return TraceError(
        message,
        hint=hint,
        node=node,
        module_path=place.module or None,
        source_line=place.line or None,
    )


def chain_of(error: BaseException) -> list[BaseException]:
    """Return an error and what caused it, the first cause last."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    return chain


def words_of(root: BaseException) -> Words:
    """Return what is known of a cause; nothing where it is none of `CAUSES`."""
    known = known_cause(root)
    return known[0].words(known[1]) if known else ("", None)


def known_cause(root: BaseException) -> tuple[Cause, re.Match[str]] | None:
    """Return which of `CAUSES` an error is, and the match in its text."""
    for cause in CAUSES:
        if cause.kinds and type(root).__name__ not in cause.kinds:
            continue
        if match := re.search(cause.pattern, str(root)):
            return cause, match
    return None


def plain(error: BaseException) -> str:
    """Return the first line that an error says, without colours."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line[:500] or type(error).__name__
