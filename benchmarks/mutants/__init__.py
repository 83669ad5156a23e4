"""The verifier's own exam: faults planted in models, and how many of them it catches."""
