"""The questions that the window asks: what to tell the agent, how to pause, and whether a stop is meant."""

from typing import ClassVar, Literal, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

How = Literal["after", "now"]


class Wish(NamedTuple):
    """A text for the agent; `now`: it is to reach it at once, else when its composer is free."""

    text: str
    now: bool


class NudgeDialog(ModalScreen[Wish | None]):
    """One line of text for the agent; None when the person thought better of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel"),
        # Neither a terminal, nor tmux or screen, nor the text field wants this key for itself.
        Binding("ctrl+o", "send_now", "send at once"),
    ]

    def __init__(self, session: str, agent: str) -> None:
        super().__init__()
        self._session, self._agent = session, agent

    def compose(self) -> ComposeResult:
        """The widgets."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = f"nudge {self._session}"
            yield Input(placeholder="for example: try a smaller batch next", id="nudge-text")
            for key, meaning in (
                ("enter", f"queue it: {self._agent} gets it when it can take a prompt"),
                ("ctrl-o", "at once: into its work, or with its turn interrupted"),
                ("esc", "cancel"),
            ):
                yield Static(f"{key:<8}{meaning}", classes="dialog-choice", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter queues; nothing typed sends nothing."""
        self._send(event.value, now=False)

    def action_send_now(self) -> None:
        """Send what is typed at once."""
        self._send(self.query_one(Input).value, now=True)

    def _send(self, text: str, *, now: bool) -> None:
        self.dismiss(Wish(text.strip(), now) if text.strip() else None)


class PauseDialog(ModalScreen[How | None]):
    """How to pause while an experiment is in progress; None when the person thought better of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,p", "dismiss('after')", "after this experiment"),
        Binding("n", "dismiss('now')", "now"),
        Binding("escape", "dismiss(None)", "cancel"),
    ]

    def __init__(self, session: str, progress: str) -> None:
        super().__init__()
        self._session, self._progress = session, progress

    def compose(self) -> ComposeResult:
        """The widgets."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = f"pause {self._session}: when?"
            yield Static(f"In progress: {self._progress}.", classes="dialog-text", markup=False)
            for key, meaning in (
                ("enter", "after this experiment: it ends and is judged"),
                ("n", "now: stop the run, its slot is recorded as aborted"),
                ("esc", "do not pause"),
            ):
                yield Static(f"{key:<8}{meaning}", classes="dialog-choice", markup=False)


class StopDialog(ModalScreen[bool]):
    """Whether the session shall end."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "stop it"),
        Binding("escape,n,enter", "dismiss(False)", "keep it running"),
    ]

    def __init__(self, session: str, consequence: str) -> None:
        super().__init__()
        self._session, self._consequence = session, consequence

    def compose(self) -> ComposeResult:
        """The widgets."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = f"stop {self._session}?"
            yield Static(self._consequence, classes="dialog-text", markup=False)
            yield Static("y stop it   n or esc keep it running", classes="dialog-keys", markup=False)
