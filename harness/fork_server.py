"""The process that all runs are forked from: it has imported what a run needs, and waits for orders.

    python -I -B -m harness.fork_server FD

FD is a unix socket; see `harness.orders` for what goes over it. Started with a scrubbed environment, single-threaded,
and never using a GPU, so that what is forked from it is as good as new and holds no secret. It makes any number of runs
at a time, judges nothing, and ends when whoever started it hangs up or dies. A runner is not ended with it: that ends
by its own stop descriptor.
"""

import contextlib
import gc
import os
import selectors
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Final

from harness import child, evaluate, machine, model_host
from harness.child_process import ChildProcess
from harness.orders import Ended, Order, close_all, receive_order, send_ended
from harness.process_tree import adopting_orphans, die_with_parent, end_descendants
from harness.readable_paths import python_paths
from harness.result import RecordError
from harness.run_environment import run_environment
from harness.run_mark import fits
from harness.runner_process import carry_out

PRELOADED: Final = (child, evaluate, machine, model_host)


class ForkServer:
    """Makes runs until nobody can order one any more."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._selector = selectors.DefaultSelector()
        self._selector.register(link, selectors.EVENT_READ)
        self._runners: dict[int, str] = {}  # process ids and the ids of their runs

    def serve(self) -> None:
        """See the class."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._bury(key.data)
                elif not self._take():
                    return

    def _take(self) -> bool:
        """Begin what was ordered; False when the other side has hung up."""
        try:
            came = receive_order(self._link)
        except RecordError as error:
            sys.stderr.write(f"no order: {error}\n")
            return True
        if came is None:
            return False
        order, fds = came
        try:
            self._begin(order, fds)
        except OSError as error:
            send_ended(self._link, Ended(order.run_id, reason=f"it could not be started: {error.strerror or error}"))
        finally:
            close_all(fds)
        return True

    def _begin(self, order: Order, fds: tuple[int, int, int]) -> None:
        if not fits(order.run_id):
            send_ended(self._link, Ended(order.run_id, reason="its id is too long, or none"))
            return
        events_fd, stop_fd, log_fd = fds
        runner = ChildProcess(
            partial(carry_out, order, events_fd, stop_fd),
            "runner",
            keep=(events_fd, stop_fd),
            environment=run_environment(os.environ, order.run_id, str(order.request.get("scratch", "/"))),
            directory=Path("/"),
            log_fd=log_fd,
            lives_on=True,
        )
        self._runners[runner.pid] = order.run_id
        self._selector.register(runner.pidfd, selectors.EVENT_READ, runner)

    def _bury(self, runner: ChildProcess) -> None:
        """A runner has ended: whatever it left behind is a child of this process by now, and ends, too."""
        self._selector.unregister(runner.pidfd)
        run_id = self._runners.pop(runner.pid)
        runner.close()
        end_descendants(self._runners)
        send_ended(self._link, Ended(run_id, runner.exit_code or 0))


def main(arguments: list[str]) -> None:
    """Serve the socket whose descriptor is the only argument."""
    die_with_parent()
    python_paths()  # kept, for all that is forked
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(arguments[0])) as link, adopting_orphans(), contextlib.suppress(ConnectionError):
        link.set_inheritable(False)
        ForkServer(link).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
