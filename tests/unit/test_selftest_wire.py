"""The raw client of selftest: what it makes of answers, whole, broken, endless and missing."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway import selftest_wire
from gateway.selftest_wire import MAX_BODY, Hop, NoAnswerError, ask

TLS = ssl.create_default_context()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def answering(data: bytes, *, stays: bool = False) -> Iterator[Hop]:
    """Runs a server for one connection that says `data` once something came, and closes unless it `stays`."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(data)
                if stays:
                    over.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Hop("here", f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(("data", "more", "statuses"), [
    (OK, False, [200]), (OK + OK, False, [200]), (OK + OK, True, [200, 200]), (OK, True, [200]), (b"", False, []), (b"", True, []),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", False, [403]),
    (b"HTTP/1.1 101 Switching\r\n\r\n\x81\x00", False, [101]),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" + OK, True, [200, 200]),
    (b"HTTP/1.1 204 No\r\n\r\n" + OK, True, [204, 200]), (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", True, [200]),
    (b"HTTP/1.1 400 Bad\r\n", False, []),
])  # fmt: skip
def test_statuses_are_read_one_after_the_other(data: bytes, *, more: bool, statuses: list[int]) -> None:
    """Bodies of each framing are passed over, interim answers too; a connection that ends is the end."""
    with answering(data) as hop:
        assert ask(hop, TLS, b"GET / HTTP/1.1\r\n\r\n", more=more) == statuses


def test_an_answer_to_head_has_no_body() -> None:
    """The length that an answer to HEAD announces is not waited for."""
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" * 2) as hop:
        assert ask(hop, TLS, b"HEAD / HTTP/1.1\r\n\r\n", more=True, bodiless=True) == [200, 200]


def test_a_connection_that_stays_open_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first answer a further one is waited for shortly."""
    monkeypatch.setattr(selftest_wire, "MORE", 0.05)
    with answering(OK, stays=True) as hop:
        assert ask(hop, TLS, b"GET / HTTP/1.1\r\n\r\n", more=True) == [200]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<html>refused</html>", "not an answer of HTTP/1"),
        (b"SSH-2.0-x\r\n\r\n", "not an answer of HTTP/1"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000, "the head of an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1), "choose a smaller file"),
    ],
    ids=["html", "ssh", "head", "body"],
)
def test_what_is_no_answer_says_why(data: bytes, says: str) -> None:
    """Other protocols and answers beyond the bounds are no verdict."""
    with answering(data) as hop, pytest.raises(NoAnswerError, match=says):
        ask(hop, TLS, b"GET / HTTP/1.1\r\n\r\n", more=True)


def test_silence_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hop that says nothing is not taken for one that refuses."""
    monkeypatch.setattr(selftest_wire, "PATIENCE", 0.1)
    with answering(b"", stays=True) as hop, pytest.raises(NoAnswerError, match="no answer within"):
        ask(hop, TLS, b"GET / HTTP/1.1\r\n\r\n")
