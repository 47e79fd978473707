"""The agent's keeper: has its screen judged, asks the policy what to do about it, and does that.

The one place where judgements become keystrokes. It has the clock and the effects; it has no opinion.
"""

import asyncio
import time
from datetime import datetime
from typing import Any, Protocol

from tzlocal import get_localzone

from harness.text import one_line
from sessions.actions import Alert, Answer, Finish, Interrupt, Kind, Nothing, Park, Refresh, Relaunch, Submit
from sessions.agent import Agent
from sessions.agent_log import AgentLog
from sessions.bounds import Limits, reached
from sessions.detector import Detection
from sessions.experiments import Experiments
from sessions.explanation import Explanation, explain
from sessions.journal import Journal
from sessions.keyboard import Keyboard
from sessions.launches import Launches
from sessions.looking import pause_s
from sessions.nudge_queue import NudgeQueue
from sessions.person import Person
from sessions.policy import decide, forgiven
from sessions.profile import Profile
from sessions.prompter import Prompter
from sessions.pty import PtyError
from sessions.quiet_hours import QuietHours
from sessions.signals import Identity, heard
from sessions.situation import Memory, Situation
from sessions.spec import SessionSpec
from sessions.standing import BASELINE
from sessions.states import AgentState, Phase
from sessions.store import SessionDir
from sessions.watcher import Watcher


class Host(Protocol):
    """What the babysitter needs of the supervisor."""

    phase: Phase

    def set_phase(self, phase: Phase, reason: str) -> None:
        """Park or finish the session."""
        ...

    def changed(self) -> None:
        """Something in the status has changed."""
        ...

    @property
    def hours(self) -> float:
        """For how long the session has been supervised."""
        ...

    @property
    def tokens(self) -> int:
        """How many the agent has used."""
        ...


class Babysitter:
    """One agent, from its first launch to the session's end.

    Attributes:
        agent: its process and terminal.
        watcher: what it is doing.
        holding: why nothing is typed now, and until when on the monotonic clock, if that is known.
        keyboard: what we type to it.
        alert: what the person should look at.
        person: what a person has typed, wants typed, and whether she has the wheel.
        launches: its launches, and which of its own conversations is ours.
    """

    def __init__(
        self,
        spec: SessionSpec,
        profile: Profile,
        session: SessionDir,
        journal: Journal,
        experiments: Experiments,
        prompter: Prompter,
        agent: Agent,
        agent_log: AgentLog,
        host: Host,
    ) -> None:
        self.agent = agent
        self.watcher = Watcher(profile, agent, journal, self._state_changed)
        self.holding = Nothing("")
        self.keyboard = Keyboard(profile, agent, journal, self.watcher)
        self.alert = ""
        self.launches = Launches(spec, profile, session, journal, prompter, agent, agent_log)
        self._profile = profile
        self._journal = journal
        self._experiments = experiments
        self._prompter = prompter
        self._agent_log = agent_log
        self._host = host
        self._quiet_hours = QuietHours.parse(spec.quiet_hours)
        self._limits = Limits(
            max_idle_nudges=spec.max_idle_nudges,
            max_experiments=spec.max_experiments,
            max_hours=spec.max_hours,
            max_nudges=spec.max_nudges,
            max_tokens=spec.max_tokens,
            answer_approvals=spec.answer_approvals,
        )
        self._memory = Memory()
        self._told = {BASELINE, *(one.number for one in experiments.records)}
        self._stirred = False
        self._awake = asyncio.Event()
        self.person = Person(NudgeQueue(session.nudges), agent, journal, self._person_acts)
        agent.on_stir = self._stir

    def launch(self) -> None:
        """Start the agent.

        Raises:
            PtyError: it cannot be started.
        """
        self.launches.launch()
        self.watcher.begin()

    async def hang_up(self) -> None:
        """End the agent."""
        self.keyboard.stop()
        await self.launches.end(politely=self.watcher.state is AgentState.WAITING)

    # What the agent itself reports.

    def heard(self, event: str, data: Any) -> None:
        """An event of the hook client: untrusted, and looked at through the profile alone."""
        known = self.launches.conversation.identity
        signal, identity = heard(self._profile, event, data, known, time.monotonic())
        if identity != known:
            self._agent_log.named(identity)
            self.named(identity)
        if signal is not None:
            self.watcher.report(signal)
            self.wake()

    def named(self, identity: Identity) -> None:
        """The agent's conversation is this one, say its hooks or its log."""
        if identity.session and self.launches.conversation.learn(identity):
            self._journal.add("conversation", session=identity.session, transcript=identity.transcript)
            self._host.changed()

    # What a person wants.

    def nudge(self, text: str, *, at_once: bool) -> str:
        """Take a person's text for the agent; what becomes of it, in words."""
        self.person.wants_typed(text, at_once=at_once)
        if self._host.phase is not Phase.RUNNING:
            return f"kept until the session is resumed (it is {self._host.phase})"
        if self.watcher.state is AgentState.WAITING:
            return "typed to the agent"
        if at_once and self.watcher.state is AgentState.WORKING:
            how = "typed into its work" if self._profile.at_once == "type" else "its turn is interrupted for it"
            return f"reaches the agent at once: {how}"
        return f"will be typed when the agent can take it (it is {self.watcher.state})"

    def _person_acts(self, typed: bool) -> None:
        if typed:
            self.watcher.forget_report()
        self.wake()
        self._host.changed()

    def told(self, number: int) -> None:
        """The agent has read an experiment's verdict."""
        self._told.add(number)

    def forgive(self) -> None:
        """A person said "resume": count nudges anew, drop the alert."""
        self._memory = forgiven(self._memory)
        self.alert = self.agent.trouble = ""
        self.wake()

    def explain(self) -> Explanation:
        """Why the agent is in its state, and what would make us type."""
        self.watcher.look()
        now = time.monotonic()
        return explain(self._profile, self.watcher.view(now), self._memory, self._situation(), self._limits, now)

    def wake(self) -> None:
        """Look again at once."""
        self._awake.set()

    # Judging and acting.

    async def work(self) -> None:
        """Look, judge and act until cancelled."""
        while True:
            self.watcher.look()
            if self.agent.trouble and self.alert != self.agent.trouble:
                self._call(self.agent.trouble)
            if not self.keyboard.busy:
                self._act()
            await self._pause()

    def _state_changed(self, state: AgentState) -> None:
        if state in {AgentState.WORKING, AgentState.WAITING}:
            self.alert = ""
        self._host.changed()

    def _stir(self) -> None:
        self._stirred = True

    async def _pause(self) -> None:
        """Until something happens, but not longer than the judges allow."""
        self._awake.clear()
        stirred, self._stirred = self._stirred, False
        pause = pause_s(self._profile, self.watcher.detection, self.agent.changed_at, time.monotonic(), stirred=stirred)
        try:
            async with asyncio.timeout(pause):
                await self._awake.wait()
        except TimeoutError:
            pass

    def _situation(self) -> Situation:
        return Situation(
            detection=self.watcher.detection or Detection(AgentState.STARTING, time.monotonic()),
            phase=self._host.phase,
            pending=self._experiments.pending,
            experiments=self._experiments.total,
            result_untold=self._is_latest_untold(),
            person_nudges=self.person.queue.texts,
            urgent=self.person.queue.urgent,
            at_once=self._profile.at_once,
            brief_pending=self.launches.brief_pending,
            wheel_held=self.person.wheel is not None,
            typed_at=self.person.typed_at,
            draft=self.person.draft,
            wall=time.time(),
            quiet_s=self.quiet_s,
            hours=self._host.hours,
            nudges=self.keyboard.nudges,
            tokens=self._host.tokens,
        )

    @property
    def bound(self) -> str:
        """Which bound of its own the session has reached, in words; empty where none."""
        return reached(self._limits, self._experiments.total, self._host.hours, self.keyboard.nudges, self._host.tokens)

    @property
    def quiet_s(self) -> float | None:
        """Seconds until the quiet hours end; None: there are none now."""
        return self._quiet_hours.remaining_s(datetime.now(get_localzone()))

    def _is_latest_untold(self) -> bool:
        records = self._experiments.records
        return bool(records) and records[-1].number not in self._told

    def _act(self) -> None:
        now = time.monotonic()
        action, self._memory = decide(self._memory, self._situation(), self._limits, now)
        if isinstance(action, Nothing):
            self._hold(action)
            return
        self._hold(Nothing(""))
        match action:
            case Submit(kind):
                self.keyboard.prompt(kind, self._words(kind))
                self._host.changed()
            case Answer(keys):
                self.keyboard.answer(keys)
            case Interrupt(reason):
                self.keyboard.interrupt(reason)
            case Refresh(reason):
                self._journal.add("refreshed", reason=reason, **self.watcher.why(now))
                self.keyboard.carry_out(self._refresh())
            case Relaunch(reason):
                self._relaunch(reason)
            case Park(reason):
                self._park(reason)
            case Finish(reason):
                self._host.set_phase(Phase.FINISHED, reason)
            case Alert(reason):
                self._call(reason)

    def _hold(self, nothing: Nothing) -> None:
        before, self.holding = self.holding, nothing
        if before.reason != nothing.reason:
            self._host.changed()

    def _relaunch(self, reason: str) -> None:
        try:
            self.launches.launch_again()
        except PtyError as error:
            self._park(f"{reason}; {error}")
        self.watcher.begin()

    async def _refresh(self) -> None:
        """Give the agent a fresh context: by its own command for that, else by a new launch."""
        if self._profile.fresh:
            self.launches.forget()
            self.launches.brief_pending = True
            await self.keyboard.submit(self._profile.fresh)
            return
        try:
            await self.launches.launch_afresh()
        except PtyError as error:
            self._park(str(error))
        self.watcher.begin()

    def _park(self, reason: str) -> None:
        self._call(reason)
        self._host.set_phase(Phase.PARKED, reason)

    def _call(self, reason: str) -> None:
        self.alert = one_line(reason)
        self._journal.add("alert", reason=self.alert)
        self._host.changed()

    def _words(self, kind: Kind) -> str:
        if kind == "person":
            return self.person.queue.pop()
        if kind == "brief":
            self.launches.brief_pending = False
        self._told.update(one.number for one in self._experiments.records[-1:])  # every prompt of ours says it
        return self._prompter.words(kind)
