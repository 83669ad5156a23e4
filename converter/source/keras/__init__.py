"""Keras as a language: real layers, and `keras.ops` for the rest."""
