"""TensorFlow -> ONNX, through tf2onnx's graph processing, the weights kept out of the graph."""

from converter.trace.tensorflow.trace import trace

__all__ = ["trace"]
