"""Sizes as words and expressions of words: ``seq``, ``past+1``, ``2*h``, ``(h+1)//2``."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from converter.errors import InputSpecError

_OPERATORS: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}

_COMPARISONS: dict[type, Callable[[int, int], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}

_FUNCTIONS: dict[str, Callable[..., int]] = {"max": max, "min": min}

_HINT = 'Describe the input with --input, e.g. --input "x:float32[batch,3,32,32]".'


def words_in(size: int | str) -> list[str]:
    """Return the words in a size or a condition, in order and none twice.

    Raises:
        InputSpecError: the text is neither a word nor an expression.
    """
    if isinstance(size, int):
        return []
    if size.isidentifier():  # also Python's keywords: "in" is a good word for a dimension
        return [size]
    names = [node.id for node in ast.walk(_parsed(size)) if isinstance(node, ast.Name)]
    return list(dict.fromkeys(name for name in names if name not in _FUNCTIONS))


def size_of(size: int | str, words: Mapping[str, int]) -> int:
    """Return a size, given the sizes of the words.

    Raises:
        InputSpecError: the expression has something else than words, integers, ``max``, ``min``
            and ``+ - * // %``.
    """
    if isinstance(size, int):
        return size
    if size in words:
        return words[size]
    return _value(_parsed(size), size, words)


def holds(condition: str, words: Mapping[str, int]) -> bool:
    """Tell whether a condition such as ``h % 8 == 0`` or ``tgt <= src`` is true of these sizes.

    A division by nothing is not true.

    Raises:
        InputSpecError: the text is no comparison of sizes.
    """
    try:
        return bool(_value(_parsed(condition), condition, words))
    except ZeroDivisionError:
        return False


def check(text: str) -> None:
    """Refuse a text that is no size.

    Raises:
        InputSpecError: see `size_of`.
    """
    try:
        size_of(text, dict.fromkeys(words_in(text), 7))
    except ZeroDivisionError:
        return


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Put other words, or expressions, in place of the words of an expression."""
    if text.isidentifier():
        return names.get(text, text)
    return ast.unparse(_Renaming(names).visit(_parsed(text))).replace(" ", "")


class _Renaming(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return _parsed(self.names[node.id]) if node.id in self.names else node


def words_of(sizes: Iterable[int | str]) -> list[str]:
    """Return the words of several sizes, in order and none twice."""
    return list(dict.fromkeys(word for size in sizes for word in words_in(size)))


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise InputSpecError(
            f"the dimension {text!r} is neither a word nor an expression", hint=_HINT
        ) from error


def _value(node: ast.expr, text: str, words: Mapping[str, int]) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name) and node.id in words:
        return words[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, text, words), _value(node.right, text, words)
        return _OPERATORS[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, text, words)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return not _value(node.operand, text, words)
    if isinstance(node, ast.BoolOp):
        joined = all if isinstance(node.op, ast.And) else any
        return joined(_value(item, text, words) for item in node.values)
    if isinstance(node, ast.Compare):
        sides = [_value(side, text, words) for side in (node.left, *node.comparators)]
        kinds = [_COMPARISONS.get(type(op)) for op in node.ops]
        if all(kinds):
            pairs = zip(kinds, sides, sides[1:], strict=False)
            return all(kind(left, right) for kind, left, right in pairs if kind is not None)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        function = _FUNCTIONS.get(node.func.id)
        if function is not None and node.args:
            return function(*(_value(item, text, words) for item in node.args))
    raise InputSpecError(f"the dimension {text!r} cannot be computed", hint=_HINT)
