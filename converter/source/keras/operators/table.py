"""The tables that the files beside this one fill."""

from __future__ import annotations

from converter.source.spelling import Spellings

spells = Spellings()

last = Spellings()
"""Operators whose channels are the last axis (`converter.graph.layout`)."""
