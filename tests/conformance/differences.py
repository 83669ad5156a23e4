"""Where a rebuilt operator is known to differ from ONNX's reference, and why."""

from __future__ import annotations

_OWN_GENERATOR = "draws from the framework's own generator; ONNX names none for a seed"
_MAPS = "a map is a Python dict inside the graph; onnx_ir has no type for one at the graph's border"

DIFFERENCES: dict[str, dict[str, str]] = {
    "Attention": {
        "pytorch": "float16 on the CPU is composed; its softmax rounds once, the reference's at "
        "each step",
        "tensorflow": "in float16 and bfloat16 the softmax is taken in float32; the reference "
        "rounds at each step",
    },
    "Bernoulli": {"pytorch": _OWN_GENERATOR, "tensorflow": _OWN_GENERATOR},
    "BitCast": {
        "pytorch": "not to float4 and float8e8m0, which are carried in float32",
        "tensorflow": "not to float8, float4 and float8e8m0, which are carried in float32",
    },
    "CastMap": {"pytorch": _MAPS, "tensorflow": _MAPS},
    "DeformConv": {
        "pytorch": "images of two dimensions only",
        "tensorflow": "images of two dimensions only",
    },
    "DFT": {"pytorch": "PyTorch's transform; zeros are exact where NumPy's are 1e-7"},
    "DictVectorizer": {"pytorch": _MAPS, "tensorflow": _MAPS},
    "Dropout": {"pytorch": _OWN_GENERATOR, "tensorflow": _OWN_GENERATOR},
    "GroupNormalization": {
        "pytorch": "of a single position per group PyTorch's kernel gives the bias and rounding "
        "noise"
    },
    "LabelEncoder": {
        "pytorch": "of two entries for one key the later one counts",
        "tensorflow": "of two entries for one key the later one counts",
    },
    "Loop": {"pytorch": "exported with the trip count and the condition fixed"},
    "If": {
        "pytorch": "exported with the condition fixed",
        "tensorflow": "an optional that one branch gives and the other does not has no place in a "
        "graph",
    },
    "Multinomial": {"pytorch": _OWN_GENERATOR, "tensorflow": _OWN_GENERATOR},
    "NonMaxSuppression": {
        "pytorch": "exported as max_output_boxes_per_class rounds, written out one by one"
    },
    "Normalizer": {
        "pytorch": "MAX divides by the largest absolute value, as the reference; ONNX Runtime by "
        "the largest value",
        "tensorflow": "MAX divides by the largest absolute value, as the reference; ONNX Runtime "
        "by the largest value",
    },
    "QuantizeLinear": {
        "pytorch": "divides in float32; the attribute precision is not read",
    },
    "RandomNormal": {"pytorch": _OWN_GENERATOR, "tensorflow": _OWN_GENERATOR},
    "RandomNormalLike": {"pytorch": _OWN_GENERATOR, "tensorflow": _OWN_GENERATOR},
    "RandomUniform": {"pytorch": _OWN_GENERATOR, "tensorflow": _OWN_GENERATOR},
    "RandomUniformLike": {"pytorch": _OWN_GENERATOR, "tensorflow": _OWN_GENERATOR},
    "RegexFullMatch": {"pytorch": "the pattern is read by Python's re, not by RE2"},
    "StringNormalizer": {
        "pytorch": "the locale is not used: upper and lower case are Unicode's",
        "tensorflow": "the locale is not used; ligatures stay as they are",
    },
    "TreeEnsembleClassifier": {
        "pytorch": "one score for two classes is read as ONNX Runtime reads it, which the standard "
        "leaves open",
        "tensorflow": "one score for two classes is read as ONNX Runtime reads it, which the "
        "standard leaves open",
    },
    "ZipMap": {
        "pytorch": _MAPS,
        "tensorflow": f"{_MAPS}; the number of rows has to be fixed",
    },
    "GridSample": {
        "tensorflow": "cubic with border padding clamps pixels, as PyTorch does; the reference "
        "clamps positions outside first"
    },
    "ImageDecoder": {
        "tensorflow": "JPEG 2000, PNM and TIFF by Pillow, in the process that built the model only"
    },
    "Scan": {"tensorflow": "in opset 8 the number of batches has to be fixed"},
    "Squeeze": {"tensorflow": "without axes an open size is taken not to be 1"},
    "Unique": {"tensorflow": "strings are not sorted"},
}
