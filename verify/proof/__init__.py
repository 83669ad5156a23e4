"""The weight proof: every weight of the source in the target, bit by bit, and nothing is run.

`held` reads what a side holds, one file per framework. `recorded` checks a target of which a record
says what became of each weight; `content` looks for the weights of a in any other target, and
`folds` does foldings again. `prove` chooses.
"""

from verify.proof.prove import Proof, prove

__all__ = ["Proof", "prove"]
