"""A corpus: text, tokenizer and tokens in one directory, made in one step and opened only if nothing of it changed.

Data flows one way: text -> documents -> parquet shards -> tokenizer -> token files -> rows -> batches. Rows and batches
are not here. A run opens the training split alone, the scorer the validation split alone.

    <corpus>/
        shard_00000.parquet ...     documents, column `text`; the last shard is the validation shard
        tokenizer.tiktoken          the tokens and their ranks
        tokenizer.json              the split pattern and the special tokens
        train.tokens val.tokens     tokenised documents, uint16
        train.offsets val.offsets   where each begins, int64
        manifest.json               what it was made of; size and SHA-256 of every other file
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tiktoken
from numpy.typing import NDArray

from harness.documents import LARGEST_VOCABULARY, TokenDocuments, offsets_file, tokens_file
from harness.manifest import (
    SPLITS,
    CorpusError,
    is_corpus_file,
    read_manifest,
    rebuild,
)
from harness.seal import SealError, map_sealed
from harness.settings import Preset
from harness.text import one_line
from harness.tokenizer import RANKS_FILE, SETTINGS_FILE, Tokenizer, TokenizerError, parse_tokenizer

if TYPE_CHECKING:
    from harness.sources import Source
    from harness.texts import Texts

__all__ = ["Corpus", "CorpusError", "open_corpus", "prepare"]


@dataclass(frozen=True, eq=False)
class Corpus:
    """A corpus that was checked and opened.

    Attributes:
        path: its directory.
        id: 16 hexadecimal digits that stand for the tokenizer and all tokens: two numbers compare only within one id.
        preset: the name of the preset that it was prepared for.
        vocab_size: tokens, the special ones included.
        bos: the token that opens every document.
        token_bytes: (vocab_size,) int32, the bytes of text that each token stands for; 0 for special tokens.
        tokenizer: what made its tokens.
        opened: the splits that were asked for.
    """

    path: Path
    id: str
    preset: str
    vocab_size: int
    bos: int
    token_bytes: NDArray[np.int32]
    tokenizer: Tokenizer
    opened: dict[str, TokenDocuments]

    def documents(self, split: str) -> TokenDocuments:
        """The tokenised documents of "train" or "val".

        Raises:
            CorpusError: the corpus was opened without that split.
        """
        try:
            return self.opened[split]
        except KeyError:
            raise CorpusError(f"{self.path} was opened without its split {split!r}") from None

    def encoding(self) -> tiktoken.Encoding:
        """The tokenizer, ready to encode and decode."""
        return self.tokenizer.encoding()


def open_corpus(path: Path, splits: Collection[str] | None = None) -> Corpus:
    """Open a corpus after checking every file that is opened against its recorded size and SHA-256.

    Args:
        path: its directory.
        splits: of "train" and "val", those to open; the files of the others are not touched, and no shard is.
            None: both, and the shards are checked, too.

    Raises:
        CorpusError: it is missing, or a file of it changed; one line that names the file and says what to do.
    """
    manifest = read_manifest(path)

    def content(name: str) -> memoryview:
        return map_sealed(path / name, manifest.seal(name))

    try:
        tokenizer = parse_tokenizer(bytes(content(RANKS_FILE)), bytes(content(SETTINGS_FILE)))
        opened = {
            split: TokenDocuments.from_bytes(content(tokens_file(split)), content(offsets_file(split)))
            for split in (SPLITS if splits is None else splits)
        }
        for name in manifest.shards if splits is None else ():
            content(name)
    except SealError as error:
        raise CorpusError(f"{error}; {rebuild(path)}") from None
    except (TokenizerError, ValueError) as error:
        raise CorpusError(f"{path} is broken: {error}; {rebuild(path)}") from None
    table = tokenizer.token_bytes()
    table.setflags(write=False)
    return Corpus(path, manifest.identity, manifest.preset, len(table), tokenizer.bos, table, tokenizer, opened)


def prepare(
    out: Path,
    preset: Preset,
    say: Callable[[str], None],
    fresh: bool = False,
    source: "Source | Callable[[], Texts] | None" = None,
) -> Corpus:
    """Make the corpus of a preset, or open it if it is there.

    The directory appears under its name only when it is whole; who is killed half-way leaves nothing that is taken for
    a corpus, and of several that prepare the same place one works and the others wait.

    Args:
        out: the directory to make.
        preset: what it is for.
        say: called with a line of progress now and then.
        fresh: make it again, whatever is there; a broken corpus is otherwise named and left alone.
        source: where the text comes from; a function returns it. None: from where the corpus that is there has it, or
            from where the preset says.

    Raises:
        CorpusError: the corpus that is there is broken or another preset's or source's, the place is taken by something
            else, or it cannot be written.
        ClearError: the source does not yield the text.
    """
    out = out.absolute()
    from harness.building import build  # a run opens a corpus and must not wait for what makes one
    from harness.sources import Function, chosen_source

    asked = Function(source) if callable(source) else source
    if preset.vocab_size > LARGEST_VOCABULARY:
        raise CorpusError(f"preset {preset.name} asks for more than {LARGEST_VOCABULARY:,} tokens")
    try:
        if not fresh and _occupied(out):
            return _opened_for(out, preset, asked)
        out.parent.mkdir(parents=True, exist_ok=True)
        with _alone(out, say):
            if not fresh and _occupied(out):  # made while we waited
                return _opened_for(out, preset, asked)
            _refuse_foreign(out)
            with _new_directory(out) as unfinished:
                build(unfinished, preset, asked or chosen_source(preset, out), say)
    except OSError as error:
        raise CorpusError(
            f"cannot prepare {out}: {error.strerror or error}; make room there, or choose another place"
        ) from None
    return open_corpus(out)


def _opened_for(out: Path, preset: Preset, asked: "Source | None") -> Corpus:
    corpus = open_corpus(out)
    if (corpus.preset, corpus.vocab_size) != (preset.name, preset.vocab_size):
        raise CorpusError(
            f"{out} was prepared for preset {corpus.preset!r} with {corpus.vocab_size:,} tokens, not for "
            f"{preset.name!r} with {preset.vocab_size:,}; {rebuild(out)}"
        )
    if asked is not None:
        from harness.building import refuse_changed

        manifest = read_manifest(out)
        if manifest.source != asked.name:
            raise CorpusError(f"{out} was made from {one_line(manifest.source)}, not from {asked.name}; {rebuild(out)}")
        refuse_changed(out, asked, {name: manifest.origin_seal(name) for name in manifest.origin})
    return corpus


def _occupied(out: Path) -> bool:
    """Whether something is there that an empty directory is not."""
    return os.path.lexists(out) and not (out.is_dir() and not any(out.iterdir()))


def _refuse_foreign(out: Path) -> None:
    """Raise if making `out` again would delete what is no corpus."""
    if not os.path.lexists(out):
        return
    if out.is_symlink() or not out.is_dir():
        raise CorpusError(f"{out} is no directory; choose another place")
    foreign = sorted(entry.name for entry in out.iterdir() if not is_corpus_file(entry.name))
    if foreign:
        raise CorpusError(f"{out} holds {foreign[0]!r}, which is no part of a corpus; choose another place")


@contextlib.contextmanager
def _alone(out: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a place; it lies beside it and dies with its holder."""
    with out.with_name(f".{out.name}.lock").open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process is preparing {out}; waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _new_directory(out: Path) -> Iterator[Path]:
    """A directory beside `out` to build in, which takes its place at the end; needs the lock of the place."""
    for path in out.parent.iterdir():
        if path.name.startswith(f".{out.name}.") and path.name.endswith(".tmp"):
            shutil.rmtree(path, ignore_errors=True)  # the lock says that its maker is dead
    unfinished = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    replaced = out.with_name(f".{out.name}.old.tmp")
    unfinished.mkdir()
    try:
        yield unfinished
        if os.path.lexists(out):
            out.rename(replaced)  # whoever has it open keeps what is open
        unfinished.rename(out)
    finally:
        for path in (unfinished, replaced):
            shutil.rmtree(path, ignore_errors=True)
