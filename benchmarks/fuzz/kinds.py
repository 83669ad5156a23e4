"""What can come of a case."""

OK = "ok"
REFUSED = "refused"
"""A typed error, which says what is wrong and what to do next."""
UNTYPED = "untyped error"
NUMBERS = "wrong numbers"
SHAPE = "wrong shape or dtype"
FAILS = "result raises"
TIMEOUT = "timeout"
CRASH = "crash"
NO_RUNTIME = "no runtime"
"""A valid ONNX file that neither ONNX Runtime nor ONNX's reference evaluator can run."""
INVALID = "invalid case"
"""The source itself does not run; no statement about the conversion."""

BAD = (UNTYPED, NUMBERS, SHAPE, FAILS, TIMEOUT, CRASH)
