"""PyTorch -> ONNX, through `torch.export` and `torch.onnx`."""

from converter.trace.pytorch.trace import trace

__all__ = ["trace"]
