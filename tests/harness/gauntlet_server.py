"""What tests of the gauntlet share: where its genomes are, and the fork server that they run below."""

import sys
from pathlib import Path
from typing import Final

GENOMES: Final = Path(__file__).parent / "gauntlet"

# A fork server as it is, but for its preset: few rows, of which each is asked twice, and a small disk. And its wall
# clock: the deadline passes as soon as the genome says that it sleeps, by a file in its scratch, and prints.
SERVER: Final = (
    *(sys.executable, "-I", "-B", "-c"),
    """
import os, pathlib, sys, time
from dataclasses import replace
from harness import fork_server, settings

small = replace(settings.EMBEDDED, eval_tokens=1 << 14, warmup_s=0.1, scratch_bytes=64 << 20)
settings.PRESETS[small.name] = small
clock = time.monotonic

def monotonic():
    scratch = pathlib.Path(os.environ["HOME"])
    return clock() + 1e6 * (scratch.name == "scratch" and any(scratch.glob("**/asleep")))

time.monotonic = monotonic
fork_server.main(sys.argv[1:])
""",
)
