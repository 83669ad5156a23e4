"""Which GPUs there are, asked of the driver: no framework is imported for that."""

from __future__ import annotations

import ctypes
import os
import re
from importlib.metadata import PackageNotFoundError, version

from converter.errors import UsageError

DRIVERS = (
    ("libcuda.so.1", "cuInit", "cuDeviceGetCount"),
    ("nvcuda.dll", "cuInit", "cuDeviceGetCount"),
    ("libamdhip64.so", "hipInit", "hipGetDeviceCount"),
)
"""Library, and its functions that start and count; PyTorch calls AMD's devices cuda, too."""

WITH_CUDA = {
    "torch": ("torch",), "tensorflow": ("tensorflow",), "onnx": ("onnxruntime-gpu",),
}  # fmt: skip
"""Distributions that may have CUDA, by framework."""

WITHOUT_CUDA = {"torch": (), "tensorflow": ("tensorflow-cpu",), "onnx": ("onnxruntime",)}
"""Those that never have it."""


def check_name(device: str) -> None:
    """Refuse a device of a name that no runtime knows.

    Raises:
        UsageError: it is neither ``cpu`` nor ``cuda`` nor ``cuda:1``.
    """
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise UsageError(f"unknown device {device!r}", hint="Use cpu, cuda or cuda:1.")


def check_device(device: str, framework: str | None = None) -> None:
    """Refuse a device that is not here.

    Args:
        framework: whose package, in this interpreter, is to use it; ``None``: of another
            interpreter, whose packages are not looked at.

    Raises:
        UsageError: its name is unknown, the machine does not have it, or the framework's package
            is made without CUDA.
    """
    check_name(device)
    if device == "cpu":
        return
    count, index = gpus(), int(device.partition(":")[2] or 0)
    if count == 0:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        why = "" if hidden is None else f" (CUDA_VISIBLE_DEVICES is {hidden!r})"
        raise UsageError(
            f"the device {device} cannot be used: no GPU is found{why}", hint="Use --device cpu."
        )
    if index >= count:
        raise UsageError(
            f"the device {device} cannot be used: there are {count} GPUs, numbered from 0",
            hint="Use --device cuda for the first.",
        )
    if framework is not None and (name := without_cuda(framework)) is not None:
        raise UsageError(
            f"the device {device} cannot be used: {name} is made without CUDA",
            hint="Install a build that has CUDA, or use --device cpu.",
        )


def gpus() -> int:
    """Return how many GPUs the driver shows; 0 without a driver."""
    for library, start, count in DRIVERS:
        try:
            driver = ctypes.CDLL(library)
            found = ctypes.c_int(0)
            if getattr(driver, start)(0) == 0 and getattr(driver, count)(ctypes.byref(found)) == 0:
                return found.value
        except (OSError, AttributeError):  # not installed
            continue
    return 0


def without_cuda(framework: str) -> str | None:
    """Return the installed package of a framework that cannot use a GPU; ``None``: it may."""
    for name in WITH_CUDA[framework]:
        found = _version(name)
        if found is not None:
            return f"{name} {found}" if found.endswith("+cpu") else None
    for name in WITHOUT_CUDA[framework]:
        if (found := _version(name)) is not None:
            return f"{name} {found}"
    return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
