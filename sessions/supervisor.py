"""One session's detached process: joins the agent, the experiments and the socket, and lives until it is stopped.

Started by `sessions.launch` only. Single-threaded asyncio: forking a pseudo-terminal from a threaded process is
unsafe. Anything slow or dangerous (the agent, a run, the scorer) is a child. It judges nothing itself: the detector
and the policy do that for the babysitter, the verdict for the experiments.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from harness.errors import ClearError
from harness.text import one_line
from sessions.agent import Agent
from sessions.agent_log import AgentLog
from sessions.babysitter import Babysitter
from sessions.experiments import Experiments
from sessions.harness_process import Harness
from sessions.journal import Journal
from sessions.lab import lab_at
from sessions.last_status import read_status, write_status
from sessions.launch import ReadyPipe
from sessions.leftovers import end_marked
from sessions.outfit import SESSION_VARIABLE
from sessions.prices import load_prices
from sessions.profiles import load_profile
from sessions.prompter import Prompter, Spent
from sessions.prompts import load_prompts
from sessions.protocol import MIN_SIZE, Status
from sessions.recording import CastRecorder
from sessions.reporting import status_of
from sessions.requests import Requests
from sessions.server import Peer, Server
from sessions.states import Phase
from sessions.store import SessionDir, config_home, locked
from sessions.usage import Usage

# How often what a full disk refused is tried again, and the status on disk is refreshed.
_HOUSEKEEPING_S: Final = 2.0
# An agent that ends within this time of its first launch has failed to start.
_SURVIVE_S: Final = 1.0
_ABORT_WITHIN_S: Final = 20.0


class Supervisor:
    """Wires a session's parts and answers its viewers."""

    def __init__(self, session: SessionDir) -> None:
        self.session = session
        self.spec = session.spec()
        self.journal = Journal(session.journal)
        self.phase = Phase.RUNNING
        self.phase_reason = ""
        self._held = False
        self._stopping = asyncio.Event()
        self._started_at = time.time()
        self._began = time.monotonic()
        self._last_status: Status | None = None
        self.harness = Harness()
        self.experiments = Experiments(
            session,
            self.spec,
            lab_at(Path(self.spec.lab)),
            self.journal,
            self._experiments_changed,
            run=self.harness.run,
            on_progress=self.changed,
        )
        profile = load_profile(self.spec.agent, config_home())
        self.agent_log = AgentLog(
            profile.log,
            session.usage,
            worktree=session.worktree,
            files=session.agent_files,
            environment={**os.environ, **profile.environment},
            since=self.spec.created_at,
            prices=load_prices(config_home()),
        )
        self.experiments.meter = self._metered
        self.recorder = CastRecorder(session.casts, MIN_SIZE) if self.spec.record else None
        self.babysitter = Babysitter(
            self.spec,
            profile,
            session,
            self.journal,
            self.experiments,
            Prompter(self.spec, session, self.experiments, load_prompts(config_home()), self._spent),
            Agent(self._screen_changed, self.recorder),
            self.agent_log,
            self,
        )
        before = read_status(session)  # the session's nudges and hours, not this process's
        self.babysitter.keyboard.nudges = 0 if before is None else before.nudges
        self._hours_before = 0.0 if before is None else before.hours
        self.server = Server(session.socket, session.id, Requests(self, self._stopping.set).handle)
        self.server.on_gone = self._peer_gone

    async def run(self, ready: ReadyPipe) -> None:
        """Live until somebody says stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        self.journal.add("started", pid=os.getpid(), argv=self.spec.argv)
        try:
            await self.server.start()
            self.harness.start()  # ready by the time that the agent has its first change
            self._end_leftovers()
            self.experiments.recover()
            self._hold_experiments()
            self.babysitter.launch()
            # Before the agent can submit anything: an experiment needs something to be compared with.
            self.experiments.submit_baseline()
        except (ClearError, OSError) as error:
            self.journal.add("failed", reason=one_line(str(error)))
            self.harness.close()
            await self.server.close(str(error))
            ready.failed(str(error))
            return
        async with asyncio.TaskGroup() as tasks:
            work = [
                tasks.create_task(self._report_start(ready)),
                tasks.create_task(self.experiments.work()),
                tasks.create_task(self.babysitter.work()),
                tasks.create_task(self._keep_house()),
            ]
            await self._stopping.wait()
            for one in work:
                one.cancel()
        await self._end()

    async def _report_start(self, ready: ReadyPipe) -> None:
        """Tell the launcher that the agent lives, or that it ended at once and how."""
        launches = self.babysitter.launches
        # One that was to come back in its own conversation and could not is launched anew.
        if await launches.agent.exited_within(_SURVIVE_S) and not launches.resumed:
            ready.failed(launches.obituary())
            self._stopping.set()
        elif not ready.ready():  # interrupted while it waited for us: a session that nobody knows of must not live on
            self._stopping.set()

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING_S)
            if not self.session.spec_file.exists():  # somebody has removed the session: nobody can reach us any more
                self._stopping.set()
            self.journal.flush()
            if self.recorder is not None:
                self.recorder.flush_when_due()
            self._hold_experiments()
            if self.agent_log.poll(time.monotonic()):
                self.babysitter.named(self.agent_log.identity)
            self.changed()

    def _end_leftovers(self) -> None:
        """End an agent that outlived an earlier supervisor: two of them in one worktree would fight."""
        if ended := end_marked(SESSION_VARIABLE, str(self.session.path)):
            self.journal.add("leftovers ended", processes=ended)

    async def _end(self) -> None:
        self.phase = Phase.STOPPED
        await self.babysitter.hang_up()
        # On a disk that takes nothing the record waits in inflight.json for the next supervisor.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ABORT_WITHIN_S):
                await self.experiments.abort("the session was stopped")
        self.harness.close()
        self.agent_log.poll(time.monotonic())
        self.agent_log.keep()
        self.journal.add("stopped", kept=self.experiments.kept, total=self.experiments.total)
        self._write_status()
        if self.recorder is not None:
            self.recorder.close()
        await self.server.close("the session was stopped")

    # What the session is doing as a whole; the babysitter asks for parking and finishing.

    def set_phase(self, phase: Phase, reason: str) -> None:
        """Enter a phase, and hold or release the experiments with it."""
        if phase == self.phase:
            return
        self.journal.add(phase.value, reason=reason)
        self.phase, self.phase_reason = phase, reason
        self._hold_experiments()
        self.changed()

    def _hold_experiments(self) -> None:
        """Start none while the session is paused or keeps quiet."""
        held = self.phase is Phase.PAUSED or self.babysitter.quiet_s is not None
        if held == self._held:
            return
        self._held = held
        if held:
            self.experiments.hold()
        else:
            self.experiments.release()

    @property
    def hours(self) -> float:
        """For how long the session has been supervised, by this process and those before it."""
        return self._hours_before + (time.monotonic() - self._began) / 3600

    @property
    def tokens(self) -> int:
        """How many the agent has used, as far as its log says."""
        return self.agent_log.usage.tokens

    def _metered(self) -> Usage:
        self.agent_log.poll(time.monotonic(), thoroughly=True)
        return self.agent_log.usage

    def _spent(self) -> Spent:
        return Spent(self.hours, self.babysitter.keyboard.nudges, self.tokens)

    def status(self) -> Status:
        """Everything a viewer needs to know."""
        return replace(
            status_of(self.spec, self.experiments, self.babysitter, self.agent_log.usage),
            phase=self.phase,
            phase_reason=self.phase_reason,
            alert=self._alert(),
            viewers=len(self.server.viewers),
            pid=os.getpid(),
            started_at=self._started_at,
            hours=round(self.hours, 2),
            recording=self.recorder is not None and not self.recorder.trouble,
        )

    def _alert(self) -> str:
        if self.journal.pending:
            return "the disk is full: journal entries are kept in memory; free some space"
        recorder = "" if self.recorder is None else self.recorder.trouble
        return self.experiments.alert or self.babysitter.alert or recorder

    # Telling the viewers.

    def changed(self) -> None:
        """Something in the status may have changed."""
        status = self.status()
        if status == self._last_status:
            return
        before, self._last_status = self._last_status, status
        for peer in self.server.viewers:
            peer.status_changed(asdict(status))
        if before is None or (before.phase, before.total, before.state) != (status.phase, status.total, status.state):
            self._write_status()
            for peer in self.server.viewers:
                peer.ledger_changed("journal")

    def _screen_changed(self) -> None:
        for peer in self.server.viewers:
            peer.screen_changed()

    def _experiments_changed(self) -> None:
        for peer in self.server.viewers:
            peer.ledger_changed("experiments")
            peer.ledger_changed("journal")
        self.babysitter.wake()
        self.changed()

    def _write_status(self) -> None:
        # The disk may be full; the next change or the housekeeping tries again, and the ledgers are the truth.
        with contextlib.suppress(OSError):
            write_status(self.session, self.status())

    def _peer_gone(self, peer: Peer) -> None:
        self.babysitter.person.release_wheel(peer)
        self.changed()


def main(argv: list[str] | None = None) -> None:
    """Become a session's supervisor: detach, take the lock, live."""
    parser = argparse.ArgumentParser(prog="sessions.supervisor", description=__doc__)
    parser.add_argument("session", type=Path)
    parser.add_argument("--ready-fd", type=int)
    arguments = parser.parse_args(argv)
    # The terminal's end must not end us; set before the fork, so that no moment is left.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if os.fork():
        os._exit(0)  # the launcher reaps this one; we belong to init
    ready = ReadyPipe(arguments.ready_fd)
    session = SessionDir(arguments.session)
    try:
        with locked(session, patience_s=1.0):
            asyncio.run(_supervise(session, ready))
    except (ClearError, OSError) as error:
        ready.failed(str(error))
        raise SystemExit(1) from None


async def _supervise(session: SessionDir, ready: ReadyPipe) -> None:
    await Supervisor(session).run(ready)


if __name__ == "__main__":
    main()
