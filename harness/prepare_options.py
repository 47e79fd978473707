"""The options of `prepare`, for both command lines that have it: which corpus, made from what, shown how."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.progress import drawer
from harness.settings import CLIMBMIX, EMBEDDED, LIBRARY, PRESETS, REFERENCE, SHARD_SETS
from harness.text import one_line

if TYPE_CHECKING:
    from harness.corpus import Corpus
    from harness.sources import Source

_SHARDS: Final = f"{CLIMBMIX.name}, {CLIMBMIX.train_shards} shards and one for validation, about 100 MB each"

HELP: Final = f"""\
Make a corpus and its tokenizer, or check every file of the one that is there against its recorded SHA-256.

The text comes from
  Python's own library           preset {EMBEDDED.name}, unless --from says otherwise: nothing is downloaded
  shards of a public data set    preset {REFERENCE.name}: {_SHARDS}
  --from https://HOST/PATH       parquet shards at PATH/shard_00000.parquet and so on
  --from FOLDER                  parquet files with a column `text`, of which the last by name is for validation,
                                 or text files (.txt, .md), of which one document in five is
  --from {LIBRARY}, --from {CLIMBMIX.name}
                                 one of the first two, whatever the preset

A download that broke off goes on where it was when you run the command again. Sizes and sums of shards are recorded
when they first come, in a folder beside the corpus (.downloads): a shard that is another later is named and refused."""


def add_prepare_options(parser: argparse.ArgumentParser) -> None:
    """Declare them, and what `--help` says."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = HELP
    parser.add_argument(
        "--preset", choices=sorted(PRESETS), default=EMBEDDED.name, help="what the corpus is for (default: %(default)s)"
    )
    parser.add_argument(
        "--from", dest="where", default="", metavar="PLACE", help="an address of shards, a folder, or a source's name"
    )
    parser.add_argument("--shards", type=_positive, default=0, metavar="N", help="shards for training, the first N")
    parser.add_argument(
        "--val-shard", type=_positive, default=-1, metavar="N", help="number of the shard for validation"
    )
    parser.add_argument("--fresh", action="store_true", help="make it again, also if it is there")


def prepare_chosen(arguments: argparse.Namespace, out: Path, say: Callable[[str], None]) -> "Corpus":
    """Make or check the corpus at `out` as the options say; the progress of downloads is on standard error.

    Raises:
        ClearError: it cannot be.
    """
    from harness.corpus import prepare  # brings numpy, for which no other verb should wait
    from harness.sources import chosen_source

    preset = PRESETS[arguments.preset]
    draw = drawer()
    told = bool(arguments.where or arguments.shards or arguments.val_shard > -1)
    source = chosen_source(preset, out.absolute(), arguments.where, arguments.shards, arguments.val_shard, draw)
    if not told and out.exists():
        if not arguments.fresh:  # what is there is right, whatever it was made from
            return prepare(out, preset, say)
        _refuse_to_guess(out, source)
    return prepare(out, preset, say, fresh=arguments.fresh, source=source)


def _refuse_to_guess(out: Path, source: "Source") -> None:
    """Raise if the corpus that is to be made again was made from another source than the preset's own."""
    from harness.manifest import CorpusError, read_manifest

    try:
        made_from = read_manifest(out).source
    except CorpusError:  # nothing to go by
        return
    if made_from not in {"", source.name}:
        raise CorpusError(
            f"{out} was made from {one_line(made_from)}; say with --from what it is to be made from now: that, or "
            f"{' or '.join((LIBRARY, *SHARD_SETS))}"
        )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value
