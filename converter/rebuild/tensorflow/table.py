"""The table of TensorFlow handlers; every room of this folder registers into it."""

from converter.rebuild.registry import Registry

registry = Registry("TensorFlow")
op = registry.op
