"""Speed and memory, measured beside other tools in the same run; never part of the tests."""
