"""The verbs about this machine: prepare, doctor."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.prepare_options import add_prepare_options, prepare_chosen
from harness.settings import PRESETS
from sessions.store import cache_home, private_dir, state_home


def add(verbs: Any) -> None:
    """Declare the verbs."""
    one = verbs.add_parser("prepare", help="make the corpus and its tokenizer (new and demo do it when needed)")
    add_prepare_options(one)
    one.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    one.set_defaults(run=_prepare)

    one = verbs.add_parser("doctor", help="say what is missing on this machine, and the command that mends it")
    one.add_argument("--json", action="store_true", help="one JSON array, for scripts")
    one.set_defaults(run=_doctor)


def corpus_path(preset: str) -> Path:
    """Where the corpus of a preset lies."""
    return cache_home() / "corpus" / PRESETS[preset].name


def _prepare(arguments: argparse.Namespace) -> int:
    private_dir(state_home())
    corpus = prepare_chosen(arguments, corpus_path(arguments.preset), _quiet if arguments.json else _say)
    if arguments.json:
        print(json.dumps({"path": str(corpus.path), "corpus": corpus.id, "vocab_size": corpus.vocab_size}))
    else:
        print(f"corpus {corpus.id} is ready in {corpus.path}")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _quiet(_line: str) -> None:
    """Standard output belongs to the JSON."""


def _doctor(arguments: argparse.Namespace) -> int:
    from autoresearch_tui.doctor import checks, render

    found = checks()
    print(json.dumps([asdict(one) for one in found], indent=2) if arguments.json else render(found))
    return 1 if any(one.ok is False for one in found) else 0
