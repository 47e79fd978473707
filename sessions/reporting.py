"""What a session's parts say of themselves, as one `Status`. It decides nothing and keeps nothing."""

from dataclasses import asdict

from sessions.babysitter import Babysitter
from sessions.experiments import Experiments
from sessions.protocol import Status
from sessions.spec import SessionSpec
from sessions.states import Phase
from sessions.usage import Usage


def status_of(spec: SessionSpec, experiments: Experiments, sitter: Babysitter, usage: Usage) -> Status:
    """The agent's and the experiments' share of a status; what the supervisor alone knows is left as it is at first."""
    running, detection, noise = experiments.running, sitter.watcher.detection, experiments.noise
    return Status(
        session=spec.session,
        agent=spec.agent,
        lab=spec.lab,
        phase=Phase.RUNNING,
        state=sitter.watcher.state,
        state_since=sitter.watcher.state_since,
        rule="" if detection is None else detection.rule,
        evidence="" if detection is None else detection.evidence,
        running=None if running is None else asdict(running),
        queued=experiments.queued,
        best=experiments.best,
        baseline=experiments.baseline,
        best_number=experiments.best_number,
        kept=experiments.kept,
        total=experiments.total,
        nudges=sitter.keyboard.nudges,
        last_nudge_at=sitter.keyboard.last_nudge_at,
        last_nudge=sitter.keyboard.last_nudge,
        wheel=sitter.person.wheel is not None,
        agent_pid=sitter.agent.pid,
        size=list(sitter.agent.size),
        max_experiments=spec.max_experiments,
        holding=sitter.holding.reason,
        resets_at=None if detection is None or detection.reset is None else round(detection.reset.at),
        tokens=usage.tokens,
        cost=usage.dollars,
        best_runs=experiments.incumbent.runs,
        sigma=None if noise is None else noise.sigma,
        sigma_runs=0 if noise is None else noise.runs,
        agent_session=sitter.launches.conversation.identity.session,
    )
