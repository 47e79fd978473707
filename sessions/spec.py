"""What a session was asked to be: `session.json`. Values only."""

from dataclasses import dataclass, field

from harness.result import Record
from harness.settings import RULE, Rule


@dataclass(frozen=True)
class SessionSpec(Record):
    """What a session was asked to be. It never changes after `new`.

    Attributes:
        session: the session's id, which is its tag.
        agent: the profile's name.
        argv: the agent's command; no shell reads it.
        lab: absolute path of the git repository.
        branch: `autoresearch/<tag>`.
        base: full id of the commit that the session started from.
        genome: paths in the lab that the agent may change.
        corpus: absolute path of the prepared corpus.
        preset: a name in `harness.settings.PRESETS`.
        budget_s: training seconds an experiment.
        device: "auto", "cpu" or "cuda".
        max_experiments: finish after as many, the baseline left out; None: no end.
        max_idle_nudges: park after as many nudges without a new experiment.
        max_hours: finish after so many hours of supervision; None: no end.
        max_nudges: finish after as many nudges; None: no end.
        max_tokens: finish once the agent has used as many tokens; None: no end.
        quiet_hours: when nothing is typed and no experiment starts, as "23:00-07:00"; empty: never.
        answer_approvals: give the profile's safe answer to an approval instead of calling the person.
        k, replicates, most_runs, top_up_every: how noise is weighed, as in `harness.settings.Rule`.
        record: record the agent's terminal as asciinema casts.
        created_at: seconds since the epoch.
    """

    session: str
    agent: str
    argv: list[str]
    lab: str
    branch: str
    base: str
    corpus: str
    preset: str
    budget_s: float
    genome: list[str] = field(default_factory=lambda: ["train.py"])
    device: str = "auto"
    max_experiments: int | None = None
    max_idle_nudges: int = 5
    max_hours: float | None = None
    max_nudges: int | None = None
    max_tokens: int | None = None
    quiet_hours: str = ""
    answer_approvals: bool = False
    record: bool = False
    created_at: float = 0.0
    k: float = RULE.k
    replicates: int = RULE.replicates
    most_runs: int = RULE.most_runs
    top_up_every: int = RULE.top_up_every

    @property
    def rule(self) -> Rule:
        """How a verdict weighs noise in this session."""
        return Rule(self.k, self.replicates, self.most_runs, self.top_up_every)
