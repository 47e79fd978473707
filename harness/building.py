"""Fills the directory of a corpus from a source: shards, tokenizer, tokens, manifest. Where it is, it does not know."""

import errno
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from harness.documents import write_documents
from harness.manifest import MANIFEST_FILE, SPLITS, CorpusError, is_shard, new_manifest, rebuild
from harness.seal import Seal, seal_file
from harness.settings import TOKENIZER_CHARACTERS, Preset
from harness.shards import read_texts, shard_name, write_shards
from harness.sources import Source
from harness.texts import Texts, beginnings
from harness.tokenizer import train_tokenizer


def build(directory: Path, preset: Preset, source: Source, say: Callable[[str], None]) -> None:
    """Write everything that belongs into a corpus; the manifest last."""
    try:
        origin = source.seals()
        texts = source.gather(say)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise CorpusError(f"the text for a corpus cannot be read: {error}") from None
    if isinstance(texts, Texts):
        if not texts.train or not texts.val:
            raise CorpusError("there is no text to make a corpus of")
        shards = [directory / name for name in write_shards(directory, texts.train, texts.val)]
    else:
        shards = _take(directory, texts)
    *train, val = shards
    say(f"training a tokenizer of {preset.vocab_size:,} tokens")
    learned = beginnings(read_texts(train), preset.tokenizer_document, TOKENIZER_CHARACTERS)
    tokenizer = train_tokenizer(learned, preset.vocab_size)
    tokenizer.save(directory)
    encoding = tokenizer.encoding()
    counts = {}
    for split, shards in zip(SPLITS, (train, [val]), strict=True):
        counts[split] = write_documents(directory, split, _said(shards, say), encoding, tokenizer.bos)
        if not counts[split]["documents"]:
            raise CorpusError("there is no text to make a corpus of")
    refuse_changed(directory, source, origin)
    manifest = new_manifest(
        preset=preset.name,
        vocab_size=preset.vocab_size,
        python=platform.python_version(),
        splits=counts,
        seals={path.name: seal_file(path) for path in directory.iterdir()},
        source=source.name,
        origin=origin,
    )
    (directory / MANIFEST_FILE).write_text(manifest.to_json() + "\n", encoding="utf-8")


def refuse_changed(corpus: Path, source: Source, known: Mapping[str, Seal]) -> None:
    """Raise if a source's files are not the known ones, which the corpus was made of."""
    now = source.seals()
    for name in sorted(now.keys() | known.keys()):
        if now.get(name) != known.get(name):
            what = "changed" if name in now and name in known else "is new" if name in now else "is gone"
            raise CorpusError(f"{name} of {source.name} {what} since the corpus was made; {rebuild(corpus)}")


def _said(shards: list[Path], say: Callable[[str], None]) -> Iterator[str]:
    """The texts of shards, each of which is named."""
    for shard in shards:
        say(f"tokenising {shard.name}")
        yield from read_texts([shard])


def _take(directory: Path, files: list[Path]) -> list[Path]:
    """Parquet files as shards of a corpus, in their order: linked where that can be, so that they need no room."""
    named = all(is_shard(path.name) for path in files)
    shards = [directory / (path.name if named else shard_name(at)) for at, path in enumerate(files)]
    for path, shard in zip(files, shards, strict=True):
        try:
            os.link(path.resolve(), shard)
        except OSError:  # another file system, another owner
            shutil.copyfile(path, shard)
    return shards
