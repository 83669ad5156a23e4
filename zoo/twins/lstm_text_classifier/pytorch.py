"""The LSTM text classifier in PyTorch."""

from __future__ import annotations

from torch import Tensor, nn

VOCABULARY, EMBEDDED, HIDDEN, CLASSES = 200, 32, 48, 4


class LSTMTextClassifier(nn.Module):
    """Token ids ``[batch, length]`` int64, padded at the end with 0 -> logits ``[batch, 4]``."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, EMBEDDED, padding_idx=0)
        self.lstm = nn.LSTM(EMBEDDED, HIDDEN, batch_first=True)
        self.logits = nn.Linear(HIDDEN, CLASSES)

    def forward(self, tokens: Tensor) -> Tensor:
        outputs, _ = self.lstm(self.embedding(tokens))
        last = ((tokens != 0).sum(1) - 1).clamp(min=0)  # index of the last token of each text
        index = last[:, None, None].expand(-1, -1, HIDDEN)
        return self.logits(outputs.gather(1, index).squeeze(1))


def build() -> LSTMTextClassifier:
    """Return the model with PyTorch's own initial weights."""
    return LSTMTextClassifier()
