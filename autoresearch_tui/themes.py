"""The window's two themes, and the agent's 256 colours. Values only.

Neutral surfaces, one accent, and green, amber and red for what they mean everywhere. Textual's `$text-*` colours
are not used: what the style sheet needs is set here for both themes, chosen for contrast on its background.
"""

from functools import cache
from typing import Final

from textual.theme import Theme

DARK: Final = Theme(
    name="night",
    primary="#7aa2f7",
    secondary="#7dcfff",
    accent="#7aa2f7",
    success="#9ece6a",
    warning="#e0af68",
    error="#f7768e",
    foreground="#c8ccd8",
    background="#101218",
    surface="#161922",
    panel="#1e222d",
    dark=True,
    variables={
        "quiet": "#737a8c",
        "edge": "#2c3140",
        "strong": "#f2f4fa",
        "cursor-line": "#232a3d",
        "scrollbar": "#2c3140",
        "scrollbar-background": "#101218",
        "scrollbar-corner-color": "#101218",
        "scrollbar-hover": "#3d4458",
        "scrollbar-active": "#565f7a",
        "scrollbar-background-hover": "#101218",
        "scrollbar-background-active": "#101218",
        "footer-background": "#161922",
        "footer-key-foreground": "#7aa2f7",
        "footer-description-foreground": "#9aa1b4",
    },
)

LIGHT: Final = Theme(
    name="day",
    primary="#2f5fc4",
    secondary="#0f6f8f",
    accent="#2f5fc4",
    success="#3c7a1e",
    warning="#8f5b00",
    error="#b3263f",
    foreground="#2b2f3a",
    background="#fbfbfd",
    surface="#f1f2f6",
    panel="#e7e9f0",
    dark=False,
    variables={
        "quiet": "#6b7182",
        "edge": "#cfd3de",
        "strong": "#0a0c12",
        "cursor-line": "#dfe6f7",
        "scrollbar": "#cfd3de",
        "scrollbar-background": "#fbfbfd",
        "scrollbar-corner-color": "#fbfbfd",
        "scrollbar-hover": "#b6bccb",
        "scrollbar-active": "#949cb0",
        "scrollbar-background-hover": "#fbfbfd",
        "scrollbar-background-active": "#fbfbfd",
        "footer-background": "#f1f2f6",
        "footer-key-foreground": "#2f5fc4",
        "footer-description-foreground": "#565c6c",
    },
)

# The sixteen that agents name by number. There is one set: an agent that asks is told that its background is dark,
# and paints for that, so its panel stays dark in both themes.
_ANSI: Final = (
    "#3b4050", "#f7768e", "#9ece6a", "#e0af68", "#7aa2f7", "#bb9af7", "#7dcfff", "#c8ccd8",
    "#6b7285", "#ff8fa3", "#b5e07f", "#f2c27d", "#94b5ff", "#cdb1ff", "#9adcff", "#f2f4fa",
)  # fmt: skip
_CUBE: Final = (0, 95, 135, 175, 215, 255)


@cache
def palette() -> tuple[str, ...]:
    """The 256 colours as "#rrggbb": sixteen of ours, xterm's 6x6x6 cube, xterm's 24 greys."""
    cube = [f"#{r:02x}{g:02x}{b:02x}" for r in _CUBE for g in _CUBE for b in _CUBE]
    greys = [f"#{level:02x}{level:02x}{level:02x}" for level in range(8, 248, 10)]
    return (*_ANSI, *cube, *greys)
