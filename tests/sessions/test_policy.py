"""The nudge policy: each rule by example, and what must never happen by a state machine."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sessions.actions import Action, Alert, Answer, Finish, Interrupt, Nothing, Park, Refresh, Relaunch, Submit
from sessions.bounds import Limits
from sessions.detector import STALLED, Detection
from sessions.policy import MAX_ANSWERS, decide, forgiven
from sessions.profile import AtOnce
from sessions.reset_time import Reset
from sessions.situation import Memory, Situation
from sessions.states import AgentState, Phase

_LIMITS = Limits()


def _at(state: AgentState, since: float = 100.0, answer: str | None = None) -> Situation:
    return Situation(Detection(state, since, "rule", "what it saw", answer))


_WAITING = _at(AgentState.WAITING)


def _decide(situation: Situation, now: float = 100.0, memory: Memory | None = None, limits: Limits = _LIMITS) -> Action:
    return decide(memory or Memory(), situation, limits, now)[0]


def test_a_stop_is_nudged_at_once() -> None:
    """An agent whose turn has ended, with nothing running, is nudged without delay."""
    assert _decide(_WAITING) == Submit("nudge")


def test_the_brief_comes_before_everything_of_ours() -> None:
    """The first prompt is the brief, also while the baseline runs, and it is no nudge."""
    action, memory = decide(Memory(), replace(_WAITING, brief_pending=True, pending=True), _LIMITS, 100.0)
    assert action == Submit("brief")
    assert memory.idle_nudges == 0


def test_an_untold_result_is_the_nudge() -> None:
    """An agent that stopped without having heard its result is told the result."""
    assert _decide(replace(_WAITING, result_untold=True)) == Submit("result")


def test_a_person_goes_first() -> None:
    """A person's text goes before the brief and before a result, and also while an experiment runs."""
    situation = replace(_WAITING, person_nudges=("try a bigger model",), result_untold=True, pending=True)
    assert _decide(replace(situation, brief_pending=True)) == Submit("person")


@pytest.mark.parametrize("state", [AgentState.STARTING, AgentState.WORKING, AgentState.ASKING, AgentState.EXITED])
def test_even_a_persons_text_waits_for_a_safe_prompt(state: AgentState) -> None:
    """Nobody's text is typed into work, a start-up screen, a menu or a dead process."""
    situation = replace(_at(state), person_nudges=("hello",), brief_pending=True)
    assert not isinstance(_decide(situation), Submit)


@pytest.mark.parametrize(
    "situation",
    [
        replace(_WAITING, phase=Phase.PAUSED),
        replace(_WAITING, phase=Phase.PARKED),
        replace(_WAITING, phase=Phase.FINISHED),
        replace(_WAITING, wheel_held=True),
        replace(_WAITING, typed_at=95.0),
        replace(_WAITING, pending=True),
    ],
)
def test_hands_off(situation: Situation) -> None:
    """Paused, parked, finished, the wheel in a person's hand, her keys just typed, an experiment running: nothing."""
    assert isinstance(_decide(situation), Nothing)


def test_nothing_says_when_to_look_again() -> None:
    """A wait that ends by itself says when."""
    assert _decide(replace(_WAITING, typed_at=95.0)) == Nothing("a person has just typed", 105.0)


def test_a_stop_just_after_a_submission_waits_out_the_cooldown() -> None:
    """Two submissions are a second apart at least, and the second comes within three seconds of the stop."""
    memory = Memory(submitted_at=100.0)
    stopped = _at(AgentState.WAITING, since=100.2)
    assert isinstance(_decide(stopped, 100.9, memory), Nothing)
    assert _decide(stopped, 101.0, memory) == Submit("nudge")


def test_a_submission_that_nobody_read_is_not_repeated_at_once() -> None:
    """An agent that waits since before the last submission gets time to read it, then the next."""
    memory = Memory(submitted_at=100.0)
    waiting = _at(AgentState.WAITING, since=90.0)
    assert _decide(waiting, 110.0, memory) == Nothing("the agent has not shown yet that it read the last text", 120.0)
    assert _decide(waiting, 120.0, memory) == Submit("nudge")


def _stops(most: int) -> list[Action]:
    """What follows from one stop after the other, without any experiment."""
    limits, memory, now = Limits(max_idle_nudges=most), Memory(), 100.0
    actions: list[Action] = []
    while not actions or not isinstance(actions[-1], Park):
        action, memory = decide(memory, _at(AgentState.WAITING, since=now), limits, now)
        actions.append(action)
        now += 5.0
    return actions


@pytest.mark.parametrize(
    ("most", "ladder"),
    [
        (1, ["nudge"]),
        (2, ["nudge", "insist"]),
        (3, ["nudge", "insist", "fresh"]),
        (4, ["nudge", "insist", "fresh", "insist"]),
        (5, ["nudge", "nudge", "insist", "fresh", "insist"]),
        (8, ["nudge", "nudge", "insist", "insist", "insist", "insist", "fresh", "insist"]),
    ],
)
def test_without_progress_the_words_change_then_the_context_then_it_parks(most: int, ladder: list[str]) -> None:
    """Stops without a new experiment climb a ladder; at its end the session parks, and says why."""
    *rungs, last = _stops(most)
    assert [one.kind if isinstance(one, Submit) else "fresh" for one in rungs] == ladder
    assert last == Park(f"nudged {most} times without a new experiment")


def test_a_new_experiment_is_progress() -> None:
    """A new experiment, and a person's resume, start the count of idle nudges anew."""
    spent = Memory(idle_nudges=5)
    assert isinstance(_decide(_WAITING, memory=spent), Park)
    assert _decide(replace(_WAITING, experiments=1), memory=spent) == Submit("nudge")
    assert _decide(_WAITING, memory=forgiven(spent)) == Submit("nudge")


def test_an_approval_is_answered_only_if_allowed() -> None:
    """The profile's safe answer is given where the person allowed it; otherwise she is called, once."""
    asking = _at(AgentState.ASKING, answer="y")
    assert _decide(asking, limits=Limits(answer_approvals=True)) == Answer("y")
    action, memory = decide(Memory(), asking, _LIMITS, 100.0)
    assert action == Alert("the agent asks: what it saw")
    assert isinstance(_decide(asking, 200.0, memory), Nothing)


def test_a_question_without_a_safe_answer_calls_the_person() -> None:
    """A question that the profile knows no safe answer to calls the person even if answers are allowed."""
    assert isinstance(_decide(_at(AgentState.ASKING), limits=Limits(answer_approvals=True)), Alert)


def test_a_question_that_stays_is_not_hammered() -> None:
    """A question that stays is answered a few times, seconds apart, and then the person is called, once."""
    limits, memory = Limits(answer_approvals=True), Memory()
    seen = []
    for tick in range(600):
        action, memory = decide(memory, _at(AgentState.ASKING, answer="y"), limits, 100.0 + tick / 10)
        seen.append(type(action))
    assert seen.count(Answer) == MAX_ANSWERS
    assert seen.count(Alert) == 1
    assert seen.index(Answer, 1) == round(limits.answer_patience_s * 10)


def test_the_next_question_is_answered_too() -> None:
    """A question that began later is another one."""
    limits = Limits(answer_approvals=True)
    _, memory = decide(Memory(), _at(AgentState.ASKING, 100.0, "y"), limits, 100.0)
    assert _decide(_at(AgentState.ASKING, 100.7, "y"), 101.0, memory, limits) == Answer("y")


def test_an_agent_that_keeps_ending_parks_the_session() -> None:
    """An agent that ends is launched again, three times within a minute at most."""
    memory, actions = Memory(), []
    for now in (100.0, 110.0, 120.0, 130.0):
        action, memory = decide(memory, _at(AgentState.EXITED, now), _LIMITS, now)
        actions.append(type(action))
    assert actions == [Relaunch, Relaunch, Relaunch, Park]


def test_an_agent_that_ends_now_and_then_is_launched_again() -> None:
    """Relaunches that are minutes apart go on as long as experiments come in between."""
    memory = Memory()
    for number in range(20):
        now = 100.0 + 120.0 * number
        situation = replace(_at(AgentState.EXITED, now), experiments=number)
        action, memory = decide(memory, situation, _LIMITS, now)
        assert isinstance(action, Relaunch)


def test_the_session_finishes_at_its_number_of_experiments() -> None:
    """At its number of experiments the session finishes, once the agent is at rest and nothing runs."""
    limits = Limits(max_experiments=3)
    done = replace(_WAITING, experiments=3)
    assert _decide(done, limits=limits) == Finish("3 experiments, as asked")
    assert isinstance(_decide(replace(done, pending=True), limits=limits), Nothing)
    assert isinstance(_decide(replace(_at(AgentState.WORKING), experiments=3), limits=limits), Nothing)
    assert isinstance(_decide(replace(_at(AgentState.EXITED), experiments=3), limits=limits), Finish)


@pytest.mark.parametrize(
    ("limits", "situation", "reason"),
    [
        (Limits(max_hours=8.0), replace(_WAITING, hours=8.0), "8 hours, as asked"),
        (Limits(max_nudges=30), replace(_WAITING, nudges=30), "30 nudges, as asked"),
        (Limits(max_tokens=1000), replace(_WAITING, tokens=1200), "1200 tokens, as asked"),
    ],
)
def test_the_session_finishes_at_its_other_bounds(limits: Limits, situation: Situation, reason: str) -> None:
    """Hours, nudges and tokens end a session like experiments do, and only at rest."""
    assert _decide(situation, limits=limits) == Finish(reason)
    working = replace(situation, detection=Detection(AgentState.WORKING, 100.0))
    assert isinstance(_decide(working, limits=limits), Nothing)


def test_in_quiet_hours_only_a_person_is_heard() -> None:
    """In quiet hours nothing is typed, answered or launched of our own accord, and their end is known."""
    quiet = replace(_WAITING, quiet_s=600.0)
    assert _decide(quiet) == Nothing("these are quiet hours", 700.0)
    assert isinstance(_decide(replace(_at(AgentState.EXITED), quiet_s=600.0)), Nothing)
    assert _decide(replace(quiet, person_nudges=("go",))) == Submit("person")


def test_an_urgent_nudge_reaches_an_agent_at_work() -> None:
    """A nudge that cannot wait is typed into the work where the agent takes that, else the turn is interrupted."""
    working = replace(_at(AgentState.WORKING), person_nudges=("stop that",), urgent=True)
    assert _decide(replace(working, at_once="type")) == Submit("person")
    action, memory = decide(Memory(), working, _LIMITS, 100.0)
    assert isinstance(action, Interrupt)
    assert isinstance(_decide(working, 101.0, memory), Nothing)
    assert isinstance(_decide(replace(working, urgent=False)), Nothing)


def test_a_half_typed_text_is_the_persons() -> None:
    """While a text of hers stands half typed in the composer nothing is added to it, for five minutes."""
    left = replace(_WAITING, typed_at=95.0, draft=True)
    assert _decide(left, 200.0) == Nothing("a person has left a text half typed", 395.0)
    assert _decide(left, 395.0) == Submit("nudge")


def test_nothing_is_typed_into_a_viewer() -> None:
    """Under a viewer or a picker an agent that waits is not typed to; the person is called after a minute, once."""
    held = replace(_WAITING, detection=replace(_WAITING.detection, held_since=100.0), person_nudges=("go",))
    assert _decide(held, 110.0) == Nothing("something lies over the agent's screen", 160.0)
    action, memory = decide(Memory(), held, _LIMITS, 160.0)
    assert isinstance(action, Alert)
    assert isinstance(_decide(held, 170.0, memory), Nothing)


def test_an_urgent_nudge_interrupts_no_work_in_the_background() -> None:
    """Work in the background leaves the composer free: what cannot wait is typed there, whatever the agent's way."""
    working = replace(_at(AgentState.WORKING), person_nudges=("stop that",), urgent=True)
    assert _decide(replace(working, detection=replace(working.detection, background=True))) == Submit("person")


def test_a_hung_turn_is_interrupted_before_it_is_nudged() -> None:
    """An agent that has drawn nothing for a quarter of an hour gets its turn ended first, then the nudge."""
    hung = replace(_WAITING, detection=Detection(AgentState.WAITING, 100.0, STALLED, "unchanged for 15 min"))
    action, memory = decide(Memory(), hung, _LIMITS, 1000.0)
    assert isinstance(action, Interrupt)
    assert decide(memory, hung, _LIMITS, 1006.0)[0] == Submit("nudge")


def test_an_agent_that_never_shows_anything_calls_the_person() -> None:
    """A start-up that shows nothing known for two minutes is brought to the person's notice, once."""
    starting = _at(AgentState.STARTING)
    assert _decide(starting, 110.0) == Nothing("the agent is starting", 220.0)
    action, memory = decide(Memory(), starting, _LIMITS, 221.0)
    assert isinstance(action, Alert)
    assert isinstance(_decide(starting, 222.0, memory), Nothing)


def test_errors_are_tried_again_ever_more_sparsely() -> None:
    """An API that fails is tried again after 10 s, 20 s, ... 15 min, and in the end the session parks."""
    memory, now, waits = Memory(), 100.0, []
    failing = _at(AgentState.FAILING)
    while True:
        action, memory = decide(memory, failing, _LIMITS, now)
        if isinstance(action, Park):
            break
        if isinstance(action, Nothing):
            assert action.until is not None
            waits.append(action.until - now)
            now = action.until
        elif isinstance(action, Submit):
            now += 2.0
            failing = _at(AgentState.FAILING, since=now)
    assert waits[:4] == [10.0, 20.0, 40.0, 80.0]
    assert max(waits) == 900.0
    assert len(waits) == _LIMITS.max_retries + 1  # the last one ends with the session parked


def test_a_turn_that_ends_well_forgives_the_errors_before_it() -> None:
    """The back-off begins anew after a turn that ended without an error."""
    memory = decide(Memory(retries=7), _WAITING, _LIMITS, 100.0)[1]
    assert memory.retries == 0


def _limited(reset_at: float, margin_s: float = 2.0) -> Situation:
    """At a limit since 100 on the monotonic clock, which was 1000 on the wall's."""
    reset = Reset(reset_at, margin_s)
    detection = Detection(AgentState.LIMITED, 100.0, "limit", "what it saw", reset=reset, reset_by=reset_at - 900.0)
    return Situation(detection, wall=1000.0)


def test_a_limit_is_waited_out_to_its_reset_and_no_longer() -> None:
    """At a limit with a known end nothing is typed before it, and the agent is told soon after it."""
    limited = _limited(1005.0)
    action, memory = decide(Memory(), limited, _LIMITS, 100.0)
    assert isinstance(action, Alert)
    wait = _decide(limited, 100.0, memory)
    assert wait == Nothing("the agent is limited; the next try comes later", 107.0)
    assert _decide(replace(limited, wall=1007.5), 107.5, memory) == Submit("limit_over")


def test_a_limit_ends_by_whichever_clock_gets_there() -> None:
    """A wall clock that is set back, or a machine that slept, does not make a limit last longer."""
    _, memory = decide(Memory(), _limited(1005.0), _LIMITS, 100.0)
    set_back = replace(_limited(1005.0), wall=10.0)
    assert _decide(set_back, 107.5, memory) == Submit("limit_over")
    slept = replace(_limited(1005.0), wall=5000.0)
    assert _decide(slept, 100.5, memory) == Submit("limit_over")


def test_a_limit_without_an_end_is_tried_every_hour() -> None:
    """A limit that says nothing of its end is tried again an hour later."""
    _, memory = decide(Memory(), _at(AgentState.LIMITED), _LIMITS, 100.0)
    wait = _decide(_at(AgentState.LIMITED), 101.0, memory)
    assert isinstance(wait, Nothing)
    assert wait.until == 3700.0


def test_the_menu_of_a_usage_limit_is_put_away_without_leave() -> None:
    """Keys that choose nothing are pressed though no answer was allowed; if they do not help, the person is called."""
    limited = _limited(1005.0)
    menu = replace(limited, detection=replace(limited.detection, answer="\x1b"), person_nudges=("go",))
    now, memory, actions = 100.0, Memory(), []
    for _ in range(5):
        action, memory = decide(memory, menu, _LIMITS, now)
        actions.append(action)
        now += _LIMITS.answer_patience_s
    assert actions[:3] == [Answer("\x1b")] * 3
    assert isinstance(actions[3], Alert)
    assert isinstance(actions[4], Nothing)


class Night(RuleBasedStateMachine):
    """Anything that can happen in a night, in any order, with a decision after each step."""

    @initialize(answers=st.booleans(), most=st.none() | st.integers(1, 4))
    def begin(self, answers: bool, most: int | None) -> None:
        self.limits = Limits(answer_approvals=answers, max_experiments=most, max_idle_nudges=3)
        self.memory = Memory()
        self.now = 1000.0
        self.situation = replace(_at(AgentState.STARTING, self.now), brief_pending=True)
        self.submissions: list[tuple[float, str]] = []
        self.idle = 0
        self.relaunches: list[float] = []
        self.judged = 0

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 3.0, 25.0, 70.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(state=st.sampled_from(AgentState), answer=st.sampled_from([None, "y"]))
    def agent_does(self, state: AgentState, answer: str | None) -> None:
        self.situation = replace(self.situation, detection=Detection(state, self.now, "r", "e", answer))

    @rule(state=st.sampled_from([AgentState.WAITING, AgentState.WORKING, AgentState.EXITED]))
    def agent_does_the_usual(self, state: AgentState) -> None:
        self.agent_does(state, None)

    @rule()
    def experiment_starts(self) -> None:
        self.situation = replace(self.situation, pending=True)

    @rule()
    def experiment_ends(self) -> None:
        if self.situation.pending:
            count = self.situation.experiments + 1
            self.situation = replace(self.situation, pending=False, experiments=count, result_untold=True)
            self.idle = 0

    @rule(urgent=st.booleans(), at_once=st.sampled_from(["type", "interrupt"]))
    def person_nudges(self, urgent: bool, at_once: AtOnce) -> None:
        nudges = (*self.situation.person_nudges, "go")
        self.situation = replace(self.situation, person_nudges=nudges, urgent=urgent, at_once=at_once)

    @rule(quiet_s=st.sampled_from([None, 5.0, 5000.0]))
    def quiet_hours_begin_or_end(self, quiet_s: float | None) -> None:
        self.situation = replace(self.situation, quiet_s=quiet_s)

    @rule(in_s=st.sampled_from([0.0, 5.0, 5000.0]))
    def agent_is_limited(self, in_s: float) -> None:
        detection = Detection(AgentState.LIMITED, self.now, "r", "e", reset=Reset(9e9, 2.0), reset_by=self.now + in_s)
        self.situation = replace(self.situation, detection=detection)

    @rule(held=st.booleans())
    def person_takes_or_leaves_the_wheel(self, held: bool) -> None:
        self.situation = replace(
            self.situation, wheel_held=held, typed_at=self.now if held else self.situation.typed_at
        )

    @rule(phase=st.sampled_from([Phase.RUNNING, Phase.PAUSED]))
    def person_pauses_or_resumes(self, phase: Phase) -> None:
        if phase is Phase.RUNNING and self.situation.phase is not Phase.RUNNING:
            self.memory = forgiven(self.memory)
            self.idle, self.relaunches = 0, []
        self.situation = replace(self.situation, phase=phase)

    @invariant()
    def decision_is_safe(self) -> None:
        if not hasattr(self, "limits"):
            return
        before = self.situation
        action, self.memory = decide(self.memory, before, self.limits, self.now)
        state = before.detection.state
        recently = before.typed_at is not None and self.now - before.typed_at < self.limits.after_typing_s
        if before.phase is not Phase.RUNNING or before.wheel_held or recently:
            assert isinstance(action, Nothing)
        match action:
            case Submit(kind):
                self._check_submission(kind)
            case Answer():
                assert before.detection.answer is not None
                assert state is AgentState.LIMITED or (state is AgentState.ASKING and self.limits.answer_approvals)
            case Relaunch():
                assert state is AgentState.EXITED
                self.idle += 1
                self.relaunches.append(self.now)
                assert len([at for at in self.relaunches if at > self.now - 60.0]) <= 3
                detection = Detection(AgentState.STARTING, self.now)
                self.situation = replace(before, detection=detection, brief_pending=True)
            case Park() | Finish():
                phase = Phase.PARKED if isinstance(action, Park) else Phase.FINISHED
                self.situation = replace(before, phase=phase)
            case Interrupt():
                assert state is AgentState.WORKING
                assert before.urgent
            case Refresh():
                assert state is AgentState.WAITING
                assert not before.pending
                self.idle += 1
                self.situation = replace(before, brief_pending=True)
            case Alert():
                assert state in {AgentState.STARTING, AgentState.ASKING, AgentState.FAILING, AgentState.LIMITED}
            case Nothing(_, until):
                assert until is None or until > self.now
        assert self.idle <= self.limits.max_idle_nudges

    def _check_submission(self, kind: str) -> None:
        situation = self.situation
        detection = situation.detection
        into_work = kind == "person" and situation.urgent and situation.at_once == "type"
        assert detection.state in {AgentState.WAITING, AgentState.FAILING, AgentState.LIMITED} or into_work
        assert detection.state is not AgentState.LIMITED or detection.answer is None  # it shows a menu
        assert situation.quiet_s is None or kind == "person"
        if kind == "limit_over" and detection.reset is not None:
            assert self.now >= detection.reset_by + detection.reset.margin_s
        assert not self.submissions or self.now - self.submissions[-1][0] >= self.limits.cooldown_s
        assert kind in {"person", "brief"} or not situation.pending
        self.submissions.append((self.now, kind))
        if kind == "person":
            left = situation.person_nudges[1:]
            self.situation = replace(situation, person_nudges=left, urgent=situation.urgent and bool(left))
            self.idle = 0
        elif kind == "brief":
            assert not situation.person_nudges
            self.situation = replace(situation, brief_pending=False)
        else:
            assert not situation.person_nudges
            assert (kind == "result") == (situation.result_untold and kind != "limit_over")
            self.situation = replace(situation, result_untold=False)
            self.idle += detection.state is AgentState.WAITING


Night.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestNight = Night.TestCase
