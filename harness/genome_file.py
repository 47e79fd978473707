"""The genome as a module: read once, checked against its hash, run from those bytes. And its failures in one line.

Its folder never gets on `sys.path`, and no byte code is read from or written beside it.
"""

import hashlib
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Final

from harness.text import one_line

MODULE_NAME: Final = "genome_train"


class GenomeError(Exception):
    """The genome is not what `harness.training` describes; the text says what is missing."""


def sha256_of(source: bytes) -> str:
    """The hash that binds a result to the file that ran, hexadecimal."""
    return hashlib.sha256(source).hexdigest()


def lines_of(source: bytes) -> int:
    """How many of its lines are neither blank nor a comment: what a change adds to be read."""
    lines = (line.strip() for line in source.splitlines())
    return sum(1 for line in lines if line and not line.startswith(b"#"))


def load_genome(path: Path, sha256: str, needs: tuple[str, ...]) -> ModuleType:
    """Run the genome's top level and return its module.

    Args:
        path: the file.
        sha256: what its bytes must hash to: the trainer and the model's process run the same file.
        needs: names of functions that it must define.

    Raises:
        GenomeError: it changed during the run, or lacks one of `needs`.
        BaseException: whatever its top level raises.
    """
    source = path.read_bytes()
    if sha256_of(source) != sha256:
        raise GenomeError(f"{path.name} changed while it ran")
    module = ModuleType(MODULE_NAME)
    module.__file__ = str(path)
    sys.modules[MODULE_NAME] = module
    exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - running it is the point
    for name in needs:
        if not callable(getattr(module, name, None)):
            raise GenomeError(f"{path.name} defines no function {name}")
    return module


def crash_line(error: BaseException, genome: Path) -> str:
    """An exception in one line: its type, its text, and the last line of the genome that it came through."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the exception's class may be the genome's own, and broken too
        text = "(it cannot be printed)"
    where = ""
    if isinstance(error, SyntaxError) and error.filename == str(genome):
        text, where = error.msg, f" ({genome.name}, line {error.lineno})"
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == str(genome):
            where = f" ({genome.name}, line {frame.lineno})"
    kind = "" if isinstance(error, GenomeError) else type(error).__name__
    return one_line(": ".join(part for part in (kind, one_line(text, 160)) if part), 180) + where
