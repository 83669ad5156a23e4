"""`equiport convert|verify|zoo`, for machines where another program owns the name `convert`."""

from __future__ import annotations

import sys
from importlib import import_module

COMMANDS = {
    "convert": ("converter.cli", "Convert a model between PyTorch and TensorFlow, and verify it."),
    "verify": ("verify.cli", "Compare two models."),
    "zoo": ("zoo.cli", "Reference models, and the sweep over them."),
}
USAGE = 2


def main() -> None:
    """Run one of the commands, each imported only when it is asked for."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        lines = "".join(f"  {command:<8} {text}\n" for command, (_, text) in COMMANDS.items())
        sys.stdout.write(f"Usage: equiport COMMAND [ARGS]...\n\nCommands:\n{lines}")
        return
    if name == "--version":
        from importlib.metadata import version

        sys.stdout.write(f"equiport {version('equiport')}\n")
        return
    if name not in COMMANDS:
        sys.stderr.write(f"Error: unknown command {name!r}\n  Known: {', '.join(COMMANDS)}.\n")
        sys.exit(USAGE)
    sys.argv = [f"equiport {name}", *sys.argv[2:]]
    import_module(COMMANDS[name][0]).main()


if __name__ == "__main__":
    main()
