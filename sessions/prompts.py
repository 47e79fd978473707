"""The texts of the prompts: ours, and those that the person put in their place. What fills them in is not known here.

`prompts.toml` beside this file says what the placeholders mean, and how a person changes a text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from harness.errors import ClearError
from harness.text import one_line
from sessions.profile_table import ProfileError, Table

Occasion = Literal["brief", "nudge", "insist", "result", "fresh", "limit_over"]

PLACEHOLDERS: Final = frozenset(
    {
        *("session", "branch", "genome", "budget_s", "command", "path_hint"),
        *("next", "number", "total", "kept", "best", "best_number", "baseline", "standing", "last", "recent", "tried"),
        *("noise", "keeping", "sigma", "budget_left", "experiments_left", "hours_left", "tokens_left", "nudges_left"),
    }
)

_PACKAGED: Final = Path(__file__).with_name("prompts.toml")
_LONGEST: Final = 1500  # characters of a text before it is filled in
_LONGEST_FILLED: Final = 3000
_BRACE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class PromptError(ClearError):
    """A prompts.toml that has a mistake; the text names the file and the key."""


@dataclass(frozen=True)
class Prompts:
    """The texts, placeholders and all, one for each occasion."""

    texts: Mapping[Occasion, str]

    def filled(self, occasion: Occasion, fields: Mapping[str, str]) -> str:
        """One text as one paragraph without a line break.

        What is filled in is not looked at again, whatever braces are in it.

        Args:
            occasion: which.
            fields: a value for each of `PLACEHOLDERS`.
        """
        text = _BRACE.sub(lambda found: fields[found[1]] if found[1] else found[0][0], self.texts[occasion])
        return one_line(text, _LONGEST_FILLED)


def load_prompts(config_home: Path) -> Prompts:
    """Read our texts, and the person's `prompts.toml` in her configuration directory, if there is one.

    Raises:
        PromptError: hers has a mistake.
    """
    texts, own = _read(_PACKAGED), config_home / "prompts.toml"
    return Prompts(texts | _read(own) if own.exists() else texts)


def _read(path: Path) -> dict[Occasion, str]:
    try:
        table = Table.read(path)
        found = {one: table.text(one, None) for one in get_args(Occasion)}
        table.done()
        for one, text in found.items():
            if text is not None and (problem := _problem(text)):
                table.fail(one, problem)
    except ProfileError as error:
        raise PromptError(str(error)) from None
    return {one: text for one, text in found.items() if text is not None}


def _problem(text: str) -> str | None:
    """What is wrong with a text; None where nothing is."""
    if not one_line(text):
        return "is empty"
    if len(text) > _LONGEST:
        return f"has {len(text)} characters; {_LONGEST} is the most"
    for brace in _BRACE.finditer(text):
        name = brace[1]
        if name is None and len(brace[0]) == 1:
            return f"has a single {brace[0]}; write {2 * brace[0]} for a brace"
        if name is not None and name not in PLACEHOLDERS:
            return f"{{{one_line(name, 40)}}} is no placeholder; there are {', '.join(sorted(PLACEHOLDERS))}"
    return None
