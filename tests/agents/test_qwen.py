"""The real Qwen Code, babysat, against a scripted model on 127.0.0.1: `make test-agents`, where it is installed."""

import json
from collections.abc import Iterator

import pytest

from tests.agents import scenes
from tests.agents.chat_api import MODEL, chat_api
from tests.agents.installed import needs
from tests.agents.scenes import Driven
from tests.agents.scripted import Drop, Refuse, Script
from tests.agents.session import agent_session

pytestmark = [pytest.mark.agents, pytest.mark.timeout(240), needs("qwen")]


@pytest.fixture
def qwen() -> Iterator[Driven]:
    """A home with a Qwen Code that knows our model alone, and a hook of the person's."""
    model = Script()
    with chat_api(model) as port:
        environment = {
            "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
            "OPENAI_API_KEY": "dummy",
            "OPENAI_MODEL": MODEL,
        }
        with agent_session("qwen", environment) as session:
            hers = {"type": "command", "command": "echo stopped >> $HOME/hers"}
            settings = {
                "security": {"auth": {"selectedType": "openai"}},
                "privacy": {"usageStatisticsEnabled": False},
                "hooks": {"Stop": [{"hooks": [hers]}]},
            }
            (session.home / ".qwen").mkdir()
            (session.home / ".qwen" / "settings.json").write_text(json.dumps(settings))
            yield Driven("qwen", session, model)


def test_a_model_that_stops_after_every_experiment_is_kept_going_to_the_end(qwen: Driven) -> None:
    """Real experiments without a person; Qwen says itself when it stops, and the person's hook runs, too."""
    session = scenes.five_experiments(qwen)
    assert session.journal("conversation")[0]["transcript"].startswith(str(session.home / ".qwen"))
    assert "hook Stop" in {one["rule"] for one in session.journal("nudge")}
    assert set((session.home / "hers").read_text().splitlines()) == {"stopped"}


@pytest.mark.parametrize("trouble", [Refuse(401), Refuse(400), Drop()], ids=str)
def test_trouble_with_the_api_passes(qwen: Driven, trouble: Refuse | Drop) -> None:
    """A bad key, a bad request or a lost server: the person is called, and once the server answers the work goes on."""
    scenes.trouble_that_passes(qwen, trouble)


def test_qwen_is_left_alone_while_it_tries_again_itself(qwen: Driven) -> None:
    """Too many requests: its own next try is awaited, and nothing is typed."""
    qwen.model.plan(Refuse(429))
    session = qwen.begin("--experiments", "1")
    assert session.until_over()["phase"] == "finished", session.journal()[-20:]
    assert [one["what"] for one in session.journal("nudge")] == ["brief"]
    assert "failing" not in session.states()


def test_a_killed_agent_comes_back_in_its_own_conversation(qwen: Driven) -> None:
    """After kill -9 Qwen resumes what it was doing, with all that it was told."""
    scenes.killed_and_brought_back(qwen)
