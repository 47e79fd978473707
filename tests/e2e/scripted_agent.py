"""An agent without a model for the end-to-end tests: it does what each line that it is told says.

    python scripted_agent.py [resume ID] [--hook COMMAND] NOTES

It draws like the profile in `test_any_agent.py` expects, and writes what it was started with and told, one JSON
object a line, to the file NOTES. The first prompt, which is the brief, it answers by stopping.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    words = sys.argv[1:]
    resumed = words[1] if words[0] == "resume" else ""
    hook = words[words.index("--hook") + 1] if "--hook" in words else ""
    notes = Path(words[-1])

    def note(**facts: object) -> None:
        with notes.open("a") as stream:
            stream.write(json.dumps({"pid": os.getpid(), **facts}) + "\n")

    def tell(event: str, **data: object) -> None:
        if hook:
            subprocess.run([hook, event, json.dumps({"session_id": resumed or "talk-1", **data})], check=True)

    def show(state: str) -> None:
        print(f"\x1b[2J\x1b[H[{state}]", flush=True)

    note(started=words)
    tell("Start")
    show("ready")
    tell("Stop")
    for line in lines():
        note(told=line.strip())
        tell("Prompt")
        show("busy")
        with Path(f"{notes}.log").open("a") as log:
            usage = {"cwd": str(Path.cwd()), "model": "m", "input": 1_000_000, "output": 100_000}
            log.write(json.dumps(usage) + "\n")
        do(line.split(), show)
        show("ready")
        note(done=line.strip())
        tell("Stop")
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # its terminal is gone, and it does not mind
        signal.pause()


def lines():  # type: ignore[no-untyped-def]
    """Lines of the terminal, while there is one."""
    try:
        yield from sys.stdin
    except OSError:
        return


def do(words: list[str], show) -> None:  # type: ignore[no-untyped-def]
    """Carry out what was told: the last word that is a command."""
    for word in words:
        match word:
            case "DIE":
                os.kill(os.getpid(), signal.SIGKILL)
            case "DEAF":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
            case "FLOOD":
                for _ in range(300):
                    sys.stdout.buffer.write(b"\xff\xfe\x1b[31m\x1b]0;x" + bytes(range(256)) * 40)
                sys.stdout.flush()
            case "TRY":
                genome = Path("train.py")
                genome.write_text(genome.read_text() + f"# {time.monotonic_ns()}\n")
                subprocess.run(["autoresearch-tui", "try", "-m", "a change"], check=False, stdout=subprocess.DEVNULL)
            case "LIMIT":
                show("limit: try again in 2 seconds")
                sys.stdin.readline()
            case "WORK":  # until it is told something else
                show("busy")
                sys.stdin.readline()


main()
