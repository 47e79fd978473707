"""The agent's keeper: launches it, reads its screen, lets detector and policy judge, and types what they decide.

The one place where their decisions become bytes. It has the clock and the effects; it has no opinion.
"""

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from harness.text import clean, one_line
from sessions import policy, wording
from sessions.detector import Detection, View, detect
from sessions.experiments import Experiments
from sessions.profiles import Profile, command
from sessions.protocol import MIN_SIZE, Frame
from sessions.pty import AgentPty, PtyError
from sessions.screen import Screen
from sessions.server import Peer, RefuseError
from sessions.states import AgentState, Phase
from sessions.store import Journal, SessionDir, SessionSpec

# The judges look at least so often, and after a change on the screen no more often than this.
_LOOK_S: Final = 0.25
_LOOK_AFTER_OUTPUT_S: Final = 0.1
# A frame that the application holds back (mode 2026) is shown after this long all the same.
_HOLD_FRAME_S: Final = 0.15
# The process tree is walked only while silence must be judged, and no more often than this.
_TREE_S: Final = 0.5
_READ: Final = 64 << 10
_PASTE: Final = (b"\x1b[200~", b"\x1b[201~")


class Host(Protocol):
    """What the babysitter needs of the supervisor."""

    phase: Phase

    def set_phase(self, phase: Phase, reason: str) -> None:
        """Park or finish the session."""
        ...

    def changed(self) -> None:
        """Something in the status has changed."""
        ...

    def screen_changed(self) -> None:
        """There is something new to see."""
        ...


class Babysitter:
    """One agent, from its first launch to the session's end.

    Attributes:
        nudges: submissions so far, the first brief and the person's own left out.
        last_nudge, last_nudge_at: the last of them, one line, and when, in seconds since the epoch.
        alert: what the person should look at.
        state_since: when the agent's state began, in seconds since the epoch.
    """

    def __init__(
        self,
        spec: SessionSpec,
        profile: Profile,
        session: SessionDir,
        journal: Journal,
        experiments: Experiments,
        host: Host,
    ) -> None:
        self.nudges = 0
        self.last_nudge = ""
        self.last_nudge_at = 0.0
        self.alert = ""
        self.size = MIN_SIZE
        self.state_since = time.time()
        self._spec = spec
        self._profile = profile
        self._session = session
        self._journal = journal
        self._experiments = experiments
        self._host = host
        self._limits = policy.Limits(
            max_idle_nudges=spec.max_idle_nudges,
            max_experiments=spec.max_experiments,
            answer_approvals=spec.answer_approvals,
        )
        self._memory = policy.Memory()
        self._detection: Detection | None = None
        self._pty: AgentPty | None = None
        self._screen = Screen(*self.size, on_reply=self._reply)
        self._seen_version = -1
        self._changed_at = time.monotonic()
        self._prompted_at = time.time()
        self._busy = (0.0, False)
        self._brief_pending = False
        self._person_nudges: list[str] = []
        self._told: set[int] = {one.number for one in experiments.records}
        self._submission: asyncio.Task[None] | None = None
        self._stirred = asyncio.Event()
        self._awake = asyncio.Event()
        self._wheel: Peer | None = None
        self._typed_at: float | None = None
        self._frame_due: asyncio.TimerHandle | None = None

    # The agent's process.

    def launch(self) -> None:
        """Start the agent in the session's worktree.

        Raises:
            PtyError: it cannot be started.
        """
        brief = wording.brief(self._spec)
        argv = command(self._spec.argv, worktree=str(self._session.worktree), brief=brief)
        self._pty = AgentPty.launch(argv, self._session.worktree, self._environment(), *self.size)
        self._brief_pending = not self._profile.brief_in_argv
        self._detection = None
        self._prompted_at = time.time()
        asyncio.get_running_loop().add_reader(self._pty.fd, self._read, self._pty)
        self._journal.add("launched", argv=[one_line(one, 300) for one in argv], pid=self._pty.pid)

    def _environment(self) -> dict[str, str]:
        """The person's environment, with our command on PATH: the agent's keys and login are hers."""
        path = os.environ.get("PATH", os.defpath)
        return {**os.environ, **self._profile.environment, "PATH": f"{self._session.bin}{os.pathsep}{path}"}

    @property
    def pid(self) -> int:
        """The agent's process id, 0 when it has ended."""
        return 0 if self._pty is None or self._pty.exit_status() is not None else self._pty.pid

    async def exited_within(self, seconds: float) -> bool:
        """Whether the agent ends within its first `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._pty is not None and self._pty.exit_status() is not None:
                return True
            await asyncio.sleep(0.02)
        return False

    def obituary(self) -> str:
        """How the agent ended, with the last thing it said."""
        status = None if self._pty is None else self._pty.exit_status()
        said = [row for row in self._screen.text() if row.strip()]
        last = f": {one_line(said[-1])}" if said else ""
        return f"the agent {Path(self._spec.argv[0]).name} ended at once (exit status {status}){last}"

    async def hang_up(self) -> None:
        """End the agent: politely, then not."""
        if self._submission is not None:
            self._submission.cancel()
        if self._pty is not None:
            await self._pty.hang_up()
            self._forget_pty()

    def _forget_pty(self) -> None:
        if self._pty is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._pty.fd)
            loop.remove_writer(self._pty.fd)
            self._pty.close()

    # Bytes in and out.

    def _read(self, pty: AgentPty) -> None:
        """One drain a callback, and no more: the socket must get its turn during a flood."""
        try:
            data = pty.read(_READ)
        except EOFError:
            asyncio.get_running_loop().remove_reader(pty.fd)
            self._awake.set()
            return
        if data is None:
            return
        self._screen.feed(data)
        self._stirred.set()
        if not self._screen.synchronized:
            self._show_frame()
        elif self._frame_due is None:
            self._frame_due = asyncio.get_running_loop().call_later(_HOLD_FRAME_S, self._show_frame)

    def _show_frame(self) -> None:
        if self._frame_due is not None:
            self._frame_due.cancel()
            self._frame_due = None
        self._host.screen_changed()

    def _reply(self, data: bytes) -> None:
        """The emulator answers a query of the agent's at once. A viewer's terminal never sees the query."""
        self._write(data)

    def _write(self, data: bytes) -> None:
        if self._pty is None:
            return
        try:
            self._pty.write(data)
        except PtyError as error:
            self._call(str(error))
        if self._pty.unsent:
            asyncio.get_running_loop().add_writer(self._pty.fd, self._flush, self._pty)

    @staticmethod
    def _flush(pty: AgentPty) -> None:
        pty.flush()
        if not pty.unsent:
            asyncio.get_running_loop().remove_writer(pty.fd)

    # What viewers see and do.

    def frame_since(self, version: int | None) -> tuple[Frame, int]:
        """The rows that changed since a version, with the input modes of now."""
        frame, now = self._screen.frame_since(version)
        return replace(frame, modes=self._screen.input_modes().decode("ascii")), now

    def resize(self, cols: int, rows: int) -> None:
        """Fit the agent's terminal to a viewer, within what agents bear."""
        if self._pty is None:
            return
        size = self._pty.resize(cols, rows)
        if size != self.size:
            self.size = size
            self._screen.resize(*size)
            self._host.screen_changed()
            self._host.changed()

    def nudge(self, text: str) -> str:
        """Take a person's text for the agent; what becomes of it, in words."""
        self._person_nudges.append(clean(text))
        self.wake()
        if self._host.phase is not Phase.RUNNING:
            return f"kept until the session is resumed (it is {self._host.phase})"
        waiting = self.state == AgentState.WAITING
        return "typed to the agent" if waiting else f"will be typed when the agent can take it (it is {self.state})"

    @property
    def wheel_held(self) -> bool:
        """Whether a person types to the agent directly."""
        return self._wheel is not None

    def take_wheel(self, peer: Peer) -> None:
        """Let a peer's person type directly.

        Raises:
            RefuseError: another one has the wheel.
        """
        if self._wheel not in {None, peer}:
            raise RefuseError("somebody else has the wheel")
        self._wheel = peer
        self._journal.add("wheel taken")
        self._host.changed()

    def release_wheel(self, peer: Peer) -> None:
        """The person lets go, or her connection did."""
        if self._wheel is peer:
            self._wheel = None
            self._journal.add("wheel released")
            self.wake()
            self._host.changed()

    def type_keys(self, peer: Peer, keys: bytes) -> None:
        """Pass on what the one with the wheel typed, unchanged.

        Raises:
            RefuseError: `peer` has not taken the wheel.
        """
        if self._wheel is not peer:
            raise RefuseError("take the wheel first")
        self._typed_at = time.monotonic()
        self._prompted_at = time.time()
        self._write(keys)

    def told(self, number: int) -> None:
        """The agent has read an experiment's verdict."""
        self._told.add(number)

    def forgive(self) -> None:
        """A person said "resume": count nudges anew, drop the alert."""
        self._memory = policy.forgiven(self._memory)
        self.alert = ""
        self.wake()

    def wake(self) -> None:
        """Look again at once."""
        self._awake.set()

    # Judging and acting.

    @property
    def state(self) -> AgentState:
        """What the agent is doing."""
        return AgentState.STARTING if self._detection is None else self._detection.state

    @property
    def rule(self) -> str:
        """The detector's rule that said so."""
        return "" if self._detection is None else self._detection.rule

    @property
    def evidence(self) -> str:
        """What the rule saw."""
        return "" if self._detection is None else self._detection.evidence

    async def work(self) -> None:
        """Look, judge and act until cancelled."""
        while True:
            self._look()
            await self._act()
            await self._pause()

    async def _pause(self) -> None:
        """Until something happens, but not longer than `_LOOK_S`; output alone is looked at a little less eagerly."""
        self._awake.clear()
        stirred = self._stirred.is_set()
        self._stirred.clear()
        try:
            async with asyncio.timeout(_LOOK_AFTER_OUTPUT_S if stirred else _LOOK_S):
                await self._awake.wait()
        except TimeoutError:
            pass

    def _look(self) -> None:
        now = time.monotonic()
        before = self._detection
        self._detection = detect(self._profile, self._view(now), before, now)
        if before is None or before.state is not self._detection.state:
            self.state_since = time.time()
            self._journal.add(
                "state",
                state=self._detection.state,
                before="" if before is None else before.state,
                rule=self._detection.rule,
                evidence=self._detection.evidence,
            )
            if self._detection.state in {AgentState.WORKING, AgentState.WAITING}:
                self.alert = ""
            self._host.changed()

    def _view(self, now: float) -> View:
        version = self._screen.version
        if version != self._seen_version:
            self._seen_version = version
            self._changed_at = now
        return View(
            rows=self._screen.text(),
            title=self._screen.title,
            osc7501=self._screen.osc7501,
            bracketed_paste=self._screen.bracketed_paste,
            alternate_screen=self._screen.alternate_screen,
            changed_at=self._changed_at,
            exit_status=None if self._pty is None else self._pty.exit_status(),
            busy_children=self._busy_children(now),
        )

    def _busy_children(self, now: float) -> bool:
        quiet_s = self._profile.quiet_s
        if self._pty is None or quiet_s is None or now - self._changed_at < quiet_s / 2:
            return False
        looked_at, busy = self._busy
        if now - looked_at >= _TREE_S:
            busy = self._pty.busy_children(self._prompted_at)
            self._busy = (now, busy)
        return busy

    async def _act(self) -> None:
        if self._detection is None or (self._submission is not None and not self._submission.done()):
            return
        situation = policy.Situation(
            detection=self._detection,
            phase=self._host.phase,
            pending=self._experiments.running is not None or self._experiments.queued > 0,
            experiments=self._experiments.total,
            result_untold=self._untold() is not None,
            person_nudges=tuple(self._person_nudges),
            brief_pending=self._brief_pending,
            wheel_held=self.wheel_held,
            typed_at=self._typed_at,
        )
        action, self._memory = policy.decide(self._memory, situation, self._limits, time.monotonic())
        match action:
            case policy.Submit(kind):
                self._submit(kind)
            case policy.Answer(keys):
                self._journal.add("answered", keys=keys, rule=self._detection.rule, evidence=self._detection.evidence)
                self._write(keys.encode())
            case policy.Relaunch(reason):
                self._relaunch(reason)
            case policy.Park(reason):
                self._call(reason)
                self._host.set_phase(Phase.PARKED, reason)
            case policy.Finish(reason):
                self._host.set_phase(Phase.FINISHED, reason)
            case policy.Alert(reason):
                self._call(reason)
            case policy.Nothing():
                pass

    def _untold(self) -> int | None:
        """The number of the latest experiment, if the agent does not know its verdict."""
        records = self._experiments.records
        return records[-1].number if records and records[-1].number not in self._told | {0} else None

    def _relaunch(self, reason: str) -> None:
        self._forget_pty()
        self._screen.reset()  # the old agent's screen, modes and signals are not the new one's
        try:
            self.launch()
        except PtyError as error:
            self._call(f"{reason}; {error}")
            self._host.set_phase(Phase.PARKED, str(error))

    def _call(self, reason: str) -> None:
        self.alert = one_line(reason)
        self._journal.add("alert", reason=self.alert)
        self._host.changed()

    # Typing.

    def _submit(self, kind: policy.Kind) -> None:
        text = self._words(kind)
        self._journal.add("nudge", what=kind, text=one_line(text, 2000), state=self.state, rule=self.rule)
        if kind in {"nudge", "result"}:
            self.nudges += 1
        if kind != "brief":
            self.last_nudge, self.last_nudge_at = one_line(text, 120), time.time()
        self._host.changed()
        self._submission = asyncio.get_running_loop().create_task(self._type(text))

    def _words(self, kind: policy.Kind) -> str:
        match kind:
            case "brief":
                self._brief_pending = False
                return wording.brief(self._spec)
            case "person":
                return self._person_nudges.pop(0)
            case "result":
                latest = self._experiments.records[-1]
                self._told.add(latest.number)
                return wording.result_nudge(latest, self._experiments.best)
            case "nudge":
                records = self._experiments.records
                return wording.nudge(self._experiments.best, records[-1] if records else None)

    async def _type(self, text: str) -> None:
        """Paste the text, press Enter, and press it once more if the agent shows no sign of having read it."""
        data = clean(text).strip().encode()
        if self._screen.bracketed_paste:
            self._write(_PASTE[0] + data + _PASTE[1])
        else:  # without the mode a newline is an Enter
            self._write(b" ".join(data.split()))
        await asyncio.sleep(self._profile.paste_delay_s)
        self._prompted_at = time.time()
        version = self._screen.version
        self._write(b"\r")
        deadline = time.monotonic() + self._profile.confirm_s
        while time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            if self._screen.version != version or self.state is not AgentState.WAITING:
                return
        self._journal.add("enter again", reason=f"no sign of work {self._profile.confirm_s:g} s after Enter")
        self._write(b"\r")
