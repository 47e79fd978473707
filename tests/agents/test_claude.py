"""The real Claude Code, babysat, against a scripted model on 127.0.0.1: `make test-agents`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.agents import scenes
from tests.agents.anthropic_api import anthropic_api
from tests.agents.installed import needs
from tests.agents.scenes import Driven
from tests.agents.scripted import Call, Drop, Refuse, Say, Script, Trouble
from tests.agents.session import agent_session

pytestmark = [pytest.mark.agents, pytest.mark.timeout(240), needs("claude")]

KEY = "sk-ant-api03-dummy-dummy-dummy-dummy"
KEYED = {"ANTHROPIC_API_KEY": KEY}
# What a subscription's usage limit is shown to; nothing checks it but our model.
SUBSCRIBED = {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-dummy"}


@contextmanager
def claude_with(login: dict[str, str], settings: dict[str, Any]) -> Iterator[Driven]:
    """A home with a Claude that has seen its first screens, trusts the lab and knows our model alone."""
    model = Script()
    with anthropic_api(model) as port:
        environment = {
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "1",
            **login,
        }
        with agent_session("claude", environment) as session:
            known = {
                "hasCompletedOnboarding": True,
                "theme": "dark",
                "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
                "projects": {str(session.home / "lab"): {"hasTrustDialogAccepted": True}},
            }
            (session.home / ".claude.json").write_text(json.dumps(known))
            (session.home / ".claude").mkdir()
            (session.home / ".claude" / "settings.json").write_text(json.dumps(settings))
            yield Driven("claude", session, model)


@pytest.fixture
def claude() -> Iterator[Driven]:
    with claude_with(KEYED, {}) as one:
        yield one


def test_a_model_that_stops_after_every_experiment_is_kept_going_to_the_end() -> None:
    """Five real experiments without a person; Claude says itself when it stops, and the person's own hooks run, too."""
    hers = {"hooks": [{"type": "command", "command": "echo stopped >> $HOME/hers"}]}
    with claude_with(KEYED, {"hooks": {"Stop": [hers]}}) as claude:
        session = scenes.five_experiments(claude)
        assert session.journal("conversation")[0]["session"]
        assert (session.home / "hers").read_text().splitlines() == ["stopped"] * 5


@pytest.mark.parametrize("trouble", [Refuse(429), Refuse(401), Refuse(529), Drop()], ids=str)
def test_trouble_with_the_api_passes(claude: Driven, trouble: Trouble) -> None:
    """Too many requests, a bad key, an overloaded or a lost server: waited out, then the work goes on."""
    scenes.trouble_that_passes(claude, trouble)


def test_a_usage_limit_is_waited_out() -> None:
    """A subscription's limit opens a menu, which is put away without leave; after the reset the work goes on."""
    with claude_with(SUBSCRIBED, {}) as claude:
        scenes.limit_that_ends(claude)


def test_an_approval_is_answered_where_that_is_allowed() -> None:
    """A command that the person's own settings want to be asked about is approved once, and runs."""
    with claude_with(KEYED, {"permissions": {"ask": ["Bash(touch:*)"]}}) as claude:
        claude.model.plan(Call("touch $HOME/approved"), Say("Shall I go on?"))
        session = claude.begin("--experiments", "1", "--answer-approvals")
        assert session.until_noted("answered")["rule"] == "approval"
        assert session.until_over()["phase"] == "finished"
        assert (session.home / "approved").exists()


def test_an_approval_calls_the_person_where_answers_are_not_allowed() -> None:
    """Without leave to answer, the person is called, and nothing is typed into the question."""
    with claude_with(KEYED, {"permissions": {"ask": ["Bash(touch:*)"]}}) as claude:
        claude.model.plan(Call("touch $HOME/approved"))
        session = claude.begin()
        session.until_noted("alert")
        assert session.status()["state"] == "asking"
        assert [one["what"] for one in session.journal("nudge")] == ["brief"]
        assert not (session.home / "approved").exists()


def test_a_killed_agent_comes_back_in_its_own_conversation(claude: Driven) -> None:
    """After kill -9 Claude resumes what it was doing, with all that it was told."""
    scenes.killed_and_brought_back(claude)


def test_a_command_in_the_background_is_no_stop(claude: Driven) -> None:
    """A turn that leaves a shell running is not nudged: Claude goes on by itself when that has ended."""
    scenes.left_in_the_background(claude, 8, end_begins_a_turn=True)


def test_a_nudge_that_cannot_wait_is_folded_into_the_turn(claude: Driven) -> None:
    """What a person sends at once is typed into the turn, which goes on."""
    scenes.nudged_while_it_works(claude, same_turn=True)


def test_a_fresh_context_is_a_new_conversation(claude: Driven) -> None:
    """An agent that only talks gets other words, then a fresh context with the brief anew, and is followed into it."""
    claude.model.habit = lambda _asked: Say("Let me think about it.")
    session = claude.begin()
    session.until_noted("refreshed")
    assert session.until_over()["phase"] == "parked"
    first, *_, last = [one["session"] for one in session.journal("conversation")]
    assert last not in {"", first}
    whats = [one["what"] for one in session.journal("nudge")]
    assert whats.index("brief", 1) > whats.index("insist")
    assert len(session.journal("launched")) == 1
