"""``make bench``: every benchmark, one after the other."""

from benchmarks.resnet50 import main

main()
