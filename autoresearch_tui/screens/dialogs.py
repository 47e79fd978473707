"""The two questions that the window asks: what to tell the agent, and whether a stop is meant."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static


class NudgeDialog(ModalScreen[str | None]):
    """One line of text for the agent; None when the person thought better of it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "cancel")]

    def __init__(self, session: str, agent: str) -> None:
        super().__init__()
        self._session, self._agent = session, agent

    def compose(self) -> ComposeResult:
        """The widgets."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = f"nudge {self._session}"
            yield Static(
                f"Typed to {self._agent} as soon as it can take a prompt.", classes="dialog-text", markup=False
            )
            yield Input(placeholder="for example: try a smaller batch next", id="nudge-text")
            yield Static("enter send   esc cancel", classes="dialog-keys", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter sends; nothing typed sends nothing."""
        self.dismiss(event.value.strip() or None)


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
