"""The two roads from the graph to the target: our own rebuild, and onnx2tf."""
