"""Find out before any work whether everything that it needs is installed."""

from __future__ import annotations

from importlib.util import find_spec

from converter.errors import MissingFrameworkError

TARGET = {
    "tf": ("tensorflow",),
    "keras": ("tensorflow", "keras"),
    "tflite": ("tensorflow",),
    "torch": ("torch", "safetensors"),
    "onnx": (),
}
"""Packages that rebuilding and saving needs."""

TARGET_FRAMEWORK = {
    "tf": "tensorflow", "keras": "tensorflow", "tflite": "tensorflow", "torch": "torch",
    "onnx": "onnx",
}  # fmt: skip
"""Framework that a target is built in."""

SOURCE = {"torch": ("torch", "onnxscript"), "tensorflow": ("tensorflow", "tf2onnx"), "onnx": ()}
"""Packages that tracing needs."""

EXTRA = {"torch": "torch", "onnxscript": "torch", "safetensors": "torch", "ruff": "torch"}


def require(packages: tuple[str, ...], what: str) -> None:
    """Refuse to start where a package is missing.

    Args:
        packages: top-level names, looked for and not imported.
        what: what needs them, for the message: ``"--to tf"``.

    Raises:
        MissingFrameworkError: names the first that is missing and how to install it.
    """
    for name in packages:
        if not installed(name):
            extra = EXTRA.get(name, "tensorflow")
            raise MissingFrameworkError(
                f"{what} needs {name}, which is not installed",
                hint=f'Install it: pip install "equiport[{extra}]"',
            )


def installed(name: str) -> bool:
    """Tell whether a top-level package can be found."""
    try:
        return find_spec(name) is not None
    except (ModuleNotFoundError, ValueError):  # blocked, or half imported
        return False
