"""``make bench``: every benchmark, one after the other."""

from benchmarks import resnet50, startup

startup.main()
resnet50.main()
