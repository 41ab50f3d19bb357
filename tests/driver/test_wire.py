"""Sockets that do not arrive, arrive in the wrong mood, or come from a helper that has died."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grader.driver import helper, wire
from grader.driver.wire import HandoverError, Helper, Switchboard


@pytest.fixture
def path() -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a socket's path has room for 107 bytes
        yield str(Path(folder, "driver"))


@pytest.fixture
def board(path: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Switchboard]:
    monkeypatch.setattr(helper, "LISTEN_PATH", path)
    board = Switchboard(path)
    yield board
    for name in list(board._helpers):
        board.forget(name)
    board._listener.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=wire.MAX_SOCKETS + 8) as sock:
        sock.settimeout(5)
        yield sock


def help_with(board: Switchboard, name: str = "app") -> Helper:
    threading.Thread(target=helper.main, args=(name,), daemon=True).start()
    return board.helper(name, 5)


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


@contextmanager
def peer_saying(*rows: bytes, descriptors: tuple[int, ...] = ()) -> Iterator[Helper]:
    """A helper that says `rows`, hands over `descriptors`, and then nothing any more."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for row in rows:
            theirs.sendall(row)
        if descriptors:
            socket.send_fds(theirs, [b"+"], descriptors)
        theirs.shutdown(socket.SHUT_WR)
        ours.settimeout(5)
        yield Helper(ours)


def test_a_handed_over_socket_talks_to_the_service(board: Switchboard, listener: socket.socket) -> None:
    (ours,) = help_with(board).sockets(port_of(listener))
    theirs, _ = listener.accept()
    with ours, theirs:
        ours.sendall(b"hello")
        assert theirs.recv(10) == b"hello"
        theirs.sendall(b"you")
        assert ours.recv(10) == b"you"


def test_a_handed_over_socket_waits_for_its_answer(board: Switchboard, listener: socket.socket) -> None:
    (ours,) = help_with(board).sockets(port_of(listener))
    with ours:
        assert os.get_blocking(ours.fileno())
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_helper_that_used_a_timeout_cannot_make_the_driver_s_reads_fail() -> None:
    """O_NONBLOCK belongs to the open file, so it comes along with the descriptor."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        with peer_saying(b'{"problem": null}\n', descriptors=(theirs.fileno(),)) as peer:
            (made,) = peer.sockets(8000)
        with made:
            assert made.gettimeout() is None
            assert os.get_blocking(made.fileno())


def test_a_refused_port_is_named_and_the_helper_lives_on(board: Switchboard, listener: socket.socket) -> None:
    app = help_with(board)
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = port_of(free)
    with pytest.raises(HandoverError, match="refused"):
        app.sockets(closed)
    (ours,) = app.sockets(port_of(listener))
    ours.close()


def test_sockets_outlive_the_listener_and_new_ones_are_refused(board: Switchboard) -> None:
    app = help_with(board)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = port_of(listener)
        (ours,) = app.sockets(port)
        theirs, _ = listener.accept()
    with ours, theirs:
        with pytest.raises(HandoverError, match="refused"):
            app.sockets(port)
        theirs.sendall(b"still here")
        assert ours.recv(20) == b"still here"


def test_a_service_that_accepts_nobody_is_a_timeout(board: Switchboard) -> None:
    app = help_with(board)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as waiting:
        waiting.connect(full.getsockname())
        with pytest.raises(HandoverError, match="timeout"):
            app.sockets(port_of(full))


def test_as_many_sockets_as_allowed_come_in_one_hand_over(board: Switchboard, listener: socket.socket) -> None:
    made = help_with(board).sockets(port_of(listener), wire.MAX_SOCKETS)
    assert len({sock.fileno() for sock in made}) == wire.MAX_SOCKETS
    for sock in made:
        sock.close()


def test_more_sockets_than_allowed_are_not_asked_for() -> None:
    with peer_saying() as peer, pytest.raises(AssertionError):
        peer.sockets(8000, wire.MAX_SOCKETS + 1)


def test_the_helper_itself_hands_out_no_more_than_allowed(board: Switchboard, listener: socket.socket) -> None:
    peer = help_with(board)._peer
    peer.sendall(json.dumps({"op": "connect", "port": port_of(listener), "count": 5000}).encode() + b"\n")
    assert json.loads(wire.read_line(peer)) == {"problem": None}
    _, descriptors, _, _ = socket.recv_fds(peer, 1, wire.MAX_SOCKETS + 8)
    assert len(descriptors) == wire.MAX_SOCKETS
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.mark.parametrize(
    "rows", [(), (b'{"problem"',), (b'{"problem": null}\n',)], ids=["before", "within", "after the line"]
)
def test_a_helper_that_dies_is_gone_and_not_a_crash(rows: tuple[bytes, ...]) -> None:
    with peer_saying(*rows) as peer, pytest.raises(HandoverError, match="gone"):
        peer.sockets(8000)


def test_too_few_descriptors_are_closed_and_not_used() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        handed_over = peer_saying(b'{"problem": null}\n', descriptors=(theirs.fileno(),))
        with theirs, handed_over as peer, pytest.raises(HandoverError, match="gone"):
            peer.sockets(8000, 2)
        ours.settimeout(5)
        assert ours.recv(1) == b""  # nobody holds the other end any more


def test_the_helper_ends_when_the_driver_hangs_up(board: Switchboard) -> None:
    thread = threading.Thread(target=helper.main, args=("app",), daemon=True)
    thread.start()
    board.helper("app", 5)
    board.forget("app")
    thread.join(5)
    assert not thread.is_alive()


def test_helpers_are_told_apart_by_name(board: Switchboard) -> None:
    for name in ("student", "yardstick"):
        threading.Thread(target=helper.main, args=(name,), daemon=True).start()
    assert board.helper("yardstick", 5) is not board.helper("student", 5)


def test_a_helper_that_never_comes_is_a_timeout(board: Switchboard) -> None:
    with pytest.raises(HandoverError, match="timeout"):
        board.helper("app", 0.1)


def test_listeners_tell_loopback_from_everywhere(board: Switchboard, listener: socket.socket) -> None:
    found = help_with(board).listeners()
    assert {"address": "0100007F", "port": port_of(listener)} in found


def test_a_service_with_thousands_of_listeners_does_not_silence_the_helper() -> None:
    rows = [{"address": "0" * 32, "port": port} for port in range(2046)]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        threading.Thread(target=theirs.sendall, args=(json.dumps(rows).encode() + b"\n",)).start()
        assert Helper(ours).listeners() == rows


def test_a_line_without_end_is_cut_off() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"x" * 2000)
        with pytest.raises(HandoverError, match="gone"):
            wire.read_line(ours, 1000)
