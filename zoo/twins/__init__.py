"""Hand-written twins: the same model in PyTorch and in Keras, one folder each."""
