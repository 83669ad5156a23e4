"""``python -m benchmarks.aten``: PyTorch's own samples of its operators, traced and run.

Each sample of `torch.testing`'s operators goes through trace, rebuild in PyTorch and ONNX
Runtime, and is compared with PyTorch itself. What is not right is printed by operator.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import warnings
from collections import Counter
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Probe, print the table; 0 if nothing is wrong and no error is untyped."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.aten", description=__doc__)
    parser.add_argument("--operators", nargs="+", help="names in torch.testing (all)")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "int64", "bool"])
    parser.add_argument("--samples", type=int, default=4, help="at most so many of each (4)")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--json", type=Path, help="append each finding to this file")
    parser.add_argument("--part", default="0/1", help="e.g. 0/2: the first of two halves")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")

    import torch
    from torch.testing._internal.common_methods_invocations import op_db

    from benchmarks.aten.probe import probe
    from benchmarks.aten.samples import RANDOM, samples_of

    seed = options.seed if options.seed is not None else random.randrange(1 << 31)
    print(f"seed {seed}", flush=True)
    part, parts = map(int, options.part.split("/"))
    table: Counter[str] = Counter()
    for info in sorted(op_db, key=lambda info: info.name)[part::parts]:
        if info.name in RANDOM or (options.operators and info.name not in options.operators):
            continue
        for name in options.dtypes:
            dtype = getattr(torch, name)
            if dtype not in info.supported_dtypes("cpu"):
                continue
            torch.manual_seed(seed)
            random.seed(seed)
            for found in probe(samples_of(info, dtype, options.samples), name):
                table[f"{found.verdict} {found.runtime}".strip()] += 1
                if options.json:
                    with options.json.open("a") as file:
                        file.write(json.dumps(found.row()) + "\n")
                if found.verdict not in ("right", "skipped"):
                    print(
                        f"{found.operator}[{found.index}] {name} {found.runtime}: "
                        f"{found.verdict}: {' '.join(found.about.split())[:200]}",
                        flush=True,
                    )
    print("\n".join(f"{count:6} {verdict}" for verdict, count in sorted(table.items())))
    return 1 if any(verdict.startswith(("wrong", "untyped")) for verdict in table) else 0


if __name__ == "__main__":
    sys.exit(main())
