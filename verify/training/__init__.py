"""Training parity: the same loss on the same data, its gradients, and a few steps of training.

`plan` is what both sides are asked for and what they answer; `pytorch` and `tensorflow` carry it
out, in a side's own process, in its own precision and in float64; `comparing` judges, `step` is the
whole as a step of a comparison.
"""
