"""What a client may ask of a session's supervisor, one method a verb. See `sessions.protocol` for the words."""

import base64
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Protocol

from harness.errors import ClearError
from harness.text import one_line, tail
from sessions import wording
from sessions.babysitter import Babysitter
from sessions.experiments import Experiments
from sessions.protocol import Status
from sessions.server import Answer, Handler, Peer, RefuseError
from sessions.states import Phase

_LOG_END: Final = 16 << 10


class Session(Protocol):
    """What the verbs need of the supervisor."""

    phase: Phase
    phase_reason: str
    experiments: Experiments
    babysitter: Babysitter

    def status(self) -> Status:
        """Everything a viewer needs to know."""
        ...

    def changed(self) -> None:
        """Something in the status has changed."""
        ...

    def set_phase(self, phase: Phase, reason: str) -> None:
        """Pause or resume the session."""
        ...


class Requests:
    """Answers requests. `stop` is called once a client that asked for the end has got its reply."""

    def __init__(self, session: Session, stop: Callable[[], None]) -> None:
        self._session = session
        self._stop = stop
        self._verbs: Final[dict[str, Handler]] = {
            "status": self._status,
            "watch": self._watch,
            "resize": self._resize,
            "nudge": self._nudge,
            "pause": self._pause,
            "resume": self._resume,
            "stop": self._end,
            "submit": self._submit,
            "wait": self._wait,
            "wheel": self._wheel,
            "keys": self._keys,
            "explain": self._explain,
            "hook": self._hook,
        }

    async def handle(self, peer: Peer, message: dict[str, Any]) -> Any:
        """Answer one request.

        Raises:
            RefuseError: it cannot be granted; the text is for the one who asked.
        """
        verb = str(message.get("verb"))
        handler = self._verbs.get(verb)
        if handler is None:
            raise RefuseError(f"this supervisor does not know {one_line(verb, 40)!r}")
        try:
            return await handler(peer, message)
        except ClearError as error:
            raise RefuseError(str(error)) from None
        except (KeyError, TypeError, ValueError) as error:
            raise RefuseError(f"a bad {verb} request: {error!r}") from None

    async def _status(self, _peer: Peer, _message: dict[str, Any]) -> dict[str, Any]:
        return asdict(self._session.status())

    async def _watch(self, peer: Peer, message: dict[str, Any]) -> dict[str, Any]:
        peer.watching = True
        screen = bool(message.get("screen"))
        if screen and message.get("cols"):
            await self._resize(peer, message)
        peer.watch_screen(self._session.babysitter.agent if screen else None)
        self._session.changed()
        return asdict(self._session.status())

    async def _resize(self, _peer: Peer, message: dict[str, Any]) -> None:
        if self._session.babysitter.agent.resize(int(message["cols"]), int(message["rows"])):
            self._session.changed()

    async def _nudge(self, _peer: Peer, message: dict[str, Any]) -> dict[str, str]:
        text = str(message["text"]).strip()
        if not text:
            raise RefuseError("a nudge needs a text")
        return {"when": self._session.babysitter.nudge(text, at_once=bool(message.get("now")))}

    async def _explain(self, _peer: Peer, _message: dict[str, Any]) -> dict[str, Any]:
        return asdict(self._session.babysitter.explain())

    async def _hook(self, _peer: Peer, message: dict[str, Any]) -> None:
        self._session.babysitter.heard(str(message["event"]), message.get("data"))

    async def _pause(self, _peer: Peer, message: dict[str, Any]) -> None:
        self._session.set_phase(Phase.PAUSED, "by you")
        if message.get("now"):
            await self._session.experiments.abort("paused by a person")

    async def _resume(self, _peer: Peer, _message: dict[str, Any]) -> None:
        self._session.babysitter.forgive()
        self._session.experiments.submit_baseline()
        self._session.set_phase(Phase.RUNNING, "")

    async def _end(self, _peer: Peer, _message: dict[str, Any]) -> Answer:
        return Answer(None, self._stop)

    async def _submit(self, _peer: Peer, message: dict[str, Any]) -> dict[str, Any]:
        if bound := self._session.babysitter.bound:
            raise RefuseError(f"the session is over: {bound}; no further experiment is needed")
        experiments = self._session.experiments
        number = experiments.submit(one_line(str(message["message"])), again=bool(message.get("again")))
        return {"number": number, "budget_s": experiments.budget_s, "note": experiments.note(number)}

    async def _wait(self, _peer: Peer, message: dict[str, Any]) -> Answer:
        wanted = message.get("number")
        experiment = await self._session.experiments.wait(None if wanted is None else int(wanted))
        log = Path(str(experiment.result.get("log", "")))
        note = self._session.experiments.note(experiment.number)
        data = {"answer": wording.answer_block(experiment, _end_of(log), note), "experiment": asdict(experiment)}
        return Answer(data, lambda: self._session.babysitter.told(experiment.number))

    async def _wheel(self, peer: Peer, message: dict[str, Any]) -> None:
        if not message.get("on"):
            self._session.babysitter.person.release_wheel(peer)
        elif not self._session.babysitter.person.take_wheel(peer):
            raise RefuseError("somebody else has the wheel")

    async def _keys(self, peer: Peer, message: dict[str, Any]) -> None:
        if self._session.babysitter.person.wheel is not peer:
            raise RefuseError("take the wheel first")
        self._session.babysitter.person.type_keys(base64.b64decode(message["data"]))


def _end_of(log: Path) -> list[str]:
    """The last lines of a run's log: untrusted text, cleaned."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _LOG_END))
            return tail(stream.read())
    except OSError:
        return []
