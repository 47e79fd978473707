"""The real Codex CLI, babysat, against a scripted model on 127.0.0.1: `make test-agents AGENTS=codex`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.agents.installed import needs
from tests.agents.responses_api import responses_api
from tests.agents.scripted import Script
from tests.agents.session import AgentSession, agent_session

pytestmark = [pytest.mark.agents, pytest.mark.timeout(200), needs("codex")]

CONFIG = """
model = "scripted"
model_provider = "local"
[model_providers.local]
name = "local"
base_url = "http://127.0.0.1:{port}/v1"
wire_api = "responses"
env_key = "LOCAL_KEY"
request_max_retries = 1
stream_max_retries = 1
"""


@dataclass(frozen=True)
class Codex:
    """A session with Codex, and the mind of its model."""

    session: AgentSession
    model: Script

    def begin(self, *words: str) -> AgentSession:
        self.session.begin("codex", *words)
        return self.session


@pytest.fixture
def codex() -> Iterator[Codex]:
    """A home with a Codex that knows our model alone."""
    model = Script()
    with responses_api(model) as port, agent_session("codex", {"LOCAL_KEY": "dummy"}) as session:
        settings = session.home / ".codex"
        settings.mkdir()
        (settings / "config.toml").write_text(CONFIG.format(port=port))
        yield Codex(session, model)


def test_a_model_that_stops_after_every_experiment_is_kept_going_to_the_end(codex: Codex) -> None:
    """Five real experiments, each after a stop: briefed once, nudged four times, never while it worked, finished."""
    session = codex.begin("--experiments", "5")
    status = session.until_over()
    assert status["phase"] == "finished", status
    assert [one.number for one in session.experiments()] == [0, 1, 2, 3, 4, 5]
    nudges = session.journal("nudge")
    assert [one["what"] for one in nudges] == ["brief", "nudge", "nudge", "nudge", "nudge"]
    assert {one["state"] for one in nudges} == {"waiting"}
    print(json.dumps(session.journal(), indent=0))
