"""Untrusted text made safe to show: to a terminal, to an agent, in a file name.

Pure. What an agent or a run wrote is data; control characters in it must not reach a terminal, nor must an
instruction in it look like ours.
"""

import re
from typing import Final

# C0 and C1 controls, DEL; line separators that are no newline; the bidirectional, zero-width and tag characters that
# can disguise what a line says, or say it to an agent alone; and lone surrogates, which no file can hold.
_CONTROL: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\U000e0000-\U000e007f]"
)
# CSI, OSC/DCS/PM/APC/SOS up to their terminator (or the line's end: an open one must not hide what follows),
# and two-character escapes.
_ESCAPE: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)|\x9b[0-?]*[ -/]*[@-~]?"
)
_SLUG: Final = re.compile(r"[^a-z0-9]+")


def clean(text: str) -> str:
    """`text` without escapes and control characters; newlines and tabs stay, carriage returns are newlines."""
    text = _ESCAPE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text)


def one_line(text: str, limit: int = 200) -> str:
    """`text` cleaned, white space folded, cut to `limit` characters with a sign."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def tail(data: bytes, lines: int = 20, width: int = 200) -> list[str]:
    """The last `lines` lines of a log, cleaned, each cut to `width` characters; blank lines at the end left out."""
    text = clean(data.decode("utf-8", "replace")).rstrip()
    return [one if len(one) <= width else one[: width - 1] + "…" for one in text.split("\n")[-lines:]] if text else []


def slug(text: str, limit: int = 24) -> str:
    """`text` as a file or branch name: lower-case letters, digits and single hyphens; empty if nothing is left."""
    return _SLUG.sub("-", text.lower()).strip("-")[:limit].rstrip("-")
