"""How written source reads, over real architectures: layers, classes, lines."""
