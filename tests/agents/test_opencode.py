"""The real opencode, babysat, against a scripted model on 127.0.0.1: `make test-agents`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.agents import scenes
from tests.agents.chat_api import MODEL, chat_api
from tests.agents.installed import needs
from tests.agents.scenes import Driven
from tests.agents.scripted import (
    EXPERIMENT,
    Asked,
    Call,
    Drop,
    Limit,
    Refuse,
    Say,
    Script,
    Step,
    Trouble,
    one_experiment_a_turn,
)
from tests.agents.session import agent_session

pytestmark = [pytest.mark.agents, pytest.mark.timeout(240), needs("opencode")]

# What it fetches at its start comes from nowhere, and it is not to wait for that.
OFFLINE = {
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    "npm_config_registry": "http://127.0.0.1:9/",
    "npm_config_fetch_retries": "0",
}
HERS = """
import { appendFileSync } from "node:fs"
export const Hers = async () => ({
  event: async ({ event }) => {
    if (event.type === "session.status" && event.properties.status.type === "busy")
      appendFileSync(process.env.HOME + "/hers", "busy\\n")
  },
})
"""


@contextmanager
def opencode_with(settings: dict[str, Any]) -> Iterator[Driven]:
    """A home with an opencode that knows our model alone, and a plugin of the person's."""
    model = Script()
    with chat_api(model) as port, agent_session("opencode", OFFLINE) as session:
        provider = {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": f"http://127.0.0.1:{port}/v1", "apiKey": "dummy"},
            "models": {MODEL: {"limit": {"context": 100_000, "output": 8_000}}},
        }
        config = session.home / ".config" / "opencode"
        (config / "plugins").mkdir(parents=True)
        (config / "plugins" / "hers.js").write_text(HERS)
        (config / "opencode.json").write_text(
            json.dumps({"provider": {"local": provider}, "model": f"local/{MODEL}", **settings})
        )
        yield Driven("opencode", session, model)


@pytest.fixture
def opencode() -> Iterator[Driven]:
    with opencode_with({}) as one:
        yield one


def test_a_model_that_stops_after_every_experiment_is_kept_going_to_the_end(opencode: Driven) -> None:
    """Five real experiments without a person; opencode says itself when it stops, and the person's plugin runs, too."""
    settings = opencode.session.home / ".config" / "opencode" / "opencode.json"
    before = settings.read_text()
    session = scenes.five_experiments(opencode)
    assert session.journal("conversation")[0]["session"].startswith("ses_")
    told = [one["rule"] for one in session.journal("state") if one["evidence"].startswith("the agent reported")]
    assert "hook session.status" in told
    assert (session.home / "hers").exists()
    assert json.loads(settings.read_text()).items() >= json.loads(before).items()


@pytest.mark.parametrize("trouble", [Refuse(401), Refuse(400)], ids=str)
def test_trouble_with_the_api_passes(opencode: Driven, trouble: Trouble) -> None:
    """A bad key or a bad request: opencode gives up at once, the person is called, later the work goes on."""
    scenes.trouble_that_passes(opencode, trouble)


@pytest.mark.parametrize("trouble", [Refuse(429), Refuse(503), Drop()], ids=str)
def test_opencode_is_left_alone_while_it_tries_again_itself(opencode: Driven, trouble: Trouble) -> None:
    """Too many requests, an overloaded or a lost server: its own next try is awaited, and nothing is typed."""
    opencode.model.plan(trouble, trouble)
    session = opencode.begin("--experiments", "1")
    assert session.until_over()["phase"] == "finished", session.journal()[-20:]
    assert [one["what"] for one in session.journal("nudge")] == ["brief"]
    assert "failing" not in session.states()


def test_a_usage_limit_is_waited_out(opencode: Driven) -> None:
    """It waits for the reset itself: it is `limited` until then, nothing is typed, and the work goes on."""
    limits: list[Limit] = []

    def limited_at_first(asked: Asked) -> Step:
        if limits:
            return one_experiment_a_turn(asked)
        limits.append(Limit(asked.at + 5.0))
        return limits[0]

    opencode.model.habit = limited_at_first
    session = opencode.begin("--experiments", "1")
    limited = session.until_noted("state", state="limited")
    assert abs(limited["resets_at"] - limits[0].resets_at) <= 3.0
    assert session.until_over()["phase"] == "finished", session.journal()[-20:]
    assert [one["what"] for one in session.journal("nudge")] == ["brief"]
    assert len(session.experiments()) == 2


def test_an_approval_is_answered_where_that_is_allowed() -> None:
    """A command that the person's own settings want to be asked about is approved once, and runs."""
    with opencode_with({"permission": {"bash": {"echo*": "ask"}}}) as opencode:
        opencode.model.plan(Call("echo appro''ved"), Say("Shall I go on?"))
        session = opencode.begin("--experiments", "1", "--answer-approvals", "--", "opencode")
        assert session.until_noted("answered")["rule"] == "approval"
        assert session.until_over()["phase"] == "finished", session.journal()[-20:]
        assert "approved" in opencode.model.asked[1].outputs[0]


def test_a_killed_agent_comes_back_in_its_own_conversation(opencode: Driven) -> None:
    """After kill -9 opencode resumes what it was doing, with all that it was told."""
    scenes.killed_and_brought_back(opencode)


def test_an_experiment_in_the_background_is_no_stop(opencode: Driven) -> None:
    """A turn that leaves an experiment running, and ends, is not nudged before its verdict."""
    opencode.model.plan(Call(EXPERIMENT, background=True), Say("It runs. I will wait for it."))
    session = opencode.begin("--experiments", "2")
    assert session.until_over()["phase"] == "finished", session.journal()[-20:]
    first = next(one for one in session.journal("verdict") if one["number"] == 1)
    assert [one["at"] > first["at"] for one in session.journal("nudge")] == [False, True]


def test_a_nudge_that_cannot_wait_is_folded_into_the_turn(opencode: Driven) -> None:
    """What a person sends at once is typed into the turn, which goes on."""
    scenes.nudged_while_it_works(opencode, same_turn=True)


def test_a_fresh_context_is_a_new_conversation(opencode: Driven) -> None:
    """An agent that only talks gets other words, then a fresh context with the brief anew, and is followed into it."""
    opencode.model.habit = lambda _asked: Say("Let me think about it.")
    session = opencode.begin()
    session.until_noted("refreshed")
    assert session.until_over()["phase"] == "parked"
    first, *_, last = [one["session"] for one in session.journal("conversation")]
    assert last not in {"", first}
    whats = [one["what"] for one in session.journal("nudge")]
    assert whats.index("brief", 1) > whats.index("insist")
    assert len(session.journal("launched")) == 1
