"""A run in progress in words: what runs, which of its runs it is, and why there is another one. Pure, and light."""

from harness.result import Phase
from harness.text import one_line
from sessions.protocol import Running


def subject(running: Running) -> str:
    """What runs: "training #13", "#13 waits for the GPU"; a replicate measures the noise: "noise: training #10"."""
    waits = running.phase == Phase.WAITING
    doing = f"#{running.number} waits for the GPU" if waits else f"{running.phase} #{running.number}"
    return f"noise: {doing}" if running.replicate else doing


def which_run(running: Running) -> str:
    """Which of its runs it is, "run 2 of 3"; empty for a first one, which may be the only one."""
    if running.most_runs <= 1 or (running.run <= 1 and not running.because):
        return ""
    return f"run {running.run} of {running.most_runs}"


def why_again(running: Running) -> str:
    """Why there is another run, in few words: "within noise"."""
    return one_line(running.because.partition(":")[0], 60)
