"""The weight proof as a step of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.errors import EquiportError, first_line
from verify.proof.prove import Proof, prove
from verify.report.proof import WeightProof
from verify.sides import Failure

if TYPE_CHECKING:
    from verify.job import Job
    from verify.proof.held import Holding


def proof_of(job: Job) -> Proof:
    """Prove the weights of a job's two sides; what goes wrong is the proof's note."""
    job.options.progress("comparing weights")
    holdings: dict[str, Holding] = {}
    for side in (job.a, job.b):
        try:
            holdings[side.label] = side.weights()
        except (Failure, EquiportError) as error:
            reason = first_line(error)
            return Proof(WeightProof(note=f"the weights of {side.label} cannot be read: {reason}"))
    return prove(holdings["a"], holdings["b"], lambda: job.graph("a"))
