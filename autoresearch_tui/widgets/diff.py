"""The working change against the incumbent, with `+` and `-` coloured. It reads no repository."""

from typing import ClassVar, Final

from autoresearch_tui.lines import Line, Tone, line
from autoresearch_tui.score import incumbent
from autoresearch_tui.state import SessionView
from autoresearch_tui.widgets.line_view import LineView
from harness.text import clean

# A diff that is longer is no change of a knob; the rest is in the working copy.
_MOST_LINES: Final = 5000
_HEADERS: Final = ("index ", "--- ", "+++ ", "new file", "deleted file", "old mode", "new mode", "similarity")


class Diff(LineView):
    """The diff of one session's working copy."""

    scrolls_sideways: ClassVar[bool] = True

    def __init__(self, **names: str) -> None:
        super().__init__(**names)
        self._text: str | None = None
        self._against = ""

    def show(self, view: SessionView) -> None:
        """Show a session's working change."""
        best = incumbent(view)
        against = f"#{best.number}" if best is not None else "the first commit"
        if (view.diff, against) == (self._text, self._against):
            return
        self._text, self._against = view.diff, against
        self.border_subtitle = f"working change against {against}"
        self.remake()

    def make(self, cells: int, height: int) -> tuple[Line | None, list[Line]]:
        """The diff's lines."""
        if self._text is None:
            return None, [line(("not read yet", "quiet"))]
        if not self._text.strip():
            return None, [line((f"no change: the working copy is what {self._against} is", "quiet"))]
        return None, diff_lines(self._text)


def diff_lines(text: str) -> list[Line]:
    """A unified diff as styled lines; a file's four header lines become one."""
    lines: list[Line] = []
    in_header = False
    for one in clean(text).expandtabs(4).split("\n"):
        if len(lines) == _MOST_LINES:
            lines.append(line((f"cut after {_MOST_LINES} lines", "warn")))
            break
        if one.startswith("diff "):
            in_header = True
            lines.append(line((one.rpartition(" b/")[2] or one, "strong")))
        elif not (in_header and one.startswith(_HEADERS)):
            in_header = in_header and not one.startswith("@@")
            lines.append(line((one, _tone(one))))
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _tone(one: str) -> Tone:
    match one[:1]:
        case "+":
            return "good"
        case "-":
            return "bad"
        case "@":
            return "accent"
        case "\\":
            return "quiet"
    return ""
