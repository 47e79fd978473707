"""Where the text of a corpus comes from: Python's own library, a folder, or the shards of a data set.

Each brings either documents in memory or parquet files. What is made of them is not known here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from harness.errors import ClearError
from harness.seal import Seal, seal_file
from harness.settings import LIBRARY, SHARD_SETS, Preset, ShardSet
from harness.shard_downloads import ShardDownloads
from harness.shards import shard_name
from harness.stdlib_text import stdlib_texts
from harness.text import one_line
from harness.text_folder import files_in, folder_texts
from harness.texts import Texts


class SourceError(ClearError):
    """No source is meant by these words; one line that says what is."""


class Source(Protocol):
    """Where text comes from."""

    @property
    def name(self) -> str:
        """One line for a person and the manifest; another source has another."""

    def gather(self, say: Callable[[str], None]) -> Texts | list[Path]:
        """The documents; or parquet files, of which the last is for validation.

        Raises:
            ClearError: they cannot be had.
            OSError: likewise.
        """

    def seals(self) -> dict[str, Seal]:
        """The files on this machine that a person may change, by name; none if there are no such."""


@dataclass(frozen=True)
class Function:
    """Texts that a function returns: the interpreter's own library, unless it is another."""

    texts: Callable[[], Texts] = stdlib_texts

    @property
    def name(self) -> str:
        """See `Source`."""
        return "Python's own library"

    def gather(self, say: Callable[[str], None]) -> Texts:
        """See `Source`."""
        texts = self.texts()
        say(f"{len(texts.train):,} training and {len(texts.val):,} validation documents")
        return texts

    def seals(self) -> dict[str, Seal]:
        """None: the interpreter's version is recorded."""
        return {}


@dataclass(frozen=True)
class Folder:
    """A folder of parquet or text files."""

    path: Path

    @property
    def name(self) -> str:
        """See `Source`."""
        return f"the folder {self.path}"

    def gather(self, say: Callable[[str], None]) -> Texts | list[Path]:
        """See `Source`."""
        files = files_in(self.path)
        say(f"reading {len(files)} files of {self.path}")
        return folder_texts(files)

    def seals(self) -> dict[str, Seal]:
        """See `Source`."""
        return {path.name: seal_file(path) for path in files_in(self.path)}


@dataclass(frozen=True)
class Shards:
    """The shards of a data set.

    Attributes:
        shards: which.
        downloads: the folder that keeps what was downloaded.
        draw: draws the line of progress; None: lines are said.
    """

    shards: ShardSet
    downloads: Path
    draw: Callable[[str], None] | None = None

    @property
    def name(self) -> str:
        """See `Source`."""
        last = self.shards.train_shards - 1
        return f"{self.shards.name} (shards 0 to {last} for training, {self.shards.val_shard} for validation)"

    def gather(self, say: Callable[[str], None]) -> list[Path]:
        """See `Source`."""
        names = [shard_name(number) for number in (*range(self.shards.train_shards), self.shards.val_shard)]
        return ShardDownloads(self.downloads, self.shards.url, self.draw).bring(names, say)

    def seals(self) -> dict[str, Seal]:
        """None: what was downloaded is checked when it is used, and need not stay."""
        return {}


def chosen_source(
    preset: Preset,
    out: Path,
    where: str = "",
    train_shards: int = 0,
    val_shard: int = -1,
    draw: Callable[[str], None] | None = None,
) -> Source:
    """What a person chose for a corpus at `out`; its downloads are kept in a folder beside it.

    Args:
        preset: says what was not chosen.
        out: the directory of the corpus.
        where: an http or https address of shards, a folder, or a source's name as in the settings; empty: what the
            preset names.
        train_shards: how many shards are for training; 0: what the settings say.
        val_shard: which is for validation; -1: what the settings say.
        draw: see `Shards`.

    Raises:
        SourceError: the choice makes no sense.
    """
    known = where in {LIBRARY, *SHARD_SETS}
    shards = SHARD_SETS.get(where if known else preset.source)
    if "://" in where:
        template = shards or next(iter(SHARD_SETS.values()))
        shards = replace(template, name=_checked(where), url=_checked(where))
    elif where and not known:
        shards = None
    if shards is None:
        if train_shards or val_shard > -1:
            raise SourceError("the number of shards can be chosen only where shards are downloaded; see --from")
        return Folder(Path(where).expanduser().absolute()) if where and not known else Function()
    shards = replace(
        shards,
        train_shards=train_shards or shards.train_shards,
        val_shard=val_shard if val_shard > -1 else shards.val_shard,
    )
    if not 0 < shards.train_shards <= shards.val_shard:
        raise SourceError(
            f"shard {shards.val_shard} is for validation, so between 1 and {shards.val_shard} can be for training, "
            f"not {shards.train_shards}"
        )
    return Shards(shards, out.with_name(f"{out.name}.downloads"), draw)


def _checked(url: str) -> str:
    """An address that shards' names can be put behind, and that may be shown and recorded."""
    try:
        parts = urlsplit(url)
        secret = parts.username or parts.password or parts.query or parts.fragment
        fine = parts.scheme in {"http", "https"} and parts.hostname and not secret and url.isprintable()
    except ValueError:
        fine = False
    if not fine or " " in url:
        raise SourceError(
            f"{one_line(urlsplit(url).scheme)}://... is no plain http or https address without a name, a key or a query"
            if "@" in url or "?" in url
            else f"{one_line(url)} is no http or https address"
        )
    return url.rstrip("/")
