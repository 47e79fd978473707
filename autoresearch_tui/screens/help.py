"""The keys, in the context they were asked for, and what the signs mean."""

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

_EVERYWHERE: Final = (
    ("p", "pause: no nudges, no new experiment; asks about one in progress"),
    ("r", "resume after a pause or a park, or start a lost supervisor"),
    ("N", "nudge: a line for the agent, when it can take it or at once"),
    ("e", "why: what the agent's rules see, and what would make us type"),
    ("s", "stop: end agent, experiment and supervisor; asks first"),
    ("q", "detach: close this window; every session keeps running"),
    ("t", "light or dark"),
    ("?", "this help"),
)
_DASHBOARD: Final = (
    ("enter", "open the session under the cursor"),
    ("j k ↓ ↑", "move; g first, G last"),
)
_SESSION: Final = (
    ("1 to 5", "agent, results, diff, machine, timeline; tab: the next"),
    ("enter", "on the agent: type to it yourself; ctrl-] ends that"),
    ("z", "zoom: give the panel the whole screen, and back"),
    ("j k ↓ ↑", "move or scroll; g first, G last"),
    ("esc", "back to the dashboard"),
)
_SIGNS: Final = (
    ("● ○ ×", "kept, discarded, no number (a crash or a timeout)"),
    ("‖ ! ◔ ?", "paused; parked or alert; waiting or limited; asking"),
    ("vs base", "best val_bpb less the baseline's; below zero is better"),
)


class HelpScreen(ModalScreen[None]):
    """The keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "dismiss", "close")]

    def __init__(self, *, in_session: bool) -> None:
        super().__init__()
        self._in_session = in_session

    def compose(self) -> ComposeResult:
        """The text; it scrolls where the terminal is small."""
        here = ("this session", _SESSION) if self._in_session else ("dashboard", _DASHBOARD)
        with VerticalScroll(classes="dialog help") as dialog:
            dialog.border_title = "keys"
            for title, rows in (here, ("everywhere", _EVERYWHERE), ("signs", _SIGNS)):
                yield Static(title, classes="help-title", markup=False)
                for key, meaning in rows:
                    yield Static(f"{key:<10}{meaning}", classes="help-row", markup=False)
            yield Static("esc close", classes="dialog-keys", markup=False)
