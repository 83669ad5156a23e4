"""The JSON Schema of a report, made from the dataclasses that the report is made of.

``python -m verify.report.schema docs/report.schema.json`` writes it anew.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from converter.errors import OutputError
from verify.report.files import write_text
from verify.report.json import VERSION
from verify.report.plain import NOT_FINITE, has_verdict, published
from verify.report.result import OutputComparison, Report

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NUMBER = {"anyOf": [{"type": "number"}, {"enum": list(NOT_FINITE)}]}
SIMPLE: dict[Any, dict[str, Any]] = {
    str: {"type": "string"}, int: {"type": "integer"}, bool: {"type": "boolean"},
    float: {"$ref": "#/$defs/number"}, type(None): {"type": "null"}, Any: {},
}  # fmt: skip


def schema(strict: bool = False) -> dict[str, Any]:
    """Return the schema (draft 2020-12).

    Args:
        strict: refuse properties that it does not name. The published one lets them be, so that
            what reads today's reports reads those of the next version with one property more.
    """
    definitions: dict[str, Any] = {"number": NUMBER}
    _describe(Report, definitions, strict)
    report = definitions.pop("Report")
    worked_out = {
        "equiport_report": {"const": VERSION, "description": "version of this schema"},
        "outputs": of_type(Mapping[str, OutputComparison], definitions, strict)
        | {"description": "each output's worst comparison over all runs, by name"},
        "failures": {"type": "array", "items": SIMPLE[str],
                     "description": "what failed, one line each"},
    }  # fmt: skip
    report["properties"] = {**worked_out, **report["properties"]}
    report["required"] = [*worked_out, *report["required"]]
    return {
        "$schema": DIALECT, "$id": f"urn:equiport:report:{VERSION}", "title": "Equiport report",
        **report, "$defs": {name: definitions[name] for name in sorted(definitions)},
    }  # fmt: skip


def broken_promises(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what a reader of reports by the old schema relies on and the new one lacks."""
    before, now = _properties(old), _properties(new)
    lines = [f"{name} is gone" for name in before if name not in now]
    return lines + [
        f"{name} has another type"
        for name in before
        if name in now and _narrower(before[name], now[name])
    ]


def publish(path: Path) -> None:
    """Write the schema.

    Raises:
        OutputError: it breaks a promise of the published one without a new version.
    """
    new = schema()
    if path.exists():
        old = json.loads(path.read_text(encoding="utf-8"))
        broken = broken_promises(old, new) if old.get("$id") == new["$id"] else []
        if broken:
            raise OutputError(
                f"the schema of version {VERSION} is published: {'; '.join(broken)}",
                hint="Raise VERSION in verify/report/json.py.",
            )
    write_text(json.dumps(new, indent=1) + "\n", path)


def _describe(kind: type, definitions: dict[str, Any], strict: bool) -> dict[str, Any]:
    """Add a dataclass to the definitions and return the reference to it."""
    reference = {"$ref": f"#/$defs/{kind.__name__}"}
    if kind.__name__ in definitions:
        return reference
    definitions[kind.__name__] = {}  # a class may hold itself
    hints, texts = typing.get_type_hints(kind), _attribute_texts(kind)
    properties = {}
    for field in published(kind):
        told = {"description": texts[field.name]} if field.name in texts else {}
        properties[field.name] = of_type(hints[field.name], definitions, strict) | told
    if has_verdict(kind):
        properties["passed"] = SIMPLE[bool] | {"description": _first_line(kind.__dict__["passed"])}
    definitions[kind.__name__] = {
        "type": "object", "description": _first_line(kind), "properties": properties,
        "required": list(properties),
    } | ({"additionalProperties": False} if strict else {})  # fmt: skip
    return reference


def of_type(hint: Any, definitions: dict[str, Any], strict: bool) -> dict[str, Any]:
    """Return the schema of one type.

    Raises:
        TypeError: reports have no form for it.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in SIMPLE:
        return dict(SIMPLE[hint])
    if origin in (types.UnionType, typing.Union):
        return {"anyOf": [of_type(item, definitions, strict) for item in arguments]}
    if origin in (Mapping, dict):
        return {
            "type": "object",
            "additionalProperties": of_type(arguments[1], definitions, strict),
        }
    if origin in (list, Sequence) or (origin is tuple and arguments[-1] is Ellipsis):
        return {"type": "array", "items": of_type(arguments[0], definitions, strict)}
    if origin is tuple:
        items = [of_type(item, definitions, strict) for item in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items),
                "maxItems": len(items)}  # fmt: skip
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [item.value for item in hint], "description": _first_line(hint)}
    if isinstance(hint, type) and is_dataclass(hint):
        return _describe(hint, definitions, strict)
    raise TypeError(f"a report has no form for {hint}")


def _attribute_texts(kind: type) -> dict[str, str]:
    """Read the ``Attributes:`` of a docstring: name to text."""
    _, found, section = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")
    texts: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines() if found else []:
        if entry := re.match(r"    ([\w, ]+): (.*)", line):
            names = [name.strip() for name in entry[1].split(",")]
            texts |= dict.fromkeys(names, entry[2])
        else:
            texts |= {name: f"{texts[name]} {line.strip()}".strip() for name in names}
    return {name: text.replace("``", "`") for name, text in texts.items()}


def _first_line(thing: Any) -> str:
    return inspect.cleandoc(thing.__doc__ or "").partition("\n")[0]


def _properties(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Return every property by its place, e.g. ``Run.stage``."""
    kinds = {"Report": whole, **whole.get("$defs", {})}
    return {
        f"{kind}.{name}": {key: text for key, text in told.items() if key != "description"}
        for kind, content in kinds.items()
        for name, told in content.get("properties", {}).items()
    }


def _narrower(old: Any, new: Any) -> bool:
    """Tell whether what fits the new type need not fit the old one."""
    if "enum" in old and "enum" in new:
        return not set(old["enum"]) <= set(new["enum"])
    return old != new


def main() -> None:
    """Write the schema to the file that is named."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m verify.report.schema FILE")
    try:
        publish(Path(sys.argv[1]))
    except OutputError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
