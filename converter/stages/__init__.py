"""Stages of the road in another Python interpreter, one that has the framework they need.

`elsewhere` is this side of the border, `worker` the other one. What crosses are an ONNX file, the
artifact, and lines of JSON.
"""
