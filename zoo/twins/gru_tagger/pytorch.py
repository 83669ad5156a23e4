"""The bidirectional GRU tagger in PyTorch."""

from __future__ import annotations

from torch import Tensor, nn

VOCABULARY, EMBEDDED, HIDDEN, TAGS = 150, 24, 32, 9


class GRUTagger(nn.Module):
    """Token ids ``[batch, length]`` int64 -> logits of the tags ``[batch, length, 9]``."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, EMBEDDED)
        self.gru = nn.GRU(EMBEDDED, HIDDEN, batch_first=True, bidirectional=True)
        self.tags = nn.Linear(2 * HIDDEN, TAGS)

    def forward(self, tokens: Tensor) -> Tensor:
        outputs, _ = self.gru(self.embedding(tokens))
        return self.tags(outputs)


def build() -> GRUTagger:
    """Return the model with PyTorch's own initial weights."""
    return GRUTagger()
