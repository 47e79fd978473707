"""What is played with every agent that can play it: the session around it, the script, and what must come of it."""

import os
import signal
from dataclasses import dataclass

from tests.agents.scripted import QUESTION, Asked, Call, Limit, Say, Script, Step, Trouble, one_experiment_a_turn
from tests.agents.session import AgentSession, gone


@dataclass(frozen=True)
class Driven:
    """A session with an agent, and the mind of its model.

    Attributes:
        name: of the profile.
        session: not begun yet.
        model: what it will say.
    """

    name: str
    session: AgentSession
    model: Script

    def begin(self, *words: str) -> AgentSession:
        """Start the session, and wait until the agent has been briefed."""
        self.session.begin(self.name, *words)
        self.session.until_noted("nudge", what="brief")
        return self.session


def five_experiments(one: Driven) -> AgentSession:
    """A model that stops after every experiment is kept going: briefed once, nudged four times at rest, finished."""
    session = one.begin("--experiments", "5")
    status = session.until_over(within_s=220.0)
    assert status["phase"] == "finished", session.journal()[-20:]
    assert [each.number for each in session.experiments()] == [0, 1, 2, 3, 4, 5]
    nudges = session.journal("nudge")
    assert [each["what"] for each in nudges] == ["brief", "nudge", "nudge", "nudge", "nudge"]
    assert {each["state"] for each in nudges} == {"waiting"}
    assert len(session.journal("launched")) == 1
    return session


def trouble_that_passes(one: Driven, trouble: Trouble) -> None:
    """While the API fails the agent is `failing`, and the person is called; once it answers the work goes on."""
    session = one.session
    one.model.fail(trouble)
    one.begin("--experiments", "1")
    session.until_noted("state", state="failing")
    session.until_noted("alert")
    one.model.mend()
    assert session.until_over()["phase"] == "finished", session.journal()[-20:]
    assert "limited" not in session.states()
    assert len(session.experiments()) == 2


def trouble_that_it_waits_out(one: Driven, trouble: Trouble) -> None:
    """An agent that tries again by itself, for as long as it takes, works all the while and is left alone."""
    one.model.fail(trouble)
    session = one.begin("--experiments", "1")
    one.model.until(lambda model: len(model.asked) >= 3)
    one.model.mend()
    assert session.until_over()["phase"] == "finished", session.journal()[-20:]
    assert [each["what"] for each in session.journal("nudge")] == ["brief"]


def limit_that_ends(one: Driven) -> None:
    """At a usage limit the menu is put away, nothing is typed until it ends, and then the work goes on."""
    ends: list[float] = []

    def limited(asked: Asked) -> Step:
        ends.append(asked.at + 5.0)
        return Limit(ends[0]) if asked.at < ends[0] else one_experiment_a_turn(asked)

    one.model.habit = limited
    session = one.begin("--experiments", "1")
    noted = session.until_noted("state", state="limited")
    assert abs(noted["resets_at"] - ends[0]) <= 60.0  # the agent says it to the minute
    session.until_noted("answered")
    assert session.until_over(within_s=150.0)["phase"] == "finished", session.journal()[-20:]
    assert [each["what"] for each in session.journal("nudge")][:2] == ["brief", "limit_over"]
    assert len(session.experiments()) == 2


def killed_and_brought_back(one: Driven) -> None:
    """An agent killed with -9 comes back in its own conversation, in which the model still knows the brief."""
    session = one.begin()
    session.until(lambda status: status["total"] >= 1 and status["state"] == "waiting")
    before = session.journal("launched")[-1]
    conversation = session.journal("conversation")[-1]["session"]
    os.kill(before["pid"], signal.SIGKILL)
    again = session.until_noted("launched", conversation=conversation)
    assert again["pid"] != before["pid"]
    assert gone(before["pid"])
    asked = len(one.model.asked)
    one.model.until(lambda model: len(model.asked) > asked)
    brief = session.journal("nudge")[0]["text"][:60]
    assert any(brief in text for text in one.model.asked[asked].prompts)
    session.until(lambda status: status["total"] >= 2)
    assert [each["what"] for each in session.journal("nudge")].count("brief") == 1


def left_in_the_background(one: Driven, seconds: int, *, end_begins_a_turn: bool = False) -> None:
    """A turn that ends while a command goes on in the background is no stop: the next text comes after its end.

    An agent that begins a turn by itself then needs no text at all.
    """
    session = one.session
    command = Call(f"sleep {seconds} && date +%s.%N > $HOME/ended", background=True)
    # Not in the first turn: nothing is typed anyway until the baseline is measured.
    one.model.plan(Say(QUESTION), command, Say("It runs. I will wait for it."))
    one.begin("--experiments", "1")
    assert session.until_over()["phase"] == "finished", session.journal()[-20:]
    ended = float((session.home / "ended").read_text(encoding="utf-8"))
    _brief, _before, *after = [each["at"] for each in session.journal("nudge")]
    assert all(at > ended for at in after)
    assert bool(after) is not end_begins_a_turn


def nudged_while_it_works(one: Driven, *, same_turn: bool) -> None:
    """A person's nudge that cannot wait reaches the model at once, though a command of a minute runs."""
    session = one.session
    one.model.plan(Call("sleep 60 || true"), Say(QUESTION)) if not same_turn else one.model.plan(Call("sleep 6"))
    one.begin()
    session.until(lambda status: status["state"] == "working")
    one.model.until(lambda model: len(model.asked) >= 1)
    assert one.session.verb("nudge", "--now", "c", "mind the batch size").returncode == 0
    one.model.until(lambda model: any("mind the batch size" in text for text in model.asked[-1].prompts), 40.0)
    assert bool(session.journal("interrupted")) is not same_turn
