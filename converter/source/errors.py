"""What cannot be written as source."""

from __future__ import annotations

from converter.errors import EquiportError


class NotWritable(EquiportError):
    """The graph has something that the writer has no words for; the message says what."""
