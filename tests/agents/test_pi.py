"""The real pi, babysat, against a scripted model on 127.0.0.1: `make test-agents`, where it is installed."""

import json
from collections.abc import Iterator

import pytest

from tests.agents import scenes
from tests.agents.chat_api import MODEL, chat_api
from tests.agents.installed import needs
from tests.agents.scenes import Driven
from tests.agents.scripted import Drop, Refuse, Script
from tests.agents.session import agent_session

pytestmark = [pytest.mark.agents, pytest.mark.timeout(240), needs("pi")]


@pytest.fixture
def pi() -> Iterator[Driven]:
    """A home with a pi that knows our model alone, and an extension of the person's."""
    model = Script()
    with chat_api(model) as port, agent_session("pi", {"PI_OFFLINE": "1"}) as session:
        provider = {"baseUrl": f"http://127.0.0.1:{port}/v1", "api": "openai-completions", "apiKey": "dummy"}
        mine = session.home / ".pi" / "agent"
        (mine / "extensions").mkdir(parents=True)
        (mine / "models.json").write_text(json.dumps({"providers": {"local": {**provider, "models": [{"id": MODEL}]}}}))
        (mine / "settings.json").write_text(json.dumps({"defaultProvider": "local", "defaultModel": MODEL}))
        (mine / "extensions" / "hers.js").write_text(
            'import { appendFileSync } from "node:fs"\n'
            'export default (pi) => pi.on("agent_end", () => appendFileSync(process.env.HOME + "/hers", "end\\n"))\n'
        )
        yield Driven("pi", session, model)


def test_a_model_that_stops_after_every_experiment_is_kept_going_to_the_end(pi: Driven) -> None:
    """Real experiments without a person; pi says itself when it stops, and the person's extension runs, too."""
    session = scenes.five_experiments(pi)
    assert session.journal("conversation")[0]["transcript"].startswith(str(session.home / ".pi"))
    assert "hook agent_end" in {one["rule"] for one in session.journal("nudge")}
    assert set((session.home / "hers").read_text().splitlines()) == {"end"}


def test_a_bad_key_is_waited_out(pi: Driven) -> None:
    """The person is called, and once the server answers the work goes on."""
    scenes.trouble_that_passes(pi, Refuse(401))


@pytest.mark.parametrize("trouble", [Refuse(429), Drop()], ids=str)
def test_pi_is_left_alone_while_it_tries_again_itself(pi: Driven, trouble: Refuse | Drop) -> None:
    """Too many requests or a lost server: its own next try is awaited, and nothing is typed."""
    pi.model.plan(trouble, trouble)
    session = pi.begin("--experiments", "1")
    assert session.until_over()["phase"] == "finished", session.journal()[-20:]
    assert [one["what"] for one in session.journal("nudge")] == ["brief"]
    assert "failing" not in session.states()


def test_a_killed_agent_comes_back_in_its_own_conversation(pi: Driven) -> None:
    """After kill -9 pi resumes what it was doing, with all that it was told."""
    scenes.killed_and_brought_back(pi)


def test_a_nudge_that_cannot_wait_is_folded_into_the_turn(pi: Driven) -> None:
    """What a person sends at once is typed into the turn, which goes on."""
    scenes.nudged_while_it_works(pi, same_turn=True)
