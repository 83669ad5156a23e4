"""Functions of our own as text that stands alone: an operator's handler and all that it calls.

A written module must not import our packages. An operator that is no single call of the framework
becomes a function in the module; its text is the handler's, without what only we need of it.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
from collections.abc import Iterable
from types import FunctionType, ModuleType
from typing import Any

from converter.naming import free
from converter.source.errors import NotWritable

OWN = ("converter", "verify", "zoo")
"""Packages whose code is written out; what belongs to another one is imported."""


class Extraction:
    """Collects definitions and imports.

    Attributes:
        imports: lines, each once.
        definitions: text by name, those that others need first.
        taken: names of the module; those that are chosen here become some of them.
    """

    def __init__(self, taken: set[str], imports: Iterable[str]) -> None:
        self.imports = dict.fromkeys(imports)
        self.definitions: dict[str, str] = {}
        self.names: dict[tuple[str, str], str] = {}
        self.taken = taken

    def definition(self, function: FunctionType | type) -> str:
        """Add a function or class with all that it needs; returns what the text calls it.

        Raises:
            NotWritable: it needs something that has no text.
        """
        if "<locals>" in function.__qualname__:
            raise NotWritable(f"{function.__name__} is made while the program runs")
        return self._defined(function.__module__, function.__name__)

    def _defined(self, module: str, name: str) -> str:
        known = self.names.get((module, name))
        if known is not None:
            return known
        chosen = free(name, self.taken | set(dir(builtins)))
        self.taken.add(chosen)
        self.names[module, name] = chosen
        node = _Dotted(importlib.import_module(module)).visit(_definition(module, name))
        renamed = {inner: self._found(module, inner) for inner in _globals_of(node)}
        renamed[name] = chosen
        self.definitions[chosen] = _text(node, renamed)
        return chosen

    def _found(self, module: str, name: str) -> str:
        """Return what a global name of a module is called in the text, its definition added."""
        holder = importlib.import_module(module)
        owner, dot, own = name.partition(".")
        if dot:
            return self._found(getattr(holder, owner).__name__, own)
        if not hasattr(holder, name):
            if hasattr(builtins, name):
                return name
            raise NotWritable(f"{name} of {module} is not known")
        value = getattr(holder, name)
        if isinstance(value, ModuleType):
            return self._module(value, name)
        home, own = _home(module, name, value)
        if home.split(".")[0] not in OWN:
            self._imported(
                f"from {home} import {own}" + (f" as {name}" if own != name else ""), name
            )
            return name
        return self._defined(home, own)

    def _module(self, value: ModuleType, name: str) -> str:
        if value.__name__.split(".")[0] in OWN:
            raise NotWritable(f"a whole module of ours, {value.__name__}, is used")
        parent, _, leaf = value.__name__.rpartition(".")
        if parent and leaf != name:
            line = f"from {parent} import {leaf} as {name}"
        elif parent:
            line = f"from {parent} import {leaf}"
        else:
            line = f"import {leaf}" + (f" as {name}" if leaf != name else "")
        self._imported(line, name)
        return name

    def _imported(self, line: str, name: str) -> None:
        if line not in self.imports and name in self.taken:
            raise NotWritable(f"{name} means two things in it")
        self.imports[line] = None
        self.taken.add(name)


def _home(module: str, name: str, value: Any) -> tuple[str, str]:
    """Return the module that defines a name, and its name there: imports are followed."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for item in node.names:
                if (item.asname or item.name) == name:
                    inner = getattr(importlib.import_module(node.module), item.name, None)
                    if node.module.split(".")[0] in OWN and inner is value:
                        return _home(node.module, item.name, value)
                    return node.module, item.name
    return module, name


def _definition(module: str, name: str) -> ast.stmt:
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            node.decorator_list = [d for d in node.decorator_list if not _is_registration(d)]
            return node
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            return node
        if isinstance(node, ast.Assign) and (one := _one_of_several(node, name)):
            return one
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        if node.target.id == name and node.value is not None:
            return ast.copy_location(ast.Assign([node.target], node.value), node)
    raise NotWritable(f"{name} has no definition in {module}")


def _one_of_several(node: ast.Assign, name: str) -> ast.Assign | None:
    """Return ``B = 2`` of ``A, B = 1, 2``."""
    (target, *_), values = node.targets, node.value
    if not isinstance(target, ast.Tuple) or not isinstance(values, ast.Tuple):
        return None
    for own, value in zip(target.elts, values.elts, strict=True):
        if isinstance(own, ast.Name) and own.id == name:
            return ast.copy_location(ast.Assign([own], value), node)
    return None


def _is_registration(decorator: ast.expr) -> bool:
    """Tell whether a decorator only enters a handler in the table."""
    return isinstance(decorator, ast.Call) and ast.unparse(decorator.func) in ("op", "registry.op")


class _Globals(ast.NodeVisitor):
    """Finds the names that are read and not bound inside; annotations are no reads."""

    def __init__(self) -> None:
        self.read: dict[str, None] = {}
        self.bound: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.read[node.id] = None
        else:
            self.bound.add(node.id)

    def visit_arg(self, node: ast.arg) -> None:
        self.bound.add(node.arg)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.bound.add(node.name)
        for item in (*node.decorator_list, node.args, *node.body):
            self.visit(item)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.bound |= {item.asname or item.name.split(".")[0] for item in node.names}

    visit_ImportFrom = visit_Import

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.bound.add(node.name)
        self.generic_visit(node)


def _globals_of(node: ast.stmt) -> list[str]:
    finder = _Globals()
    finder.visit(node)
    return [
        name for name in finder.read if name not in finder.bound and not hasattr(builtins, name)
    ]


class _Dotted(ast.NodeTransformer):
    """Makes one name of ``module.function`` where the module is ours: both are written out."""

    def __init__(self, holder: ModuleType) -> None:
        self.holder = holder

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and "." not in node.value.id:
            value = getattr(self.holder, node.value.id, None)
            if isinstance(value, ModuleType) and value.__name__.split(".")[0] in OWN:
                return ast.copy_location(ast.Name(f"{node.value.id}.{node.attr}", node.ctx), node)
        return node


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.name = self.names.get(node.name, node.name)
        node.returns = None
        for argument in (
            *node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs,
            *filter(None, (node.args.vararg, node.args.kwarg)),
        ):  # fmt: skip
            argument.annotation = None
        self.generic_visit(node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        node.name = self.names.get(node.name, node.name)
        self.generic_visit(node)
        return node


def _text(node: ast.stmt, names: dict[str, str]) -> str:
    return ast.unparse(ast.fix_missing_locations(_Renamed(names).visit(node)))
