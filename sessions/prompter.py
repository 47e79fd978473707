"""What is typed to the agent on each occasion: the words of `sessions.wording`, about the session as it is now."""

from collections.abc import Callable
from dataclasses import dataclass

from sessions.actions import Kind
from sessions.experiments import Experiments
from sessions.prompts import Prompts
from sessions.spec import SessionSpec
from sessions.standing import BASELINE
from sessions.store import SessionDir
from sessions.wording import Context, prompt


@dataclass(frozen=True)
class Spent:
    """What of its bounds the session has used: hours of supervision, nudges, the agent's tokens."""

    hours: float = 0.0
    nudges: int = 0
    tokens: int = 0


class Prompter:
    """One session's prompts."""

    def __init__(
        self,
        spec: SessionSpec,
        session: SessionDir,
        experiments: Experiments,
        prompts: Prompts,
        spent: Callable[[], Spent] = Spent,
    ) -> None:
        self._spec = spec
        self._command = str(session.command)
        self._experiments = experiments
        self._prompts = prompts
        self._spent = spent

    def words(self, kind: Kind) -> str:
        """The text of a prompt of ours; a brief in a session that has results says them."""
        if kind == "person":
            raise ValueError("a person's words are her own")
        begun = any(one.number != BASELINE for one in self._experiments.records)
        return prompt("fresh" if kind == "brief" and begun else kind, self._prompts, self._context())

    def _context(self) -> Context:
        spec, experiments, spent = self._spec, self._experiments, self._spent()
        return Context(
            spec=spec,
            command=self._command,
            records=experiments.records,
            best=experiments.best,
            best_number=experiments.best_number,
            baseline=experiments.baseline,
            sigma=None if experiments.noise is None else experiments.noise.sigma,
            experiments_left=None if spec.max_experiments is None else spec.max_experiments - experiments.total,
            hours_left=None if spec.max_hours is None else spec.max_hours - spent.hours,
            tokens_left=None if spec.max_tokens is None else spec.max_tokens - spent.tokens,
            nudges_left=None if spec.max_nudges is None else spec.max_nudges - spent.nudges,
        )
