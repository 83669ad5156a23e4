"""The table of PyTorch handlers; every room of this folder registers into it."""

from converter.rebuild.registry import Registry

registry = Registry("PyTorch")
op = registry.op
