"""``python -m tests.fuzz --inputs 100000 --seed 1``: every reader, or those of ``--reader``, in turn."""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from .campaign import campaign
from .guard import Deeds
from .readers import readers


def main() -> int:
    """Exit status 1 where anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000, help="damaged files a reader, times its share")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", action="append", help="part of a name; may be given several times")
    parser.add_argument(
        "--findings", type=Path, default=Path("build/fuzz"), help="where inputs are kept that found something"
    )
    chosen = parser.parse_args()
    # What asks for more is to fail by itself rather than take the machine with it.
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, resource.RLIM_INFINITY))
    every = [one for one in readers() if not chosen.reader or any(part in one.name for part in chosen.reader)]
    deeds, faults = Deeds(), 0
    print(f"{'reader':18} {'inputs':>9} {'read':>9} {'refused':>9} {'findings':>9} {'a second':>9}")
    with tempfile.TemporaryDirectory() as scratch:
        for reader in every:
            begun = time.monotonic()
            tally = campaign(
                reader,
                int(chosen.inputs * reader.share),
                chosen.seed,
                Path(scratch) / reader.name.replace(" ", "-"),
                deeds,
            )
            rate = tally.inputs / (time.monotonic() - begun)
            numbers = (tally.inputs, tally.outcomes["read"], tally.outcomes["refused"], tally.faults, round(rate))
            print(f"{reader.name:18}", *(f"{number:9}" for number in numbers), flush=True)
            faults += tally.faults
            for what, content in tally.findings.items():
                chosen.findings.mkdir(parents=True, exist_ok=True)
                kept = chosen.findings / f"{reader.name.replace(' ', '-')}-{hashlib.sha256(content).hexdigest()[:12]}"
                kept.write_bytes(content)
                print(f"    {json.dumps(what)}\n      {kept}", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
