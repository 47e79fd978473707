"""What an agent is given at its launch: its command, its environment, the session's own files for it.

Nothing of the person's own configuration is written: what a session needs beyond it is on the command line, in the
environment, or in the session's directory.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessions import hook
from sessions.profile import Places, Profile, filled
from sessions.spec import SessionSpec
from sessions.store import SessionDir, private_dir, replace_file

SESSION_VARIABLE: Final = "AUTORESEARCH_TUI_SESSION"
"""Marks everything that an agent starts with its session's directory."""


@dataclass(frozen=True)
class Outfit:
    """A launch.

    Attributes:
        argv: the command; no shell reads it.
        environment: the whole of it.
        resumes: whether the agent comes back in its own conversation.
        has_brief: whether the command carries the first prompt, so that it need not be typed.
    """

    argv: list[str]
    environment: dict[str, str]
    resumes: bool
    has_brief: bool


def outfit(spec: SessionSpec, profile: Profile, session: SessionDir, brief: str, conversation: str) -> Outfit:
    """Write the session's files for an agent, and say how it is launched.

    Args:
        spec: what the session was asked to be; its command goes before the profile's.
        profile: the agent's.
        session: where things lie.
        brief: the first prompt.
        conversation: the agent's own id of the conversation to come back to; empty: a new one.

    Raises:
        OSError: the files cannot be written.
    """
    places = Places(str(session.worktree), str(session.agent_files), str(session.hook), brief, conversation)
    resumes = bool(conversation and profile.resume) and _is_the_profiles(spec, profile)
    words = spec.argv
    if resumes:
        words = [words[0], *profile.resume, *(word for word in words[1:] if "{brief}" not in word)]
    environment = dict(zip(profile.environment, filled(list(profile.environment.values()), places), strict=True))
    _write_files(profile, session, places)
    path = os.pathsep.join([str(session.bin), os.environ.get("PATH", os.defpath)])
    return Outfit(
        argv=filled(words, places),
        environment={**os.environ, **environment, "PATH": path, SESSION_VARIABLE: str(session.path)},
        resumes=resumes,
        has_brief=any("{brief}" in word for word in words),
    )


def _is_the_profiles(spec: SessionSpec, profile: Profile) -> bool:
    """Whether the session's command is the profile's program, if perhaps with words of the person's own."""
    return bool(profile.argv) and Path(spec.argv[0]).name == Path(profile.argv[0]).name


def _write_files(profile: Profile, session: SessionDir, places: Places) -> None:
    if profile.hooks:
        replace_file(session.hook, hook.script(session.socket))
        session.hook.chmod(0o700)
    if profile.files:
        private_dir(session.agent_files)
        for name, text in zip(profile.files, filled(list(profile.files.values()), places), strict=True):
            replace_file(session.agent_files / name, text)
