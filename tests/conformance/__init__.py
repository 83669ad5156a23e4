"""ONNX's own conformance suite, run against both rebuilds."""
