"""Parquet shards: documents on disk as the ecosystem keeps them, one string column `text`. All of pyarrow is here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

# Training documents a shard.
SHARD_DOCUMENTS: Final = 4096


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
    """The documents of shards, in order, a row group in memory at a time."""
    from pyarrow import parquet

    for shard in shards:
        with parquet.ParquetFile(shard) as opened:
            for group in range(opened.num_row_groups):
                yield from opened.read_row_group(group, columns=["text"])["text"].to_pylist()
