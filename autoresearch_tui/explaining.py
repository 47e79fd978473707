"""An explanation as text, for the verb and for the window: why the agent is in its state, and what would be typed when.

Pure, and light: the command line imports it. How long lines are broken is the business of whoever shows them.
"""

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from autoresearch_tui.format import countdown, duration
from harness.text import one_line
from sessions.explanation import Explanation

if TYPE_CHECKING:  # they bring Rich, which a command does not need to print a line
    from autoresearch_tui.lines import Line, Span

_LABEL: Final = 15
_WIDTH: Final = 400


class Paragraph(NamedTuple):
    """A line of any length, and how far the rows after its first are indented where it has to be broken."""

    content: "Line"
    hang: int = 0


def explanation_lines(one: Explanation) -> list[str]:
    """The explanation as plain text, a line a fact."""
    return ["".join(text for text, _tone in paragraph.content).rstrip() for paragraph in explained(one)]


def explained(one: Explanation) -> list[Paragraph]:
    """The explanation as styled paragraphs: the answer first, then what each rule sees."""
    reset = _reset(one.resets_in_s)
    return [
        _fact("the agent is", (one_line(one.state, 40), "strong"), (f" for {duration(one.for_s)}{reset}", "")),
        _fact("because of", (one_line(one.rule, 80) or "–", "strong"), (_saw(one.evidence), "")),
        _fact("it reported", (one_line(one.reported, _WIDTH) or "nothing", "")),
        _fact("typed now", *_typed(one)),
        *_would(one),
        *_rules(one),
    ]


def _fact(label: str, *spans: "Span") -> Paragraph:
    return Paragraph(((label.ljust(_LABEL), "quiet"), *(span for span in spans if span[0])), _LABEL)


def _saw(evidence: str) -> str:
    text = one_line(evidence, _WIDTH)
    return f": {text}" if text else ""


def _reset(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f", resets in {countdown(seconds)}" if seconds > 0 else ", the reset is due"


def _typed(one: Explanation) -> list["Span"]:
    if not one.holding:
        return [("nothing holds it back", "good")]
    again = "" if one.until_s is None else f"; looked at again in {countdown(one.until_s)}"
    return [("nothing", "warn"), (f": {one_line(one.holding, _WIDTH)}{again}", "")]


def _would(one: Explanation) -> list[Paragraph]:
    """What would have to happen, all of it."""
    if not one.holding:
        return []
    wanted = [one_line(text, _WIDTH) for text in one.would] or ["you nudge it; nothing else that can be foreseen"]
    return [_fact("" if i else "would type if", (f"{'and ' if i else ''}{text}", "")) for i, text in enumerate(wanted)]


class _Rule(NamedTuple):
    """A rule's name, what it says, where it looks, and what it saw."""

    name: str
    says: str
    source: str
    saw: str | None


def _rules(one: Explanation) -> list[Paragraph]:
    """Each rule with what it sees; the first that matches is marked, for that is the one that counts."""
    if not one.seen:
        return []
    rules = [_rule(facts) for facts in one.seen]
    sizes = [max(len(rule[i] or "") for rule in rules) for i in range(3)]
    lines: list[Paragraph] = [Paragraph(()), _fact("its rules", ("the first that matches counts", "quiet"))]
    counted = False
    for rule in rules:
        matched = rule.saw is not None
        mark = "· no match" if not matched else "● matches " if counted else "▸ counts  "
        counted = counted or matched
        cells = (rule.name, rule.says, rule.source)
        start = "  ".join([f"  {mark}", *(cell.ljust(size) for cell, size in zip(cells, sizes, strict=True)), ""])
        lines.append(Paragraph(((start, "strong" if matched else "quiet"), (rule.saw or "", "")), _LABEL))
    return lines


def _rule(facts: dict[str, Any]) -> _Rule:
    """From a supervisor of any version."""
    says, saw = str(facts.get("says", "")), facts.get("saw")
    return _Rule(
        one_line(str(facts.get("name", "")), 28),
        "as before" if says == "hold" else one_line(says, 12),
        one_line(str(facts.get("source", "")), 12),
        None if saw is None else one_line(str(saw), _WIDTH),
    )
