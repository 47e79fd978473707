"""The agent through all its launches: begun, brought back in its own conversation, begun afresh, ended.

When that happens is decided elsewhere.
"""

import time
from pathlib import Path
from typing import Final

from harness.text import one_line
from sessions.agent import Agent
from sessions.agent_log import AgentLog
from sessions.conversation import Conversation
from sessions.journal import Journal
from sessions.outfit import outfit
from sessions.profile import Profile
from sessions.prompter import Prompter
from sessions.pty import PtyError
from sessions.spec import SessionSpec
from sessions.store import SessionDir

# An agent that was brought back in its own conversation and ends within this time could not find it.
_RESUME_PROVES_S: Final = 15.0


class Launches:
    """One session's launches of its agent.

    Attributes:
        agent: its process and terminal.
        conversation: which of the agent's own conversations is ours.
        brief_pending: whether the first prompt must still be typed to this launch.
    """

    def __init__(
        self,
        spec: SessionSpec,
        profile: Profile,
        session: SessionDir,
        journal: Journal,
        prompter: Prompter,
        agent: Agent,
        agent_log: AgentLog,
    ) -> None:
        self.agent = agent
        self.conversation = Conversation(session.conversation)
        self.brief_pending = False
        self._spec = spec
        self._profile = profile
        self._session = session
        self._journal = journal
        self._prompter = prompter
        self._agent_log = agent_log
        self._resumed_at: float | None = None

    @property
    def resumed(self) -> bool:
        """Whether the agent was last launched to come back in its own conversation."""
        return self._resumed_at is not None

    def launch(self) -> None:
        """Start the agent in the session's worktree, in its own conversation if it had one.

        Raises:
            PtyError: it cannot be started.
        """
        conversation = self.conversation.identity.session
        brief = self._prompter.words("brief")
        try:
            given = outfit(self._spec, self._profile, self._session, brief, conversation)
        except OSError as error:
            raise PtyError(f"cannot write {error.filename}: {error.strerror}") from None
        pid = self.agent.launch(given.argv, self._session.worktree, given.environment)
        self._resumed_at = time.monotonic() if given.resumes else None
        self.brief_pending = not (given.resumes or given.has_brief)
        argv = [one_line(one, 300) for one in given.argv]
        self._journal.add("launched", argv=argv, pid=pid, conversation=conversation if given.resumes else "")

    def launch_again(self) -> None:
        """Start the agent after it has ended; anew, if it ended at once when it was to come back.

        Raises:
            PtyError: it cannot be started.
        """
        if self._resumed_at is not None and time.monotonic() - self._resumed_at < _RESUME_PROVES_S:
            self._journal.add("conversation lost", session=self.conversation.identity.session)
            self.forget()
        self.launch()

    async def launch_afresh(self) -> None:
        """End the agent and start it in a new conversation.

        Raises:
            PtyError: it cannot be started.
        """
        self.forget()
        await self.end(politely=True)
        self.launch()

    def forget(self) -> None:
        """The agent's conversation is over; the next one will be told by its hooks or found by its log."""
        self.conversation.forget()
        self._agent_log.forget()

    def obituary(self) -> str:
        """How an agent ended that did not live long, with the last thing it said."""
        return f"the agent {Path(self._spec.argv[0]).name} ended at once: {self.agent.last_words()}"

    async def end(self, *, politely: bool) -> None:
        """End the agent; politely, where its composer is free, with the keys that make it leave."""
        await self.agent.hang_up(self._profile.quit if politely else ())
