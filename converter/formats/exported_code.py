"""What reading a `.pt2` archive would evaluate besides its graph.

`torch.export.load` evaluates the archive's size expressions and guards as Python, falls back to
full unpickling of its example inputs, and looks operators up by any dotted name under ``torch``. An
archive that `torch.export.save` wrote uses none of that for more than arithmetic on sizes and
operators of `torch.ops`; anything else is a finding. The framework is not needed for looking.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from converter.formats.content import inner
from converter.formats.pickles import globals_in, suspicious

_OPERATORS = re.compile(
    # Of torch.ops: namespace.operator(.overload). Its own methods load libraries.
    r"torch\.ops\.(?!load_library\b|import_module\b)(?!_)[A-Za-z]\w*(\.(?!__)\w+){1,2}"
    r"|torch\.ops\.aten\.__i?(and|or|xor|lshift|rshift)__\.\w+"
    r"|torch\.(_?sym_\w+|_check\w*|_assert\w*|utils\._sympy\.functions\.\w+)"
    r"|torch\._C\._(set_grad_enabled|log_api_usage_once)"
    r"|torch\._higher_order_ops\.\w+\.\w+"
    r"|math\.[a-z]\w*"
    r"|_operator\.(eq|ne|le|ge|lt|gt|neg|pos|not_|mul|i?add|i?sub|floordiv|truediv|mod|pow|and_|or_"
    r"|xor|lshift|rshift|getitem|index)"
)
_FILE_OPERATORS = re.compile(r"torch\.ops\.aten\.(from_file|save|_print)\b")

_FUNCTIONS = frozenset(
    "Symbol Integer Float Rational Add Mul Pow Mod Max Min Abs And Or Not Eq Ne Lt Le Gt Ge "
    "Equality Unequality StrictLessThan LessThan StrictGreaterThan GreaterThan Piecewise ITE "
    "Xor Number floor ceiling sqrt log exp FloorDiv ModularIndexing Where PythonMod CleanDiv "
    "CeilToInt FloorToInt CeilDiv LShift RShift PowByNatural FloatPow FloatTrueDiv IntTrueDiv "
    "TruncToFloat TruncToInt RoundToInt RoundDecimal ToFloat Identity "
    "IsNonOverlappingAndDenseIndicator BitwiseFn_bitwise_and BitwiseFn_bitwise_or "
    "BitwiseFn_bitwise_xor cast_symbool_to_symint_guardless min max abs int float bool len".split()
)
_ATTRIBUTES = frozenset(
    "size stride storage_offset shape ndim dim numel dtype device type index layout is_contiguous "
    "sym_int sym_float sym_not sym_max sym_min sym_ite sym_sqrt floor ceil trunc sqrt".split()
)
_EXPRESSION_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name,
    ast.Constant, ast.keyword, ast.Subscript, ast.Attribute, ast.Tuple, ast.List, ast.Load,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.IfExp,
)  # fmt: skip
_OLD_LAYOUT = "serialized_exported_program.json"
_FACTORY_MODULES = ("builtins", "collections")


def findings(path: Path) -> list[str]:
    """Return what an archive carries besides graphs and tensors, in words.

    Raises:
        ValueError, zipfile.BadZipFile: the archive is damaged.
    """
    found: dict[str, None] = {}
    with zipfile.ZipFile(path) as archive:
        names = inner(path)
        roots = {name.partition("/")[0] for name in archive.namelist() if "/" in name}
        if len(roots) > 1 and _OLD_LAYOUT not in names or len(names) < len(archive.namelist()):
            found["members outside of its folder, or twice"] = None
        texts = {
            name: json.loads(archive.read(full))
            for name, full in names.items()
            if name.endswith(".json") and not name.startswith("extra/")
        }
        pickled = {f"data/weights/{n}" for n in _pickled(texts, "weights")}
        pickled |= {f"data/constants/{n}" for n in _pickled(texts, "constants")}
        for name, full in names.items():
            if name.endswith((".so", ".o", ".cpp", ".py", ".dll")) or "aotinductor/" in name:
                found[f"compiled code ({name})"] = None
            elif "/custom_obj" in name or "/opaque_obj" in name:
                found[f"a custom object ({name})"] = None
            elif name.endswith(".pt") or name in pickled:
                for item in suspicious(_imports(archive.read(full))):
                    found[f"a pickle that names {item} ({name})"] = None
        for text in texts.values():
            found |= dict.fromkeys(_in_json(text))
    return list(found)


def _imports(content: bytes) -> tuple[str, ...]:
    return globals_in(io.BytesIO(content)) if content else ()


def _pickled(texts: dict[str, Any], folder: str) -> Iterator[str]:
    """Yield the members that the archive says are pickles."""
    for name, text in texts.items():
        if name.startswith(f"data/{folder}/") and isinstance(text, dict):
            for entry in (text.get("config") or {}).values():
                if entry.get("use_pickle"):
                    yield entry["path_name"]


def _in_json(item: Any, key: str = "") -> Iterator[str]:
    """Walk a serialized program and yield what would be evaluated and is no arithmetic."""
    if isinstance(item, dict):
        if item.get("__enum__"):
            yield f"a class by name ({item.get('fqn')})"
        if str(item.get("default_factory_module", "builtins")) not in _FACTORY_MODULES:
            yield f"a function by name ({item['default_factory_module']})"
        for name, value in item.items():
            if name in ("range_constraints", "symbol_name_to_range") and isinstance(value, dict):
                yield from (f"the expression {text!r}" for text in value if not is_arithmetic(text))
            yield from _in_json(value, name)
    elif isinstance(item, list):
        for value in item:
            yield from _in_json(value, key)
    elif isinstance(item, str):
        yield from _in_text(item, key)


def _in_text(text: str, key: str) -> Iterator[str]:
    if key in ("expr_str", "guards_code", "as_expr") and not is_arithmetic(text):
        yield f"the expression {text[:80]!r}"
    elif key in ("target", "as_operator") and not is_operator(text):
        yield f"the function {text[:80]}"
    elif key in ("in_spec", "out_spec", "context") and text[:1] in ("[", "{"):
        yield from _in_json(json.loads(text), key)


def is_operator(target: str) -> bool:
    """Tell whether a call's target is an operator of a graph, and none that touches files."""
    if not target.startswith(("torch", "_operator", "math")):
        return True  # torch leaves it as text
    return bool(_OPERATORS.fullmatch(target)) and not _FILE_OPERATORS.match(target)


def is_arithmetic(expression: str) -> bool:
    """Tell whether an expression is arithmetic on sizes and nothing else."""
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(_harmless(node) for node in ast.walk(tree))


def _harmless(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in _ATTRIBUTES
    if isinstance(node, ast.Name):
        return not node.id.startswith("__")
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.fullmatch(r"[\w.]*", node.value) is not None and "__" not in node.value
    if isinstance(node, ast.Call):
        function = node.func
        return isinstance(function, ast.Attribute) or (
            isinstance(function, ast.Name) and function.id in _FUNCTIONS
        )
    return isinstance(node, _EXPRESSION_NODES)
