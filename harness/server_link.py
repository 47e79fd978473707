"""The near end of a fork server: starts one, hands it orders, hears of their ends, and ends it.

It waits for nothing but the server's own end; what a run says is heard elsewhere.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Final

from harness.orders import Ended, Order, receive_ended, send_order
from harness.run_environment import run_environment
from harness.run_mark import PADDING

SERVER: Final = (sys.executable, "-I", "-B", "-m", "harness.fork_server")
_LAST_WORDS: Final = 4096


class ServerLink:
    """A fork server that was started by this process, and ends with it.

    Attributes:
        socket: does not block; becomes readable when a run has ended, or the server has.
    """

    def __init__(self, command: Sequence[str] = SERVER) -> None:
        """Start it, without waiting until it is ready. Its environment is a run's: it never had a secret.

        Raises:
            OSError: it could not be started.
        """
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the server may write to it
        try:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                cwd="/",
                env=run_environment(os.environ, PADDING, "/"),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError:
            self.socket.close()
            self._errors.close()
            raise
        finally:
            theirs.close()
        self.socket.setblocking(False)

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def send(self, order: Order, *, events_fd: int, stop_fd: int, log_fd: int) -> None:
        """As `harness.orders.send_order`."""
        send_order(self.socket, order, events_fd=events_fd, stop_fd=stop_fd, log_fd=log_fd)

    def ended(self) -> Ended | None:
        """As `harness.orders.receive_ended`."""
        return receive_ended(self.socket)

    def kill(self) -> tuple[int, bytes]:
        """End it now; its exit status, as in `subprocess`, and the end of what it printed.

        Its runs end by themselves when the other ends of their stop descriptors are closed.
        """
        if self._errors.closed:
            return self._process.wait(), b""
        self.socket.close()
        self._process.kill()
        status = self._process.wait()
        with self._errors as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _LAST_WORDS))
            return status, stream.read()
