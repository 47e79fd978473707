"""Begin a session: lab, corpus, worktree, directory, supervisor, in this order, and undo it all if a step fails.

What `new`, `demo` and the window share. It asks nobody anything.
"""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.errors import ClearError
from harness.readable_paths import gpu_at_hand
from harness.settings import PRESETS, RULE, Rule, misfit
from harness.text import slug
from sessions import launch
from sessions.lab import open_lab
from sessions.prices import load_prices
from sessions.profiles import load_profile
from sessions.prompts import load_prompts
from sessions.quiet_hours import QuietHours
from sessions.seed import GENOME_FILES, seed_lab
from sessions.spec import SessionSpec
from sessions.store import SessionDir, cache_home, config_home, create_session, private_dir, sessions_home, state_home


class BeginError(ClearError):
    """A session that cannot begin; the text says what to do."""


@dataclass(frozen=True)
class Plan:
    """What a person asks for. See `sessions.SessionSpec` for the fields that it shares."""

    agent: str
    argv: tuple[str, ...]
    lab: Path
    tag: str | None = None
    preset: str = "embedded"
    budget_s: float | None = None
    device: str = "auto"
    max_experiments: int | None = None
    max_idle_nudges: int = 5
    max_hours: float | None = None
    max_nudges: int | None = None
    max_tokens: int | None = None
    quiet_hours: str = ""
    answer_approvals: bool = False
    record: bool = False
    rule: Rule = RULE


def begin(plan: Plan, say: Callable[[str], None]) -> SessionDir:
    """Begin a session and return its directory once its supervisor listens and its agent lives.

    Raises:
        ClearError: a step failed; nothing of the session is left but a lab that was seeded.
    """
    private_dir(state_home())
    preset = PRESETS[plan.preset]
    if reason := misfit(preset, plan.device, gpu=gpu_at_hand()):
        raise BeginError(reason)
    profile = load_profile(plan.agent, config_home())
    QuietHours.parse(plan.quiet_hours)
    load_prompts(config_home())
    load_prices(config_home())
    argv = plan.argv or profile.argv
    if not argv:
        raise BeginError(f"the profile {plan.agent!r} has no command; give one: autoresearch-tui new -- COMMAND")
    if "/" in argv[0]:  # from where the person is; the agent starts in its worktree
        argv = (str(Path(argv[0]).absolute()), *argv[1:])
    if shutil.which(argv[0]) is None:
        raise BeginError(
            f"{argv[0]} is not on PATH; install it, or give its path: autoresearch-tui new -- /path/to/agent"
        )
    if not plan.lab.exists() or (plan.lab.is_dir() and not any(plan.lab.iterdir())):
        say(f"seeding a new lab in {plan.lab}")
        seed_lab(plan.lab)
    lab = open_lab(plan.lab)
    if missing := lab.missing(GENOME_FILES):
        raise BeginError(f"the lab {plan.lab} has no {', '.join(missing)}; commit one, or name an empty folder to seed")
    corpus = cache_home() / "corpus" / preset.name
    _prepare_corpus(corpus, plan.preset, say)

    tag = slug(plan.tag) if plan.tag else _free_tag()
    if not tag:
        raise BeginError(f"--tag {plan.tag!r} has no letter or digit")
    branch = f"autoresearch/{tag}"
    base = lab.check_new_branch(branch)
    session = create_session(
        SessionSpec(
            session=tag,
            agent=plan.agent,
            argv=list(argv),
            lab=str(lab.path),
            branch=branch,
            base=base,
            corpus=str(corpus),
            preset=preset.name,
            budget_s=plan.budget_s or preset.budget_s,
            genome=list(GENOME_FILES),
            device=plan.device,
            max_experiments=plan.max_experiments,
            max_idle_nudges=plan.max_idle_nudges,
            max_hours=plan.max_hours,
            max_nudges=plan.max_nudges,
            max_tokens=plan.max_tokens,
            quiet_hours=plan.quiet_hours,
            answer_approvals=plan.answer_approvals,
            record=plan.record,
            k=plan.rule.k,
            replicates=plan.rule.replicates,
            most_runs=plan.rule.most_runs,
            top_up_every=plan.rule.top_up_every,
            created_at=time.time(),
        )
    )
    try:
        lab.create_worktree(session.worktree, branch)
        _give_command(session)
        launch.start(session)
    except BaseException:
        lab.remove_worktree(session.worktree, branch)
        shutil.rmtree(session.path, ignore_errors=True)
        raise
    return session


def _prepare_corpus(path: Path, preset: str, say: Callable[[str], None]) -> None:
    # Imported here: it brings pyarrow and numpy, which an `attach` need not wait for.
    from harness.corpus import prepare

    private_dir(path.parent)
    prepare(path, PRESETS[preset], say)


def _give_command(session: SessionDir) -> None:
    """Put `autoresearch-tui` on the agent's PATH without the rest of our environment's programs."""
    beside = Path(sys.executable).parent
    command = shutil.which("autoresearch-tui", path=str(beside)) or shutil.which("autoresearch-tui")
    if command is None:
        raise BeginError(f"the command autoresearch-tui is not installed in {beside}; install it with pip, uv or pipx")
    session.bin.mkdir(mode=0o700)
    session.command.symlink_to(Path(command).absolute())


def _free_tag() -> str:
    """Today as the ecosystem writes it, "nov23", with a letter behind it if it is taken."""
    day = f"{datetime.now().astimezone():%b%d}".lower()
    for suffix in ("", *(f"-{letter}" for letter in "bcdefghijklmnopqrstuvwxyz")):
        if not (sessions_home() / f"{day}{suffix}").exists():
            return f"{day}{suffix}"
    raise BeginError("today has 26 sessions already; choose a --tag")
