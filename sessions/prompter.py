"""What is typed to the agent, for each kind of prompt: the words of `sessions.wording` about the session of now."""

from sessions import wording
from sessions.experiments import Experiments
from sessions.policy import Kind
from sessions.store import SessionDir, SessionSpec


class Prompter:
    """One session's prompts."""

    def __init__(self, spec: SessionSpec, session: SessionDir, experiments: Experiments) -> None:
        self._spec = spec
        self._command = str(session.command)
        self._experiments = experiments

    def words(self, kind: Kind) -> str:
        """The text of a prompt."""
        records, best = self._experiments.records, self._experiments.best
        match kind:
            case "brief":
                return wording.brief(self._spec, self._command)
            case "result":
                return wording.result_nudge(records[-1], best)
            case _:
                return wording.nudge(best, records[-1] if records else None, self._command)
