"""The vocabulary of states: a leaf that everyone may import. No behaviour, no I/O."""

from enum import StrEnum


class AgentState(StrEnum):
    """What the agent is doing, as seen from outside. Waiting is never the fall-through: it needs evidence."""

    STARTING = "starting"  # launched, nothing recognised yet
    WORKING = "working"  # a turn is in progress
    WAITING = "waiting"  # the turn ended; the composer is free
    ASKING = "asking"  # an approval or a menu wants an answer
    FAILING = "failing"  # its API errors
    LIMITED = "limited"  # a usage limit
    EXITED = "exited"  # the process is gone


class Phase(StrEnum):
    """What the session as a whole is doing."""

    RUNNING = "running"  # babysitting
    PAUSED = "paused"  # by the person; the agent lives, nothing is typed to it, no new experiment starts
    PARKED = "parked"  # by the supervisor, which says why and waits for the person
    FINISHED = "finished"  # reached its number of experiments
    STOPPED = "stopped"  # no supervisor; ended on purpose
    DEAD = "dead"  # no supervisor; ended by accident
