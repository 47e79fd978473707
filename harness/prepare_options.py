"""The options of `prepare`, for both command lines that have it: which corpus, made from what, shown how."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.progress import drawer
from harness.settings import CLIMBMIX, EMBEDDED, PRESETS, REFERENCE

if TYPE_CHECKING:
    from harness.corpus import Corpus

_SHARDS: Final = f"{CLIMBMIX.name}, {CLIMBMIX.train_shards} shards and one for validation, about 100 MB each"

HELP: Final = f"""\
Make a corpus and its tokenizer, or check every file of the one that is there against its recorded SHA-256.

The text comes from
  Python's own library           preset {EMBEDDED.name}, unless --from says otherwise: nothing is downloaded
  shards of a public data set    preset {REFERENCE.name}: {_SHARDS}
  --from https://HOST/PATH       parquet shards at PATH/shard_00000.parquet and so on
  --from FOLDER                  parquet files with a column `text`, of which the last by name is for validation,
                                 or text files (.txt, .md), of which one document in five is

A download that broke off goes on where it was when you run the command again. Sizes and sums of shards are recorded
when they first come, in a folder beside the corpus (.downloads): a shard that is another later is named and refused."""


def add_prepare_options(parser: argparse.ArgumentParser) -> None:
    """Declare them, and what `--help` says."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = HELP
    parser.add_argument(
        "--preset", choices=sorted(PRESETS), default=EMBEDDED.name, help="what the corpus is for (default: %(default)s)"
    )
    parser.add_argument("--from", dest="where", default="", metavar="PLACE", help="an address of shards, or a folder")
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
    told = arguments.where or arguments.shards or arguments.val_shard > -1
    source = chosen_source(preset, out.absolute(), arguments.where, arguments.shards, arguments.val_shard, draw)
    # Without a choice the corpus that is there is right, whatever it was made from.
    if not told and not arguments.fresh and out.exists():
        return prepare(out, preset, say)
    return prepare(out, preset, say, fresh=arguments.fresh, source=source)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value
