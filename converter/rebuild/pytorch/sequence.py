"""Handlers of the rooms `sequence` and `optional`: a sequence is a Python list."""

from __future__ import annotations

import torch

from converter.rebuild.pytorch.dtypes import to_framework
from converter.rebuild.pytorch.table import op


@op("SequenceEmpty", since=11)
def sequence_empty(*, dtype=1):
    to_framework(dtype)  # refuses what no tensor can have
    return []


@op("SequenceConstruct", since=11)
def sequence_construct(*inputs):
    return list(inputs)


@op("SequenceAt", since=11, host=("position",))
def sequence_at(input_sequence, position):
    return input_sequence[_first(position)]


@op("SequenceInsert", since=11, host=("position",))
def sequence_insert(input_sequence, tensor, position=None):
    result = list(input_sequence)
    result.insert(len(result) if position is None else _first(position), tensor)
    return result


@op("SequenceErase", since=11, host=("position",))
def sequence_erase(input_sequence, position=None):
    result = list(input_sequence)
    del result[-1 if position is None else _first(position)]
    return result


def _first(position):
    return position[0] if isinstance(position, tuple) else position


@op("SequenceLength", since=11)
def sequence_length(input_sequence, *, device):
    return torch.tensor(len(input_sequence), dtype=torch.int64, device=device)


@op("SplitToSequence", since=11, host=("split",))
def split_to_sequence(input, split=None, *, axis=0, keepdims=1):
    if split is None:
        pieces = torch.split(input, 1, axis)
        return [piece if keepdims else piece.squeeze(axis) for piece in pieces]
    return list(torch.split(input, split if isinstance(split, int) else list(split), axis))


@op("ConcatFromSequence", since=11)
def concat_from_sequence(input_sequence, *, axis, new_axis=0):
    return torch.stack(input_sequence, axis) if new_axis else torch.cat(input_sequence, axis)


@op("Optional", since=15)
def optional(input=None, *, type=None):
    return input


@op("OptionalHasElement", since=15)
def optional_has_element(input=None, *, device):
    return torch.tensor(input is not None, device=device)


@op("OptionalGetElement", since=15)
def optional_get_element(input):
    if input is None:
        raise ValueError("OptionalGetElement of an absent optional")
    return input


@op("SequenceMap", since=17)
def sequence_map(input_sequence, *additional_inputs, body):
    """Call the body for each element; further sequences go along, tensors are the same for each."""
    rows = [
        body(item, *(x[i] if isinstance(x, list) else x for x in additional_inputs))
        for i, item in enumerate(input_sequence)
    ]
    return tuple(map(list, zip(*rows, strict=True)))
