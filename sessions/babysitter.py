"""The agent's keeper: has its screen judged, asks the policy what to do about it, and does that.

The one place where judgements become keystrokes. It has the clock and the effects; it has no opinion.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from harness.text import clean, one_line
from sessions import policy, wording
from sessions.agent import Agent, environment_for
from sessions.detector import Detection, detect
from sessions.experiments import Experiments
from sessions.profile import Places, Profile, filled
from sessions.pty import PtyError
from sessions.standing import BASELINE
from sessions.states import AgentState, Phase
from sessions.store import Journal, SessionDir, SessionSpec, replace_file

# The judges look at least so often, and after a change on the screen no more often than this.
_LOOK_S: Final = 0.25
_LOOK_AFTER_OUTPUT_S: Final = 0.1


class Host(Protocol):
    """What the babysitter needs of the supervisor."""

    phase: Phase

    def set_phase(self, phase: Phase, reason: str) -> None:
        """Park or finish the session."""
        ...

    def changed(self) -> None:
        """Something in the status has changed."""
        ...


class Babysitter:
    """One agent, from its first launch to the session's end.

    Attributes:
        agent: its process and terminal.
        detection: what it is doing; None before the first look.
        state_since: when that began, in seconds since the epoch.
        nudges: submissions so far, the first brief and the person's own left out.
        last_nudge, last_nudge_at: the last of them, one line, and when, in seconds since the epoch.
        alert: what the person should look at.
        wheel: who types to the agent directly, if anyone.
    """

    def __init__(
        self,
        spec: SessionSpec,
        profile: Profile,
        session: SessionDir,
        journal: Journal,
        experiments: Experiments,
        host: Host,
        on_screen: Callable[[], None],
    ) -> None:
        self.agent = Agent(self._stir, on_screen)
        self.detection: Detection | None = None
        self.state_since = time.time()
        self.nudges = 0
        self.last_nudge = ""
        self.last_nudge_at = 0.0
        self.alert = ""
        self.wheel: object | None = None
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
        self._brief_pending = False
        self._person_nudges = _kept_nudges(session.nudges)
        self._told = {BASELINE, *(one.number for one in experiments.records)}
        self._typing: asyncio.Task[None] | None = None
        self._typed_at: float | None = None
        self._stirred = False
        self._awake = asyncio.Event()

    @property
    def state(self) -> AgentState:
        """What the agent is doing."""
        return AgentState.STARTING if self.detection is None else self.detection.state

    def launch(self) -> None:
        """Start the agent in the session's worktree.

        Raises:
            PtyError: it cannot be started.
        """
        worktree = self._session.worktree
        brief = wording.brief(self._spec, str(self._session.command))
        argv = filled(self._spec.argv, Places(str(worktree), brief=brief))
        pid = self.agent.launch(argv, worktree, environment_for(self._profile.environment, self._session.bin))
        self._brief_pending = all("{brief}" not in word for word in self._spec.argv)
        self.detection = None
        self._journal.add("launched", argv=[one_line(one, 300) for one in argv], pid=pid)

    def obituary(self) -> str:
        """How an agent ended that did not live long, with the last thing it said."""
        return f"the agent {Path(self._spec.argv[0]).name} ended at once: {self.agent.last_words()}"

    async def hang_up(self) -> None:
        """End the agent."""
        if self._typing is not None:
            self._typing.cancel()
        await self.agent.hang_up()

    # What a person does.

    def nudge(self, text: str) -> str:
        """Take a person's text for the agent; what becomes of it, in words."""
        self._person_nudges.append(clean(text))
        self._journal.add("nudge asked for", text=one_line(text, 2000))
        self._keep_nudges()
        self.wake()
        if self._host.phase is not Phase.RUNNING:
            return f"kept until the session is resumed (it is {self._host.phase})"
        waiting = self.state is AgentState.WAITING
        return "typed to the agent" if waiting else f"will be typed when the agent can take it (it is {self.state})"

    def take_wheel(self, who: object) -> bool:
        """Let somebody type directly; whether nobody else does."""
        if self.wheel not in {None, who}:
            return False
        self.wheel = who
        self._journal.add("wheel taken")
        self._host.changed()
        return True

    def release_wheel(self, who: object) -> None:
        """She lets go, or her connection did."""
        if self.wheel is who:
            self.wheel = None
            self._journal.add("wheel released")
            self.wake()
            self._host.changed()

    def type_keys(self, keys: bytes) -> None:
        """Pass on what the one with the wheel typed, unchanged."""
        self._typed_at = time.monotonic()
        if b"\r" in keys or b"\n" in keys:  # a prompt of hers; an arrow key or a focus report begins no turn
            self.agent.prompted()
        self.agent.write(keys)

    def told(self, number: int) -> None:
        """The agent has read an experiment's verdict."""
        self._told.add(number)

    def forgive(self) -> None:
        """A person said "resume": count nudges anew, drop the alert."""
        self._memory = policy.forgiven(self._memory)
        self.alert = self.agent.trouble = ""
        self.wake()

    def wake(self) -> None:
        """Look again at once."""
        self._awake.set()

    # Judging and acting.

    async def work(self) -> None:
        """Look, judge and act until cancelled."""
        while True:
            self._look()
            if self._typing is None or self._typing.done():
                self._act()
            await self._pause()

    def _stir(self) -> None:
        self._stirred = True

    async def _pause(self) -> None:
        """Until something happens, but not longer than `_LOOK_S`; output alone is looked at a little less eagerly."""
        self._awake.clear()
        stirred, self._stirred = self._stirred, False
        try:
            async with asyncio.timeout(_LOOK_AFTER_OUTPUT_S if stirred else _LOOK_S):
                await self._awake.wait()
        except TimeoutError:
            pass

    def _look(self) -> None:
        now, before = time.monotonic(), self.detection
        after = detect(self._profile, self.agent.view(now, self._profile.quiet_s), before, now)
        self.detection = after
        if self.agent.trouble and self.alert != self.agent.trouble:
            self._call(self.agent.trouble)
        if before is not None and before.state is after.state:
            return
        self.state_since = time.time()
        previous = "" if before is None else before.state
        self._journal.add("state", state=after.state, before=previous, rule=after.rule, evidence=after.evidence)
        if after.state in {AgentState.WORKING, AgentState.WAITING}:
            self.alert = ""
        self._host.changed()

    def _act(self) -> None:
        detection = self.detection
        if detection is None:
            return
        situation = policy.Situation(
            detection=detection,
            phase=self._host.phase,
            pending=self._experiments.running is not None or self._experiments.queued > 0,
            experiments=self._experiments.total,
            result_untold=self._is_latest_untold(),
            person_nudges=tuple(self._person_nudges),
            brief_pending=self._brief_pending,
            wheel_held=self.wheel is not None,
            typed_at=self._typed_at,
        )
        action, self._memory = policy.decide(self._memory, situation, self._limits, time.monotonic())
        match action:
            case policy.Submit(kind):
                self._submit(kind)
            case policy.Answer(keys):
                self._journal.add("answered", keys=keys, rule=detection.rule, evidence=detection.evidence)
                self.agent.write(keys.encode())
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

    def _is_latest_untold(self) -> bool:
        records = self._experiments.records
        return bool(records) and records[-1].number not in self._told

    def _relaunch(self, reason: str) -> None:
        try:
            self.launch()
        except PtyError as error:
            self._call(f"{reason}; {error}")
            self._host.set_phase(Phase.PARKED, str(error))

    def _call(self, reason: str) -> None:
        self.alert = one_line(reason)
        self._journal.add("alert", reason=self.alert)
        self._host.changed()

    def _submit(self, kind: policy.Kind) -> None:
        text, rule = self._words(kind), "" if self.detection is None else self.detection.rule
        self._journal.add("nudge", what=kind, text=one_line(text, 2000), state=self.state, rule=rule)
        if kind in {"nudge", "result"}:
            self.nudges += 1
        if kind != "brief":
            self.last_nudge, self.last_nudge_at = one_line(text, 120), time.time()
        self._host.changed()
        self._typing = asyncio.get_running_loop().create_task(self._type(text))

    def _words(self, kind: policy.Kind) -> str:
        records, best = self._experiments.records, self._experiments.best
        match kind:
            case "brief":
                self._brief_pending = False
                return wording.brief(self._spec, str(self._session.command))
            case "person":
                text = self._person_nudges.pop(0)
                self._keep_nudges()
                return text
            case "result":
                self._told.add(records[-1].number)
                return wording.result_nudge(records[-1], best)
            case "nudge":
                return wording.nudge(best, records[-1] if records else None, str(self._session.command))

    def _keep_nudges(self) -> None:
        """Put what is not typed yet on disk, for the next supervisor; a full disk costs that alone."""
        with contextlib.suppress(OSError):
            replace_file(self._session.nudges, json.dumps(self._person_nudges) + "\n")

    async def _type(self, text: str) -> None:
        """Submit a text; press Enter once more if the agent shows no sign of having read it."""
        profile = self._profile
        read = await self.agent.submit(text, profile.paste_delay_s, profile.confirm_s)
        if not read and self.state is AgentState.WAITING:
            self._journal.add("enter again", reason=f"no sign of work {profile.confirm_s:g} s after Enter")
            self.agent.write(b"\r")


def _kept_nudges(path: Path) -> list[str]:
    """What an earlier supervisor had not typed yet."""
    try:
        kept = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return []
    return [clean(text) for text in kept if isinstance(text, str)] if isinstance(kept, list) else []
