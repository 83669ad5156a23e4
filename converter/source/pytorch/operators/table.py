"""The table that the files beside this one fill."""

from __future__ import annotations

from converter.source.spelling import Spellings

spells = Spellings()
