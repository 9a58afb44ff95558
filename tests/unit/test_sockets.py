"""Handshakes that are refused before and after the verdict, answers to them, and what ends a joined pair."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any, Final

import pytest
from websockets.asyncio.server import ServerConnection, serve

from gateway.carry import Passage
from gateway.errors import ClientGoneError, GatewayError
from gateway.identity import ANONYMOUS, Identity, Proof
from gateway.identity_token import IdentityTokens
from gateway.inbound import Inbound
from gateway.reasons import Reason
from gateway.routes import Operation, Row
from gateway.routes.templates import Template
from gateway.sockets import admit, as_get, check_handshake, deny, join
from models.networks import NetworkSet
from upstreams import asking, until

KEY: Final = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")
MESSAGE: Final = 1 << 20
VERSION: Final = (b"sec-websocket-version", b"13")
HOST: Final = (b"host", b"gw.example:8080")


def scope(*headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    """Returns the scope of a handshake."""
    return {
        "type": "websocket", "http_version": "1.1", "scheme": "ws", "raw_path": b"/a", "query_string": b"", "client": ("127.0.0.1", 1),
        "subprotocols": [], "headers": [HOST, *headers], "extensions": {"websocket.http.response": {}}, **more,
    }  # fmt: skip


def inbound(given: dict[str, Any]) -> Inbound:
    """Returns the request that a handshake is."""
    return Inbound.of(as_get(given), NetworkSet.of(()), "r1")


def row(*, websocket: bool = True) -> Row:
    """Returns a row."""
    return Row("test.yaml:1", ("GET",), Template.of("/a"), "media", anonymous=True, websocket=websocket)


@pytest.mark.parametrize(("scheme", "meant"), [("ws", "http"), ("wss", "https")])
def test_a_handshake_is_a_get(scheme: str, meant: str) -> None:
    """It has the method GET and the scheme that a request of the same connection has."""
    request = inbound(scope(KEY, scheme=scheme))

    assert (request.method, request.scheme, request.target) == ("GET", meant, b"/a")


@pytest.mark.parametrize(("headers", "subprotocols"), [
    ([VERSION], []), ([KEY], []), ([VERSION, KEY, KEY], []), ([VERSION, VERSION, KEY], []), ([VERSION, (KEY[0], b"short==")], []),
    ([(VERSION[0], b"12"), KEY], []), ([(VERSION[0], b"13, 8"), KEY], []), ([VERSION, KEY], ["chat", "a b"]), ([VERSION, KEY], [""]),
])  # fmt: skip
def test_a_malformed_handshake(headers: list[tuple[bytes, bytes]], subprotocols: list[str]) -> None:
    """A handshake without a version and a key, or with two readings, is 400; the plainest one is fine."""
    given = scope(*headers, subprotocols=subprotocols)
    with pytest.raises(GatewayError) as caught:
        check_handshake(inbound(given), given)

    assert caught.value.reason is Reason.BAD_HEADERS
    plain = scope(VERSION, KEY, subprotocols=["chat"])
    check_handshake(inbound(plain), plain)


@pytest.mark.parametrize(
    ("proof", "origin", "passes"),
    [
        (Proof.BASIC, None, True),
        (Proof.BASIC, b"https://GW.example:8080", True),
        (Proof.BASIC, b"https://gw.example", False),
        (Proof.BASIC, b"null", False),
        (Proof.BASIC, b"", False),
        (Proof.BASIC, b"https://gw.example:8080.evil.example", False),
        (Proof.BEARER, b"https://evil.example", True),
        (Proof.PAIR, b"https://evil.example", True),
        (Proof.NONE, b"https://evil.example", True),
    ],
)
def test_origins(proof: Proof, origin: bytes | None, *, passes: bool) -> None:
    """Where a browser sends the credential by itself, only pages of the gateway's own host may open a socket."""
    request = inbound(scope(KEY, *([(b"origin", origin)] if origin is not None else [])))
    identity = Identity(None, proof)
    with nullcontext() if passes else pytest.raises(GatewayError, match="another origin"):
        admit(request, identity, row())


def test_a_row_takes_no_socket_unless_it_says_so() -> None:
    """Without `websocket: true` the row, named in the detail, refuses."""
    with pytest.raises(GatewayError) as caught:
        admit(inbound(scope(KEY)), ANONYMOUS, row(websocket=False))

    assert caught.value.reason is Reason.WEBSOCKET
    assert "test.yaml:1" in caught.value.detail


class Client:
    """A client that stays."""

    gone = False
    on_gone: Callable[[], None] | None = None

    def __init__(self, *messages: dict[str, Any], fails: bool = False) -> None:
        self._messages = [{"type": "websocket.connect"}, *messages]
        self._fails = fails
        self.heard: list[Any] = []

    async def receive(self) -> dict[str, Any]:
        """What it sends next; nothing more after the last."""
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop(0)

    async def send(self, message: Any) -> None:
        """Takes a message."""
        if self._fails and message["type"] != "websocket.accept":
            raise ClientGoneError(sent=True)
        self.heard.append(message)


@pytest.mark.anyio
async def test_a_refusal_is_an_answer_with_all_its_headers() -> None:
    """Status, headers, repeated ones too, and body go out as they are."""
    client = Client()
    repeated = [(b"vary", b"a"), (b"set-cookie", b"a=b"), (b"vary", b"b"), (b"set-cookie", b"c=d")]
    await deny(client.send, 403, repeated, b"no")

    assert client.heard == [
        {"type": "websocket.http.response.start", "status": 403, "headers": repeated},
        {"type": "websocket.http.response.body", "body": b"no"},
    ]


async def joined(client: Client, *, cut: bool) -> list[tuple[int | None, str | None]]:
    """Joins a client with a real backend, cuts the pair if told to; returns codes and texts of the closes that the backend heard."""
    cuts: list[Callable[[GatewayError], None]] = []
    closes: list[tuple[int | None, str | None]] = []

    def running(ending: Callable[[GatewayError], None]) -> nullcontext[None]:
        cuts.append(ending)
        return nullcontext()

    async def hear(connection: ServerConnection) -> None:
        await connection.send("welcome")
        await connection.wait_closed()
        closes.append((connection.close_code, connection.close_reason))

    given = scope(KEY)
    tokens = IdentityTokens("", (), {}, header="Who-Asks", lifetime=60)
    passage = Passage(inbound(given), ANONYMOUS, Operation(row(), (), {}), None, None, 0, tokens)
    async with serve(hear, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with asking(f"http://127.0.0.1:{port}") as upstream, asyncio.timeout(5):
            joining = asyncio.create_task(join(passage, upstream, given, client, running))
            if cut:
                await until(lambda: len(client.heard) == 2)
                cuts[0](GatewayError(Reason.NO_GRANT))
                cuts[0](GatewayError(Reason.NO_GRANT))
            await joining
            assert upstream.websockets.open == 0
        await until(lambda: bool(closes))
    return closes


def closes(heard: Iterable[Any]) -> list[int]:
    """Returns the codes of the closes that a client heard."""
    return [each["code"] for each in heard if each["type"] == "websocket.close"]


@pytest.mark.anyio
async def test_a_right_that_is_gone_cuts_both_sides() -> None:
    """`cut`, however often, is 1008 to the client once, and to the backend the end of the client."""
    client = Client()
    heard = await joined(client, cut=True)

    assert client.heard[0] == {"type": "websocket.accept", "subprotocol": None, "max_message": MESSAGE}
    assert client.heard[1] == {"type": "websocket.send", "text": "welcome"}
    assert closes(client.heard) == [1008]
    assert [code for code, _ in heard] == [1001]


@pytest.mark.anyio
async def test_a_client_that_cannot_be_sent_to_ends_the_pair() -> None:
    """Where a message cannot be handed to the client any more, the backend hears of the end, and nothing is raised."""
    assert [code for code, _ in await joined(Client(fails=True), cut=False)] == [1001]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("said", "told"), [(3000, 3000), (1000, 1000), (1005, 1000), (1006, 1001), (2999, 1001), (1015, 1001)]
)
async def test_a_clients_close_in_a_form_that_may_be_sent(said: int, told: int) -> None:
    """A code that RFC 6455 7.4 lets a peer send is passed on with its text; a close without one is 1000, any other end 1001."""
    client = Client({"type": "websocket.disconnect", "code": said, "reason": "that is äll"})

    assert await joined(client, cut=False) == [(told, "that is äll")]
    assert closes(client.heard) == []
