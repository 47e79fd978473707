"""The real Codex CLI, babysat, against a scripted model on 127.0.0.1: `make test-agents AGENTS=codex`."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import sessions
from tests.agents import scenes
from tests.agents.installed import needs
from tests.agents.responses_api import responses_api
from tests.agents.scenes import Driven
from tests.agents.scripted import QUESTION, Call, Drop, Limit, Refuse, Say, Script, Trouble
from tests.agents.session import AgentSession, agent_session, now

pytestmark = [pytest.mark.agents, pytest.mark.timeout(400), needs("codex")]

# As a person's: our model alone, who gives up soon, and a notification and a hook of her own, which she has reviewed.
CONFIG = """
model = "scripted"
model_provider = "local"
notify = ["sh", "-c", "echo notified >> $HOME/notified"]

[[hooks.Stop]]
hooks = [{{type = "command", command = "echo stopped >> $HOME/stopped"}}]

[hooks.state."{home}/.codex/config.toml:stop:0:0"]
trusted_hash = "sha256:d43900caa0855ebd2b393a07dbb30a9f36f3e13e10fae117383cf462d0eca457"

[model_providers.local]
name = "local"
base_url = "http://127.0.0.1:{port}/v1"
wire_api = "responses"
env_key = "LOCAL_KEY"
request_max_retries = 1
stream_max_retries = 1
"""

FULL_ACCESS = '"--dangerously-bypass-approvals-and-sandbox",'
SANDBOX = '"-s", "workspace-write", "-a", "on-request", "-c", "sandbox_workspace_write.network_access=true",'
# A command that ends when the test says so.
UNTIL_GO = "while [ ! -e $HOME/go ]; do sleep 0.1; done"
NO_UPDATES = '"-c", "check_for_update_on_startup=false",'


@pytest.fixture
def codex() -> Iterator[Driven]:
    """A home with a Codex that knows our model alone."""
    model = Script()
    with responses_api(model) as port, agent_session("codex", {"LOCAL_KEY": "dummy"}) as session:
        settings = session.home / ".codex"
        settings.mkdir()
        (settings / "config.toml").write_text(CONFIG.format(port=port, home=session.home))
        yield Driven("codex", session, model)


def own_profile(session: AgentSession, ours: str, hers: str) -> None:
    """Give the person a profile of her own, made from ours, with other words in one place."""
    text = (Path(sessions.__file__).parent / "profiles" / "codex.toml").read_text(encoding="utf-8")
    assert ours in text
    profiles = session.home / "h" / "config" / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "codex.toml").write_text(text.replace(ours, hers), encoding="utf-8")


def stand_in(session: AgentSession, program: str) -> Path:
    """Put a program of that name before all others on the PATH; the file that it makes when it is run."""
    programs, ran = session.home / "programs", session.home / f"{program}-ran"
    programs.mkdir()
    (programs / program).write_text(f"#!/bin/sh\ntouch {ran}\n")
    (programs / program).chmod(0o700)
    session.environment["PATH"] = os.pathsep.join([str(programs), session.environment["PATH"]])
    return ran


def test_a_model_that_stops_after_every_experiment_is_kept_going_to_the_end(codex: Driven) -> None:
    """Five real experiments without a person; her own hook and notification go on, and nothing of hers is written."""
    settings = codex.session.home / ".codex" / "config.toml"
    before = settings.read_text()
    session = scenes.five_experiments(codex)
    assert session.journal("conversation")[0]["session"]
    assert "asking" not in session.states()  # our hooks are trusted, and the folder
    assert (session.home / "stopped").read_text().splitlines() == ["stopped"] * 5
    assert "notified" in (session.home / "notified").read_text()
    added = settings.read_text().removeprefix(before)  # Codex notes what it has shown to her
    assert "projects" not in added
    assert "hooks" not in added


@pytest.mark.parametrize("trouble", [Refuse(429), Refuse(401), Drop()], ids=str)
def test_trouble_with_the_api_passes(codex: Driven, trouble: Trouble) -> None:
    """Too many requests, a bad key or a lost connection: waited out, then the work goes on."""
    scenes.trouble_that_passes(codex, trouble)


def test_a_usage_limit_is_waited_out(codex: Driven) -> None:
    """Nothing is typed before the limit ends; then the work goes on by itself."""
    codex.model.plan(Call(UNTIL_GO))
    session = codex.begin("--experiments", "1")
    codex.model.until(lambda model: len(model.asked) >= 1)
    codex.model.fail(limit := Limit(now() + 5.0))
    (session.home / "go").touch()
    limited = session.until_noted("state", state="limited")
    assert abs(limited["resets_at"] - limit.resets_at) <= 60.0  # Codex says it to the minute
    assert session.until_over(within_s=180.0)["phase"] == "finished", session.journal()[-20:]
    assert [one["what"] for one in session.journal("nudge")][:2] == ["brief", "limit_over"]
    assert "failing" not in session.states()
    refused = [step for step in codex.model.steps if isinstance(step, Limit)]
    assert len(refused) == 1


def test_an_approval_is_answered_where_that_is_allowed(codex: Driven) -> None:
    """The question gets its safe answer once it is on the screen, and no key of it lands in the composer."""
    own_profile(codex.session, FULL_ACCESS, SANDBOX)
    codex.model.plan(Call("touch approved", escalate=True), Say(QUESTION), Say("Well."))
    session = codex.begin("--answer-approvals")
    assert session.until_noted("answered")["keys"] == "y"
    codex.model.until(lambda model: len(model.asked) >= 3)
    assert (session.worktree / "approved").exists()
    assert codex.model.asked[2].prompts[-1] == session.journal("nudge")[1]["text"]


def test_an_agent_that_was_killed_comes_back_in_its_own_conversation(codex: Driven) -> None:
    """After kill -9 the model still knows what was said before."""
    scenes.killed_and_brought_back(codex)


def test_an_update_is_not_installed(codex: Driven) -> None:
    """Where the person's profile lets Codex ask for an update, it is skipped, though its default is to update."""
    updated = stand_in(codex.session, "npm")  # which the update would run, for all of this machine
    own_profile(codex.session, NO_UPDATES, "")
    news = {"latest_version": "99.0.0", "last_checked_at": "2099-01-01T00:00:00Z", "dismissed_version": None}
    (codex.session.home / ".codex" / "version.json").write_text(json.dumps(news))
    codex.model.plan(Say(QUESTION))
    session = codex.begin("--answer-approvals")
    assert session.until_noted("answered")["rule"] == "update prompt"
    codex.model.until(lambda model: len(model.asked) >= 1)
    assert not updated.exists()
    assert len(session.journal("launched")) == 1


def test_a_command_in_the_background_is_work(codex: Driven) -> None:
    """A turn that ends while its command goes on is no stop."""
    scenes.left_in_the_background(codex, 8)


def test_a_person_s_nudge_waits_for_the_turn_s_end_or_reaches_it_at_once(codex: Driven) -> None:
    """Of two nudges while a command runs, the one that cannot wait is read in the same turn, the other after it."""
    codex.model.plan(Call(UNTIL_GO), Say(QUESTION), Say("Well."))
    session = codex.begin()
    codex.model.until(lambda model: len(model.asked) >= 1)
    assert session.verb("nudge", "c", "when you have time").returncode == 0
    assert session.verb("nudge", "--now", "c", "mind the batch size").returncode == 0
    session.until_shown("↳ mind the batch size")
    assert session.journal("nudge")[-1]["state"] == "working"
    (session.home / "go").touch()
    codex.model.until(lambda model: len(model.asked) >= 3)
    _, steered, after = codex.model.asked[:3]
    assert steered.prompts[-1] == "mind the batch size"
    assert steered.outputs
    assert after.prompts[-1] == "when you have time"
