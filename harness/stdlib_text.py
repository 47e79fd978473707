"""Text that needs no download: the running interpreter's own standard library, cut into documents.

The reference topics of `help()` and the library's source, one function, method or stretch of module code a
document. The text differs between builds of Python, so a corpus made from it says which one it came from. This
module only reads; it knows nothing of tokens or files to be written.
"""

import importlib
import itertools
import os
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from harness.texts import Texts, divide

# Not the library, or not in every installation of the same build.
_SKIPPED_FOLDERS: Final = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"})
# The topics are read as text; the others hold the paths and options of one installation.
_SKIPPED_FILES: Final = re.compile(r"topics\.py|_sysconfigdata.*\.py|(?:site|user)customize\.py")

# Where a function or class begins, its decorators included: at the margin, or one level in (a method).
_BEGINNING: Final = re.compile(r"^((?: {4})?)(?:@.*\n\1)*(?:async def|def|class)\b", re.MULTILINE)

# Shorter pieces (`pass`, a lone constant) are mostly their BOS token.
_SHORTEST: Final = 80


def stdlib_texts() -> Texts:
    """The standard library's documents, in an order that depends on nothing but their contents.

    Raises:
        OSError: the standard library cannot be read.
    """
    sources = (*_topics(), *_sources(Path(sysconfig.get_path("stdlib"))))
    return divide(document for text in sources for document in split_source(text))


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
