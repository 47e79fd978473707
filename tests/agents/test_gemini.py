"""The real Gemini CLI, babysat, against a scripted model on 127.0.0.1: `make test-agents`."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.agents import scenes
from tests.agents.gemini_api import gemini_api
from tests.agents.installed import BIN, needs
from tests.agents.scenes import Driven
from tests.agents.scripted import Call, Drop, Refuse, Say, Script, Trouble
from tests.agents.session import agent_session

pytestmark = [pytest.mark.agents, pytest.mark.timeout(240), needs("gemini")]

ROOT = os.geteuid() == 0
needs_hooks = pytest.mark.skipif(not ROOT, reason="Gemini reads our hooks only from root's files")


@pytest.fixture(autouse=True)
def _home_is_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody may write to /tmp, so Gemini would read no hooks from below it."""
    if ROOT:
        monkeypatch.setattr(tempfile, "tempdir", str(BIN.parents[1]))


@contextmanager
def gemini_with(settings: dict[str, Any]) -> Iterator[Driven]:
    """A home with a Gemini that knows our model alone."""
    model = Script()
    with gemini_api(model) as port:
        environment = {"GOOGLE_GEMINI_BASE_URL": f"http://127.0.0.1:{port}", "GEMINI_API_KEY": "dummy"}
        with agent_session("gemini", environment) as session:
            (session.home / ".gemini").mkdir()
            known = {
                "security": {"auth": {"selectedType": "gemini-api-key"}},
                "privacy": {"usageStatisticsEnabled": False},
            }
            (session.home / ".gemini" / "settings.json").write_text(json.dumps(known | settings))
            yield Driven("gemini", session, model)


@pytest.fixture
def gemini() -> Iterator[Driven]:
    with gemini_with({}) as one:
        yield one


def test_a_model_that_stops_after_every_experiment_is_kept_going_to_the_end() -> None:
    """Five real experiments without a person; the person's hooks run beside ours, and nothing of hers is written."""
    hers = {"hooks": [{"type": "command", "command": "echo stopped >> $HOME/hers"}]}
    with gemini_with({"hooks": {"AfterAgent": [hers]}}) as gemini:
        before = (gemini.session.home / ".gemini" / "settings.json").read_text()
        session = scenes.five_experiments(gemini)
        assert (session.home / "hers").read_text().splitlines() == ["stopped"] * 5
        assert (session.home / ".gemini" / "settings.json").read_text() == before
        assert not (session.home / ".gemini" / "trustedFolders.json").exists()


@pytest.mark.parametrize("trouble", [Refuse(401), Drop()], ids=str)
def test_trouble_with_the_api_passes(gemini: Driven, trouble: Trouble) -> None:
    """A bad key, a lost connection: waited out, then the work goes on."""
    scenes.trouble_that_passes(gemini, trouble)


@pytest.mark.parametrize("trouble", [Refuse(429), Refuse(500)], ids=str)
def test_trouble_that_gemini_waits_out_is_left_to_it(gemini: Driven, trouble: Trouble) -> None:
    """Too many requests, a broken server: Gemini tries again without end, and nothing is typed meanwhile."""
    scenes.trouble_that_it_waits_out(gemini, trouble)


def test_a_usage_limit_is_waited_out(gemini: Driven) -> None:
    """A limit opens a menu, in which "Stop" is chosen without leave; after the reset the work goes on."""
    scenes.limit_that_ends(gemini)


def test_an_approval_is_answered_where_that_is_allowed(gemini: Driven) -> None:
    """A command that the person's own policy wants to be asked about is approved once, and runs."""
    policies = gemini.session.home / ".gemini" / "policies"
    policies.mkdir()
    rule = '[[rule]]\ntoolName = "run_shell_command"\ncommandPrefix = "touch"\ndecision = "ask_user"\npriority = 900\n'
    (policies / "ask.toml").write_text(rule)
    gemini.model.plan(Call("touch $HOME/approved"), Say("Shall I go on?"))
    session = gemini.begin("--experiments", "1", "--answer-approvals")
    assert session.until_noted("answered")["rule"] == "approval"
    assert session.until_over()["phase"] == "finished"
    assert (session.home / "approved").exists()


@needs_hooks
def test_a_killed_agent_comes_back_in_its_own_conversation(gemini: Driven) -> None:
    """After kill -9 Gemini resumes what it was doing, with all that it was told."""
    scenes.killed_and_brought_back(gemini)


def test_a_command_in_the_background_is_no_stop(gemini: Driven) -> None:
    """A turn that leaves a process running is not nudged before that has ended."""
    scenes.left_in_the_background(gemini, 8)


def test_a_nudge_that_cannot_wait_interrupts_the_turn(gemini: Driven) -> None:
    """What a person sends at once ends the turn and begins another."""
    scenes.nudged_while_it_works(gemini, same_turn=False)
