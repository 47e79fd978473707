"""An agent of any kind through a night: a profile of the person's own, hooks, crashes, limits, pauses, nudges."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from sessions.client import ask
from sessions.store import SessionDir, find_session, locked
from tests.e2e.following import entries, until

pytestmark = pytest.mark.timeout(120)

AGENT = Path(__file__).with_name("scripted_agent.py")
PROFILE = """
format = 1
seen_on = "scripted"
argv = [{program}, "--hook", "{{hook}}", {notes}]
resume = ["resume", "{{session}}"]
settle_s = 0.1
quit = ["\\u0004"]

[submit]
paste_delay_s = 0.05
confirm_s = 1.0
at_once = "type"

[ids]
session = "session_id"

[[hook]]
event = "Start"

[[hook]]
event = "Stop"
state = "waiting"

[[hook]]
event = "Prompt"
state = "working"

[[rule]]
name = "limit"
state = "limited"
source = "screen"
pattern = '^\\[limit'
reset = 'again in (?P<when>[^\\]]+)'

[[rule]]
name = "busy"
state = "working"
source = "screen"
pattern = '^\\[busy'

[[rule]]
name = "ready"
state = "waiting"
source = "screen"
quiet_s = 5.0
pattern = '^\\[ready'
"""


LOG = """
[log]
format = "jsonl"
files = [{log}]
cwd = "cwd"
input = ["input"]
output = ["output"]
model = "model"
"""


class Night:
    """A session with the scripted agent."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.notes = home / "notes.jsonl"
        self.session: SessionDir

    def begin(self, *words: str, log: bool = False) -> None:
        """Write the profile and start the session; wait until it has been briefed and has stopped."""
        folder = self.home / "config" / "profiles"
        folder.mkdir(parents=True, exist_ok=True)
        program = self.home / "scripted"
        program.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-I", str(AGENT)])} "$@"\n')
        program.chmod(0o700)
        text = PROFILE.format(program=json.dumps(str(program)), notes=json.dumps(str(self.notes)))
        if log:
            text += LOG.format(log=json.dumps(str(self.notes) + ".log"))
        (folder / "scripted.toml").write_text(text)
        done = self.ours(
            "new", "--agent", "scripted", "--detach", "--tag", "t", "--lab", str(self.home / "lab"), *words
        )
        assert done.returncode == 0, done.stderr
        self.session = find_session("t")

    def ours(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of our verbs."""
        command = [sys.executable, "-m", "autoresearch_tui", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first status that is as wanted."""
        return until(self.session, wanted)

    @property
    def told(self) -> list[str]:
        """What the agent was told, in all its launches."""
        return [one["told"] for one in self._noted() if "told" in one]

    @property
    def done(self) -> list[str]:
        """The same, once it had carried that out."""
        return [one["done"] for one in self._noted() if "done" in one]

    @property
    def starts(self) -> list[list[str]]:
        """The words of each launch."""
        return [one["started"] for one in self._noted() if "started" in one]

    def _noted(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.notes.read_text().splitlines()]


@pytest.fixture
def night(home: Path) -> Night:
    """A night in a home of its own."""
    return Night(home)


def at_rest(status: dict[str, Any]) -> bool:
    """Whether the agent waits and nothing runs."""
    return status["state"] == "waiting" and status["running"] is None and not status["queued"]


def test_a_reported_stop_is_nudged_at_once(night: Night) -> None:
    """The agent's own hooks name its conversation and end its turns; the screen's rule would take five seconds."""
    night.begin("--nudges", "2")
    status = night.until(lambda one: one["phase"] == "finished")
    assert status["agent_session"] == "talk-1"
    stops = {one["rule"] for one in entries(night.session, "state") if one["state"] == "waiting"}
    assert stops == {"hook Stop"}
    assert len(night.told) == 3  # the brief and two nudges


def test_without_progress_the_context_is_made_fresh_and_then_it_parks(night: Night) -> None:
    """An agent that is nudged in vain gets other words, then a new launch in a new conversation, then is left alone."""
    night.begin("--idle-nudges", "3")
    night.until(lambda one: one["phase"] == "parked")
    assert [one["what"] for one in entries(night.session, "nudge")] == ["brief", "nudge", "insist", "brief"]
    assert ["resume" in words for words in night.starts] == [False, False]
    assert len(entries(night.session, "refreshed")) == 1


def test_a_killed_agent_comes_back_in_its_own_conversation(night: Night) -> None:
    """An agent that is killed is launched again with the words that resume it."""
    night.begin("--idle-nudges", "4")
    night.until(lambda one: one["agent_session"] == "talk-1")
    night.ours("nudge", "t", "DIE")
    night.until(lambda one: len(night.starts) == 2 and one["state"] == "waiting")
    assert night.starts[1][:2] == ["resume", "talk-1"]


def test_a_reboot_brings_the_agent_and_the_queue_back(night: Night) -> None:
    """After a kill -9 of the supervisor no agent is left beside the new one, which is in its own conversation."""
    night.begin("--idle-nudges", "1")
    status = night.until(lambda one: one["agent_session"] == "talk-1" and one["phase"] == "parked")
    night.ours("nudge", "t", "DEAF")
    night.ours("resume", "t")
    night.until(lambda one: "DEAF" in night.done and one["state"] == "waiting")
    os.kill(status["pid"], signal.SIGKILL)
    with locked(night.session, patience_s=20):
        pass
    agents = [one for one in psutil.process_iter() if str(night.notes) in _words(one)]
    assert agents  # it ignores SIGHUP and SIGTERM, and lives on
    assert night.ours("resume", "t").returncode == 0
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in agents)
    assert night.starts[-1][:2] == ["resume", "talk-1"]
    assert len(entries(night.session, "leftovers ended")) == 1


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_usage_limit_is_waited_out(night: Night) -> None:
    """At a limit nothing is typed until its end, which the status tells; then the agent is told to go on."""
    night.begin("--idle-nudges", "4")
    night.ours("nudge", "t", "LIMIT")
    limited = night.until(lambda one: one["state"] == "limited")
    assert limited["resets_at"] is not None
    night.until(lambda one: one["state"] == "waiting" and one["nudges"] > limited["nudges"])
    over = next(one for one in entries(night.session, "nudge") if one["what"] == "limit_over")
    assert over["at"] >= limited["resets_at"]
    between = [one for one in entries(night.session, "nudge") if limited["state_since"] < one["at"] < over["at"]]
    assert between == []


def test_a_nudge_waits_for_the_end_of_the_turn_unless_it_must_not(night: Night) -> None:
    """A text for an agent at work is kept until it stops; one that cannot wait goes into the work."""
    night.begin("--idle-nudges", "4")
    night.ours("nudge", "t", "WORK")
    night.until(lambda one: one["state"] == "working" and "WORK" in night.told)
    kept = night.ours("nudge", "t", "later")
    assert "will be typed when the agent can take it" in kept.stdout
    typed = night.ours("nudge", "--now", "t", "at once")
    assert "at once" in typed.stdout
    night.until(lambda one: "later" in night.told)
    asked = [one["text"] for one in entries(night.session, "nudge") if one["what"] == "person"]
    assert asked == ["WORK", "at once", "later"]


def test_a_pause_now_aborts_the_run_and_spares_the_agent(night: Night) -> None:
    """A run that is stopped by a pause is recorded as aborted; the agent lives, and hears of it after the pause."""
    (night.home / "lab" / "train.py").write_text(_SLOW)
    _commit(night.home / "lab")
    night.begin("--idle-nudges", "4", "--budget", "60")
    running = night.until(lambda one: (one["running"] or {}).get("phase") == "training")
    assert night.ours("pause", "--now", "t").returncode == 0
    paused = night.until(lambda one: one["phase"] == "paused" and one["running"] is None)
    assert paused["agent_pid"] == running["agent_pid"]
    (verdict,) = entries(night.session, "verdict")
    assert (verdict["verdict"], verdict["reason"]) == ("aborted", "paused by a person")
    night.ours("resume", "t")
    night.until(lambda one: (one["running"] or {}).get("number") == 0)  # the baseline runs again


_SLOW = """
import torch

def build_model(spec):
    return torch.nn.Embedding(spec.vocab_size, spec.vocab_size)

def train(model, run):
    for _ in run.batches(rows=1):
        pass
"""


def _commit(lab: Path) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    subprocess.run(["git", *identity, "commit", "-qam", "slow"], cwd=lab, check=True, capture_output=True)


def test_quiet_hours_keep_quiet(night: Night) -> None:
    """In quiet hours the agent is not even briefed, and no experiment starts; a person is heard all the same."""
    minutes = time.localtime().tm_hour * 60 + time.localtime().tm_min
    span = "-".join(f"{m // 60 % 24:02}:{m % 60:02}" for m in (minutes - 60, minutes + 120))
    night.begin("--quiet-hours", span)
    quiet = night.until(lambda one: one["holding"] == "these are quiet hours" and one["queued"] == 1)
    assert quiet["running"] is None
    night.ours("nudge", "t", "hello")
    night.until(lambda _: night.told == ["hello"])


def test_a_flood_of_garbage_is_survived(night: Night) -> None:
    """Megabytes of bytes that are no text and no sequence leave the supervisor answering, and the stop is found."""
    night.begin("--idle-nudges", "4")
    night.ours("nudge", "t", "FLOOD")
    night.until(lambda one: "FLOOD" in night.done and one["state"] == "waiting")
    assert ask(night.session, "status")["phase"] in {"running", "parked"}


def test_garbage_through_the_hook_changes_nothing(night: Night) -> None:
    """Events of any shape, sent by anybody of the same user, are survived, and name no other conversation."""
    night.begin("--idle-nudges", "1")
    night.until(lambda one: one["agent_session"] == "talk-1")
    for event, data in (("Stop", [1, {"a": None}]), ("Start", {"session_id": "--yolo"}), ("\x1b]0;x", "x" * 10_000)):
        ask(night.session, "hook", event=event, data=data)
    assert ask(night.session, "status")["agent_session"] == "talk-1"


def test_the_agents_own_log_says_what_it_used(night: Night) -> None:
    """Tokens and dollars come from the agent's log and the person's prices, for the session and for each experiment."""
    (night.home / "config").mkdir(exist_ok=True)
    (night.home / "config" / "prices.toml").write_text("[[price]]\nmodel = 'm'\ninput = 2\noutput = 10\n")
    night.begin("--idle-nudges", "4", log=True)
    night.ours("nudge", "t", "TRY")
    used = night.until(lambda one: one["total"] == 1 and one["tokens"] > 0)
    per_turn = 1_000_000 * 2 / 1e6 + 100_000 * 10 / 1e6
    turns = used["tokens"] // 1_100_000
    assert used["cost"] == pytest.approx(turns * per_turn)
    ledger = [json.loads(line) for line in night.session.experiments.read_text().splitlines()]
    assert ledger[0]["usage"] == {}  # the baseline is nobody's
    assert ledger[1]["usage"]["input"] == 2_000_000  # the brief's turn and its own


def test_the_session_ends_with_its_tokens(night: Night) -> None:
    """A session that may use so many tokens finishes once the agent has used them."""
    night.begin("--tokens", "1000", "--idle-nudges", "9", log=True)
    assert night.until(lambda one: one["phase"] == "finished")["phase_reason"].endswith("tokens, as asked")


def test_a_recording_replays(night: Night) -> None:
    """A session that is recorded leaves a cast that its own tools can read."""
    night.begin("--nudges", "1", "--record")
    night.until(lambda one: one["phase"] == "finished")
    night.ours("stop", "t")
    (cast,) = night.session.casts.glob("*.cast")
    assert cast.stat().st_mode & 0o777 == 0o600
    assert json.loads(cast.read_text().splitlines()[0])["version"] == 2


def test_explain_says_what_holds_it_back(night: Night) -> None:
    """`explain` names the state, what says so, and what would have to happen for a nudge."""
    night.begin("--idle-nudges", "1")
    night.until(lambda one: one["phase"] == "parked")
    said = json.loads(night.ours("explain", "t", "--json").stdout)
    assert (said["state"], said["holding"]) == ("waiting", "the session is parked")
    assert "you resume the session" in said["would"]
    assert night.ours("explain", "t").stdout
    night.ours("stop", "t")
    assert "stopped" in night.ours("explain", "t").stdout


def test_a_supervisor_leaves_with_its_session(night: Night) -> None:
    """A supervisor whose session was removed ends, and its agent with it."""
    night.begin("--idle-nudges", "1")
    status = night.until(lambda one: one["phase"] == "parked")
    supervisor, agent = psutil.Process(status["pid"]), psutil.Process(status["agent_pid"])
    shutil.rmtree(night.session.path)
    gone, alive = psutil.wait_procs([supervisor, agent], timeout=30)
    assert (len(gone), alive) == (2, [])
