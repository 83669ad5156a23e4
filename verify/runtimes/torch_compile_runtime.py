"""PyTorch: a module or an exported program, compiled by `torch.compile` with TorchInductor."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import torch

from converter.errors import MissingFrameworkError
from converter.signature import Signature
from verify import runtimes
from verify.runtimes.torch_runtime import TorchRunner

if TYPE_CHECKING:
    from converter.formats import Source

VARIANTS = 64
"""Shapes to compile for; past its own limit of 8 PyTorch would quietly run the eager module."""


class CompiledRunner(TorchRunner):
    """Runs what another runner would run, compiled; the rest is that runner's business."""

    def __init__(self, eager: TorchRunner) -> None:
        super().__init__(eager.function, eager.device, eager.signature, eager.parameters)
        self.eager, self.declared, self.input_names = eager, eager.declared, eager.input_names
        self.function = torch.compile(eager.function)

    def prepare(self, inputs: dict[str, Any]) -> Any:
        return self.eager.prepare(inputs)

    def _buffers(self) -> dict[str, torch.Tensor]:
        return self.eager._buffers()

    def call(self, prepared: Any) -> Any:
        with torch._dynamo.config.patch(
            recompile_limit=VARIANTS, fail_on_recompile_limit_hit=True, suppress_errors=False
        ):
            return super().call(prepared)

    def close(self) -> None:
        self.eager.close()


def open(source: Source, device: str, signature: Signature | None) -> CompiledRunner:
    """Get a module or a program ready; it is compiled when it first runs.

    Raises:
        MissingFrameworkError: there is no C++ compiler, which TorchInductor needs.
    """
    check_compiler()
    return CompiledRunner(runtimes.default(source).open(source, device, signature))


def check_compiler() -> None:
    """Refuse to start where TorchInductor would fail.

    Raises:
        MissingFrameworkError: no C++ compiler is found where TorchInductor looks for one.
    """
    wanted = os.environ.get("CXX")
    windows = sys.platform == "win32"
    known = [wanted] if wanted else ["cl"] if windows else ["g++", "clang++", "c++"]
    if not any(shutil.which(name) for name in known):
        raise MissingFrameworkError(
            f"the runtime torch_compile needs a C++ compiler; there is no {' or '.join(known)}",
            hint="Install one (g++), or name it in the environment variable CXX.",
        )
