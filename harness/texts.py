"""Documents in memory, divided into those for training and those for validation. Values only; no file is read here."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

# One document in five is for validation: of the embedded corpus the scored rows take some 1,100 and the packing buffer
# holds 1,000 more, and a smaller split would begin to repeat documents within one evaluation.
_VALIDATION_SHARE: Final = 5


class Texts(NamedTuple):
    """Documents, each once, for training and for validation."""

    train: list[str]
    val: list[str]


def divide(documents: Iterable[str]) -> Texts:
    """Each document once, in an order that depends on nothing but the documents.

    A document's SHA-256 gives it its place and its split, so neither moves when another document changes.
    """
    found = {hashlib.sha256(document.encode()).digest(): document for document in documents}
    texts = Texts([], [])
    for digest in sorted(found):
        (texts.train if digest[-1] % _VALIDATION_SHARE else texts.val).append(found[digest])
    return texts


def beginnings(texts: Iterable[str], document: int, total: int) -> Iterator[str]:
    """The first `document` characters of each text (0: all), up to the text with which they are `total` or more."""
    seen = 0
    for text in texts:
        cut = text[:document] if document else text
        seen += len(cut)
        yield cut
        if seen >= total:
            return
