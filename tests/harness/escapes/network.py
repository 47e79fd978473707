"""The network, and sockets of this machine."""

import socket

from harness.sandbox import NETWORK, SOCKETS
from tests.harness.escapes.attempt import CALLS, Surroundings, against


@against(NETWORK)
def connect_by_tcp(at: Surroundings) -> None:
    socket.create_connection(("127.0.0.1", at.port), timeout=5).close()


@against(NETWORK)
def send_by_udp(_at: Surroundings) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"a message", ("127.0.0.1", 9))


@against(SOCKETS)
def connect_to_a_unix_socket(at: Surroundings) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(at.place / "outside" / "listening"))


@against(NETWORK)
def connect_to_an_abstract_socket(at: Surroundings) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"\0escape-{at.victim}")


@against(SOCKETS)
def send_datagrams_from_a_pair(at: Surroundings) -> None:
    left, _right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.sendto(b"a message", str(at.place / "outside" / "datagrams"))


@against(CALLS)
def listen_by_tcp(_at: Surroundings) -> None:
    socket.create_server(("127.0.0.1", 0)).close()


@against(CALLS)
def open_a_netlink_socket(_at: Surroundings) -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()
