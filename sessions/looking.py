"""Judgement: when to look at the agent again. Pure; the supervisor and a replay look at the same moments.

Output is looked at a little later than it comes, so that a flood costs no more than ten looks a second; silence is
looked at when it has lasted long enough to mean something.
"""

from typing import Final

from sessions.detector import Detection
from sessions.profile import Profile

LOOK_S: Final = 0.25
"""The judges look at least so often."""

LOOK_AFTER_OUTPUT_S: Final = 0.1
"""After a change on the screen they look so soon, and no more often than this."""

_SOON_S: Final = 0.02
_JUST_AFTER_S: Final = 0.002  # a look that is a rounding error too early would cost a whole pause


def pause_s(profile: Profile, detection: Detection | None, changed_at: float, now: float, *, stirred: bool) -> float:
    """Seconds from this look to the next, if nothing calls for one earlier.

    Args:
        profile: the agent's.
        detection: what this look said.
        changed_at: when the screen or title last changed, on the clock of `now`.
        now: of this look.
        stirred: whether the agent has written since the look before.
    """
    pause = LOOK_AFTER_OUTPUT_S if stirred else LOOK_S
    due = [changed_at + quiet_s for quiet_s in quiet_spans(profile)]
    if detection is not None and detection.candidate is not None:
        due.append(detection.candidate_since + profile.settle_s)
    left = [at + _JUST_AFTER_S - now for at in due]
    return max(_SOON_S, min([pause, *(seconds for seconds in left if seconds > 0)]))


def quiet_spans(profile: Profile) -> set[float]:
    """After how many seconds of silence this profile judges anew."""
    spans = {rule.quiet_s for rule in profile.rules} | {profile.quiet_s or 0.0}
    return spans - {0.0}
