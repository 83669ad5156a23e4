"""What a pickle would import, read off its opcodes; nothing of it runs."""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
from pathlib import Path
from typing import Any

from converter.errors import UntrustedModelError
from converter.formats.content import ZIP

LEGACY_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The number that `torch.save` wrote first before it wrote zip archives."""

UNKNOWN = "a computed name"
"""Stands for a name that cannot be read off the opcodes."""

_PICKLES_BEFORE_THE_OBJECT = 3
_PICKLES_IN_LEGACY_FILE = 5
"""Magic number, protocol, system, the object, the keys of its storages."""

_TENSORS = re.compile(
    r"collections\.(OrderedDict|Counter|defaultdict)"
    r"|torch\._utils\._rebuild_(?!from_type)\w+"
    r"|torch\._tensor\._rebuild_from_type_v2"
    r"|torch\.(storage\.)?\w*Storage"
    r"|torch\.(Size|Tensor|device|dtype|qint8|quint8|qint32|per_tensor_affine|per_channel_affine)"
    r"|torch\.(b?float\w*|double|half|u?int\d*|long|short|bool|complex\d+)"
    r"|torch\.nn\.parameter\.(Parameter|Buffer)"
    r"|torch\.serialization\._get_layout"
    r"|torch\._C\._set_obj_state"
    r"|numpy\.(dtype|ndarray)|numpy\._?core\.multiarray\.(_reconstruct|scalar)|_codecs\.encode"
    r"|(__builtin__|builtins)\.(set|dict|list|tuple|int|float|bool|str|bytes|bytearray|complex)"
)
"""Names that only put tensors and plain values together."""


def globals_of(path: Path) -> tuple[str, ...]:
    """Return the dotted names that the pickle in a PyTorch file would import, in order.

    Raises:
        ValueError: the file holds no pickle, or a damaged one.
    """
    with path.open("rb") as file:
        return globals_in(file)


def globals_in(file: io.BufferedIOBase | io.BytesIO) -> tuple[str, ...]:
    """Return the dotted names in an archive of `torch.save`, its old layout, or a bare pickle."""
    start = file.read(16)
    file.seek(0)
    names: dict[str, None] = {}
    if start.startswith(ZIP):
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                if name.endswith(".pkl"):
                    names |= dict.fromkeys(_globals(archive.open(name)))
        return tuple(names)
    count = _PICKLES_IN_LEGACY_FILE if LEGACY_MAGIC in start else 1
    for _ in range(count):
        names |= dict.fromkeys(_globals(file))
    return tuple(names)


def holds_mapping(path: Path) -> bool:
    """Tell whether what `torch.save` wrote is a dictionary, from the first opcodes alone."""
    with path.open("rb") as file:
        start = file.read(64)
        file.seek(0)
        if start.startswith(ZIP):
            with zipfile.ZipFile(file) as archive:
                name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
                return _begins_with_mapping(archive.open(name))
        for _ in range(_PICKLES_BEFORE_THE_OBJECT if LEGACY_MAGIC in start else 0):
            _globals(file)
        return _begins_with_mapping(file)


def _begins_with_mapping(file: Any) -> bool:
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name not in ("PROTO", "FRAME"):
            return opcode.name in ("EMPTY_DICT", "DICT", "MARK") or (
                opcode.name == "GLOBAL" and argument in ("collections OrderedDict",)
            )
    return False


def _globals(file: Any) -> list[str]:
    """Read one pickle; follows strings through the memo to where ``STACK_GLOBAL`` takes them."""
    names: list[str] = []
    memo: dict[int, str] = {}
    pushed: list[str] = []  # strings on top of the stack, as far as they are known
    argument: Any
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
            key = len(memo) if argument is None else int(argument)
            memo[key] = pushed[-1] if pushed else UNKNOWN
        elif opcode.name in ("BINGET", "LONG_BINGET", "GET"):
            pushed.append(memo.get(int(argument), UNKNOWN))
        elif "UNICODE" in opcode.name or "STRING" in opcode.name:
            pushed.append(str(argument))
        else:
            if opcode.name in ("GLOBAL", "INST"):
                names.append(str(argument).replace(" ", "."))
            elif opcode.name == "STACK_GLOBAL":
                names.append(".".join(pushed[-2:]) if len(pushed) > 1 else UNKNOWN)
            elif opcode.name in ("EXT1", "EXT2", "EXT4"):
                names.append(f"copyreg extension {argument}")
            pushed.clear()
    return names


def suspicious(names: tuple[str, ...]) -> list[str]:
    """Return the names that are more than tensors and plain values."""
    return [name for name in names if not _TENSORS.fullmatch(name)]


def refusal(path: Path, what: str, found: list[str]) -> UntrustedModelError:
    """Return the error for a file that would run code, with what was found in it."""
    shown = ", ".join(found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")
    return UntrustedModelError(
        f"{path} is {what}; reading it would run code that it names: {shown}",
        hint="If you trust whoever made it, add --trust (trust=True in Python). Otherwise ask for "
        "a .pt2, a state_dict or a .safetensors file.",
    )
