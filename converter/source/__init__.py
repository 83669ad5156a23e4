"""The tree of modules as source code of the target framework: what a person would have written."""
