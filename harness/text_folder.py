"""A folder of a person's own text: parquet shards as they are, or text files cut into documents. Only reads."""

import re
from pathlib import Path
from typing import Final

from harness.errors import ClearError
from harness.shards import check_shard
from harness.texts import Texts, divide

_TEXT: Final = frozenset({".txt", ".md"})
_PARQUET: Final = ".parquet"
_BLANK: Final = re.compile(r"\n\s*\n")
# Paragraphs are put together to documents of at least so many characters.
_DOCUMENT: Final = 2000


class FolderError(ClearError):
    """A folder does not hold what a corpus can be made of; one line that says what is wrong with it."""


def files_in(folder: Path) -> list[Path]:
    """The files of a folder that a corpus would be made of, by name: all parquet or all text, hidden ones left out.

    Raises:
        FolderError: there are none, or others among them.
    """
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise FolderError(f"{folder} cannot be read: {error.strerror}") from None
    if not files:
        raise FolderError(f"{folder} is empty; put parquet or text files (.txt, .md) there")
    parquet = files[0].suffix == _PARQUET
    for path in files:
        if path.suffix not in ({_PARQUET} if parquet else _TEXT) or not path.is_file():
            kind = "parquet file" if parquet else "text file (.txt, .md)"
            raise FolderError(f"{path} is no {kind}; a folder holds files of one kind and nothing else")
    if parquet and len(files) == 1:
        raise FolderError(f"{folder} holds one parquet file; the last is for validation, so two are needed")
    return files


def folder_texts(files: list[Path]) -> "Texts | list[Path]":
    """What a corpus is made of: the documents of text files, or parquet files, of which the last is for validation.

    Raises:
        FolderError: a text file cannot be read as UTF-8.
        ShardError: a parquet file has no texts.
    """
    if files[0].suffix == _PARQUET:
        for path in files:
            check_shard(path)
        return files
    return divide(document for path in files for document in split_text(_content(path)))


def split_text(text: str) -> list[str]:
    """Whole paragraphs together, so that each document but the last has 2,000 characters or more."""
    documents: list[str] = []
    begin = 0
    for blank in _BLANK.finditer(text):
        if blank.start() - begin >= _DOCUMENT:
            documents.append(text[begin : blank.start()])
            begin = blank.end()
    return [document for document in (*documents, text[begin:]) if document.strip()]


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FolderError(f"{path} is not UTF-8: byte {error.start:,} begins no character; convert it") from None
    except OSError as error:
        raise FolderError(f"{path} cannot be read: {error.strerror}") from None
