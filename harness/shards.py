"""Parquet shards: documents on disk as the ecosystem keeps them, one string column `text`. All of pyarrow is here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from harness.errors import ClearError
from harness.text import one_line

# Training documents a shard.
SHARD_DOCUMENTS: Final = 4096


class ShardError(ClearError):
    """A file is no shard, or a broken one; one line that names it."""


def shard_name(number: int) -> str:
    """The file name of a shard."""
    return f"shard_{number:05d}.parquet"


def write_shards(directory: Path, train: list[str], val: list[str]) -> list[str]:
    """Write documents as shards, the last of which is the validation shard; their names, in order."""
    import pyarrow as pa  # opening a corpus must not cost this import
    from pyarrow import parquet

    parts = [train[at : at + SHARD_DOCUMENTS] for at in range(0, len(train), SHARD_DOCUMENTS)]
    names = []
    for number, texts in enumerate([*parts, val]):
        names.append(shard_name(number))
        table = pa.table({"text": pa.array(texts, pa.string())})
        parquet.write_table(table, directory / names[-1], compression="zstd", row_group_size=1024)
    return names


def read_texts(shards: list[Path]) -> Iterator[str]:
    """The documents of shards, in order, a row group in memory at a time.

    Raises:
        ShardError: a file is no parquet file with texts in its column `text`, or is damaged.
    """
    for shard in shards:
        with _opened(shard) as parquet:
            for group in range(parquet.num_row_groups):
                texts = _row_group(shard, parquet, group)
                yield from texts


def check_shard(shard: Path) -> None:
    """Look at a shard's beginning, end and table of contents, not at its rows.

    Raises:
        ShardError: they are not those of a whole parquet file with texts in its column `text`.
    """
    with _opened(shard):
        pass


def _opened(shard: Path) -> Any:
    """A shard, open; a context manager."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        opened = parquet.ParquetFile(shard)
        kind = opened.schema_arrow.field("text").type
    except KeyError:
        opened.close()
        raise ShardError(f"{shard} has no column `text`") from None
    except (OSError, pa.ArrowException) as error:
        raise ShardError(f"{shard} is no whole parquet file: {one_line(str(error), 100)}") from None
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        opened.close()
        raise ShardError(f"{shard} has {one_line(str(kind), 40)} in its column `text`, not text")
    return opened


def _row_group(shard: Path, opened: Any, group: int) -> list[str]:
    import pyarrow as pa

    try:
        texts = opened.read_row_group(group, columns=["text"])["text"]
        if texts.null_count:
            raise ShardError(f"{shard} has rows without a text")
        return list(texts.to_pylist())
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise ShardError(f"{shard} is damaged: {one_line(str(error), 100)}") from None
