"""What cannot be written as source."""

from __future__ import annotations

from converter.errors import RebuildError


class NotWritable(RebuildError):
    """The graph has something that the writer has no words for; the message says what."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the model cannot be written as source code: {reason}",
            hint="Leave --source out (source= in Python): the conversion itself does not need it.",
        )
