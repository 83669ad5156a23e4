"""The tree of modules that a graph is: which layers it has, and which of them belong together."""
