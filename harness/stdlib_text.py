"""Text that needs no download: the running interpreter's own standard library, cut into documents.

The reference topics of `help()` and the library's source, one function, method or stretch of module code a
document. The text differs between builds of Python, so a corpus made from it says which one it came from. This
module only reads; it knows nothing of tokens or files to be written.
"""

import hashlib
import importlib
import itertools
import os
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

# Not the library, or not in every installation of the same build.
_SKIPPED_FOLDERS: Final = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"})
# The topics are read as text; the others hold the paths and options of one installation.
_SKIPPED_FILES: Final = re.compile(r"topics\.py|_sysconfigdata.*\.py|(?:site|user)customize\.py")

# Where a function or class begins, its decorators included: at the margin, or one level in (a method).
_BEGINNING: Final = re.compile(r"^((?: {4})?)(?:@.*\n\1)*(?:async def|def|class)\b", re.MULTILINE)

# Shorter pieces (`pass`, a lone constant) are mostly their BOS token.
_SHORTEST: Final = 80

# One document in five is for validation: the scored rows take some 1,100 and the packing buffer holds 1,000 more, and a
# smaller split would begin to repeat documents within one evaluation.
_VALIDATION_SHARE: Final = 5


class Texts(NamedTuple):
    """Documents, each once, for training and for validation."""

    train: list[str]
    val: list[str]


def stdlib_texts() -> Texts:
    """The standard library's documents, in an order that depends on nothing but their contents.

    A document's SHA-256 gives it its place and its split, so neither moves when another document changes.

    Raises:
        OSError: the standard library cannot be read.
    """
    found: dict[bytes, str] = {}
    for text in (*_topics(), *_sources(Path(sysconfig.get_path("stdlib")))):
        for document in split_source(text):
            found[hashlib.sha256(document.encode()).digest()] = document
    texts = Texts([], [])
    for digest in sorted(found):
        (texts.train if digest[-1] % _VALIDATION_SHARE else texts.val).append(found[digest])
    return texts


def split_source(source: str) -> Iterator[str]:
    """The pieces of a module's source that begin with a function, method or class, and what stands before the first.

    Pieces of less than 80 characters are left out; so are blank lines around a piece.
    """
    edges = [0, *(match.start() for match in _BEGINNING.finditer(source)), len(source)]
    for start, stop in itertools.pairwise(edges):
        piece = source[start:stop].rstrip().strip("\n")
        if len(piece) >= _SHORTEST:
            yield piece


def _topics() -> list[str]:
    """The texts that `help("topics")` lists; some distributions leave them out."""
    try:
        return list(importlib.import_module("pydoc_data.topics").topics.values())
    except ImportError:
        return []


def _sources(stdlib: Path) -> Iterator[str]:
    """The text of every module of the library, in no particular order."""
    for folder, subfolders, files in os.walk(stdlib, onerror=_raise):
        subfolders[:] = [name for name in subfolders if name not in _SKIPPED_FOLDERS]
        for name in files:
            if name.endswith(".py") and not _SKIPPED_FILES.fullmatch(name):
                yield Path(folder, name).read_text(encoding="utf-8", errors="replace")


def _raise(error: OSError) -> None:
    raise error
