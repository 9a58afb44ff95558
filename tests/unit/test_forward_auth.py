"""Forward auth: how a proxy's question becomes the original request, what each proxy is answered, and who may ask."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from gateway.audit import AuditLine
from gateway.downstream import Turn
from gateway.errors import GatewayError
from gateway.forward_auth import MAX_STATED, Envoy, Nginx, in_front
from gateway.inbound import Inbound
from gateway.management.tally import Tally
from gateway.reasons import TABLE, Reason, status_of
from gateway.settings import Settings
from gateway.visits import Visits
from models.networks import NetworkSet

Headers = list[tuple[bytes, bytes]]
STATED: Final[Headers] = [
    (b"x-original-method", b"MOVE"), (b"x-original-uri", b"/a%20b?x=1?y"), (b"x-original-host", b"media.example"),
    (b"x-original-client", b"192.0.2.1"),
]  # fmt: skip


def question(
    headers: Headers, method: str = "GET", query: bytes = b"", path: bytes = b"/-/auth/nginx"
) -> dict[str, Any]:
    """Returns the scope of a proxy's question."""
    return {
        "type": "http", "method": method, "scheme": "http", "raw_path": path, "query_string": query, "headers": headers, "client": ("127.0.0.1", 5),
    }  # fmt: skip


def read(scope: Any) -> Inbound:
    """Returns the request that a rebuilt scope describes."""
    return Inbound.of(scope, NetworkSet(), "id")


def test_nginx_states_the_original_request() -> None:
    """Method, target, host and client are those stated; what describes the question itself is gone, all else stays in order."""
    own = [
        (b"host", b"mediagate"),
        (b"connection", b"close"),
        (b"content-length", b"0"),
        (b"transfer-encoding", b"chunked"),
    ]
    others = [(b"destination", b"/b"), (b"cookie", b"a"), (b"cookie", b"b")]
    inbound = read(Nginx.original(question([*own, *others, *STATED]), b""))

    assert (inbound.method, inbound.target, inbound.path, inbound.query) == (
        "MOVE",
        b"/a%20b?x=1?y",
        b"/a%20b",
        b"x=1?y",
    )
    assert (inbound.host, str(inbound.client)) == (b"media.example", "192.0.2.1")
    assert inbound.headers == (*others, (b"host", b"media.example"))


@pytest.mark.parametrize("at", range(len(STATED)))
@pytest.mark.parametrize(
    "change",
    [lambda pairs, at: pairs[:at] + pairs[at + 1 :], lambda pairs, at: [*pairs, pairs[at]]],
    ids=["absent", "twice"],
)
def test_what_nginx_states_comes_exactly_once(change: Callable[[Headers, int], Headers], at: int) -> None:
    """A statement that is missing or repeated refuses the question and is named."""
    with pytest.raises(GatewayError, match=STATED[at][0].decode()) as caught:
        Nginx.original(question(change(STATED, at)), b"")

    assert caught.value.reason is Reason.BAD_HEADERS


@pytest.mark.parametrize(("name", "value"), [
    (b"x-original-client", b""), (b"x-original-client", b"unix:"), (b"x-original-client", b"192.0.2.1, 10.0.0.1"),
    (b"x-original-client", b"192.0.2.1" + b" " * MAX_STATED), (b"x-original-method", b"get"), (b"x-original-method", b"A" * 1000),
    (b"x-original-host", b""), (b"x-original-host", b"a, b"), (b"x-original-uri", b""), (b"x-original-uri", b"a"), (b"x-original-uri", b"?a"),
    (b"x-original-uri", b"http://media.example/a"), (b"x-original-uri", b"/a#b"), (b"x-original-uri", b"/a/../b"), (b"x-original-uri", b'/a?"'),
    (b"x-original-uri", b"/a?b#c"), (b"x-original-uri", b"/a?<"), (b"x-original-uri", b"/a b"), (b"x-original-uri", b"/a, /b?\xff"),
])  # fmt: skip
def test_a_statement_that_makes_no_request_is_refused(name: bytes, value: bytes) -> None:
    """What nginx states is read by the very rules for requests, and nothing of it is repaired."""
    stated = [(key, value if key == name else given) for key, given in STATED]

    with pytest.raises(GatewayError):
        read(Nginx.original(question(stated), b""))


def test_envoy_asks_with_the_original_request() -> None:
    """Method and query are the question's, the path is what stands below the page, and only the client's address is stated."""
    headers = [
        (b"host", b"media.example"),
        (b"content-length", b"0"),
        (b"x-original-client", b"2001:db8::1"),
        (b"x-original-uri", b"/b"),
    ]
    inbound = read(Envoy.original(question(headers, "PROPFIND", b"x=1"), b"/a%20b"))

    assert (inbound.method, inbound.target, inbound.host) == ("PROPFIND", b"/a%20b?x=1", b"media.example")
    assert str(inbound.client) == "2001:db8::1"


def test_envoy_does_not_take_the_clients_address_from_the_path_of_proxies() -> None:
    """`X-Forwarded-For`, to which Envoy appends an address of its own, decides nothing."""
    headers = [
        (b"host", b"h"),
        (b"x-forwarded-for", b"10.0.0.9"),
        (b"x-original-client", b"192.0.2.1"),
        (b"x-forwarded-host", b"other"),
    ]
    inbound = read(Envoy.original(question(headers), b"/a"))

    assert (str(inbound.client), inbound.host) == ("192.0.2.1", b"h")


def test_what_envoy_joined_is_taken_apart() -> None:
    """A header that came several times is several again, so that one that must come once is refused."""
    headers = [(b"host", b"h"), (b"x-original-client", b"192.0.2.1"), (b"accept", b"a, b,c")]
    apart = Envoy.original(question(headers), b"/a")["headers"]

    assert [value for name, value in apart if name == b"accept"] == [b"a", b"b", b"c"]
    with pytest.raises(GatewayError, match="destination"):
        read(Envoy.original(question([*headers, (b"destination", b"/mine/a,/theirs/b")]), b"/a"))


@pytest.mark.parametrize("below", [b"", b"a", b"x/a", b"//a", b"/../a", b"*"])
def test_what_stands_below_envoys_page_is_a_path(below: bytes) -> None:
    """The rest after the page begins with a slash and is read as any target."""
    with pytest.raises(GatewayError):
        read(Envoy.original(question([(b"host", b"h"), (b"x-original-client", b"192.0.2.1")]), below))


@pytest.mark.parametrize("reason", Reason)
def test_nginx_is_answered_what_it_knows(reason: Reason) -> None:
    """401, 403 or 5xx and nothing else, whatever is hidden; without a body, with the reason told outside."""
    hidden = frozenset({TABLE[reason].public})
    status, headers, body = Nginx.refused(GatewayError(reason), "id", hidden, "GET")
    own = status_of(reason)
    told = dict(headers)

    assert status == (own if own == 401 or own >= 500 else 403)
    assert (body, told[b"content-length"], told[b"x-mediagate-reason"]) == (
        b"",
        b"0",
        TABLE[reason].public.encode(),
    )
    assert (told[b"cache-control"], told[b"x-request-id"]) == (b"no-store", b"id")
    assert (b"www-authenticate" in told) == (status == 401)
    assert b"connection" not in told


@pytest.mark.parametrize("reason", Reason)
def test_envoy_is_answered_what_its_client_is_told(reason: Reason) -> None:
    """The gateway's own status and body, but nothing about the connection, and no body to a HEAD."""
    hidden = frozenset({TABLE[reason].public})
    answer = Envoy.refused(GatewayError(reason), "id", hidden, "GET")

    assert answer.status == status_of(reason, hidden)
    assert TABLE[reason].public.encode() in answer.body
    assert b"connection" not in dict(answer.headers)
    assert Envoy.refused(GatewayError(reason), "id", hidden, "HEAD").body == b""


# ------------------------------------------------------------------------------------------------ the pages


class Desk:
    """What stands in for a worker: settings, an audit in memory, and facts that fail when they are asked.

    Attributes:
        lines: the audit.
        writable: whether the audit takes lines.
        behind: paths of what was left to others.
        fault: why what is asked is no request; None if it is one.
    """

    def __init__(self, folder: Path, peers: str) -> None:
        path = folder / "mediagate.toml"
        path.write_text(f"[forward_auth]\npeers = [{peers}]\n[limits]\nin_flight = 1\n")
        self.settings = Settings.load(path, environ={})
        self.hidden: frozenset[Reason] = frozenset()
        self.bundle = SimpleNamespace(digest="digest")
        self.tally, self.rates = Tally(), None
        self.visits = Visits(self.settings.limits)
        self.audit = self.facts = self
        self.revision = 7
        self.lines: list[AuditLine] = []
        self.writable = True
        self.behind: list[bytes] = []
        self.fault: GatewayError | None = None

    def write(self, line: AuditLine) -> None:
        """Takes an audit line."""
        if not self.writable:
            raise GatewayError(Reason.AUDIT_UNAVAILABLE, "full")
        self.lines.append(line)

    def get(self, key: str) -> None:
        """Knows nothing."""

    async def ask(self, _question: object) -> None:
        """Fails as nothing should."""
        raise ZeroDivisionError

    async def asked(self, scope: dict[str, Any]) -> tuple[int, dict[bytes, bytes]]:
        """Returns status and headers of the answer; 0 if others would answer."""
        sent: list[Any] = []

        async def send(message: object) -> None:
            sent.append(message)

        async def others(turn: Turn) -> None:
            self.behind.append(turn.scope["raw_path"])

        worker: Any = self
        turn: Any = SimpleNamespace(scope=scope, fault=self.fault, send=send)
        await in_front(others, worker)(turn)
        return (sent[0]["status"], dict(sent[0]["headers"])) if sent else (0, {})


@pytest.mark.anyio
@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/-/livez",
        b"/-/auth/",
        b"/-/auth/nginx/",
        b"/-/auth/nginxx",
        b"/-/auth/%6eginx",
        b"//-/auth/nginx",
        b"/-/Auth/nginx",
    ],
)
async def test_other_paths_are_left_to_others(tmp_path: Path, path: bytes) -> None:
    """Each page has one spelling; what is none is served as ever."""
    desk = Desk(tmp_path, '"127.0.0.1"')

    assert (await desk.asked(question(STATED, path=path)))[0] == 0
    assert desk.behind == [path]


@pytest.mark.anyio
async def test_only_requests_are_questions(tmp_path: Path) -> None:
    """A handshake at a page, and what is refused whoever asks, are left to others."""
    desk = Desk(tmp_path, '"127.0.0.1"')
    await desk.asked(question(STATED) | {"type": "websocket"})
    desk.fault = GatewayError(Reason.BAD_HEADERS)
    await desk.asked(question(STATED))

    assert len(desk.behind) == 2
    assert desk.lines == []


@pytest.mark.anyio
@pytest.mark.parametrize("path", [b"/-/auth/nginx", b"/-/auth/envoy/a"])
async def test_without_peers_there_are_no_pages(tmp_path: Path, path: bytes) -> None:
    """By default nobody may ask, and the application is what it was."""
    desk = Desk(tmp_path, "")
    await desk.asked(question(STATED, path=path))

    assert desk.behind == [path]


@pytest.mark.anyio
@pytest.mark.parametrize(("peer", "may"), [
    ("127.0.0.1", True), ("::ffff:127.0.0.1", True), ("10.1.2.3", True), ("10.2.0.1", False), ("2001:db8::1", False), ("", False), ("unix:", False),
])  # fmt: skip
async def test_only_peers_may_ask(tmp_path: Path, peer: str, may: bool) -> None:  # noqa: FBT001
    """The connection's own address decides, in its canonical form; what a stranger asks is audited under the stranger's address."""
    desk = Desk(tmp_path, '"127.0.0.1", "10.1.0.0/16"')
    scope = question([*STATED, (b"x-forwarded-for", b"127.0.0.1")]) | {"client": (peer, 1)}
    status, _ = await desk.asked(scope)
    (line,) = desk.lines

    assert status == (500 if may else 403)
    assert line.reason == ("internal" if may else "forward-auth-peer")
    assert (line.client, line.path) == (("192.0.2.1", "/a%20b") if may else (peer, "/-/auth/nginx"))


@pytest.mark.anyio
async def test_a_stranger_without_an_address_is_none_of_the_peers(tmp_path: Path) -> None:
    """A connection whose other end is unknown may not ask."""
    status, _ = await Desk(tmp_path, '"127.0.0.1"').asked(question(STATED) | {"client": None})

    assert status == 403


@pytest.mark.anyio
@pytest.mark.parametrize("path", [b"/-/auth/nginx", b"/-/auth/envoy/a"])
async def test_a_failure_refuses(tmp_path: Path, path: bytes) -> None:
    """An error that nobody expected is 500 and in the audit; an audit that takes no line is 503."""
    desk = Desk(tmp_path, '"127.0.0.1"')
    scope = question([*STATED, (b"host", b"h")], path=path)
    broken, headers = await desk.asked(scope)
    desk.writable = False
    unwritten, _ = await desk.asked(scope)

    assert (broken, unwritten) == (500, 503)
    assert [(line.verdict, line.reason) for line in desk.lines] == [("refused", "internal")]
    assert desk.lines[0].request_id == headers[b"x-request-id"].decode()


@pytest.mark.anyio
@pytest.mark.parametrize("path", [b"/-/auth/nginx", b"/-/auth/envoy/a"])
async def test_a_question_is_one_of_the_requests_under_way(tmp_path: Path, path: bytes) -> None:
    """Beyond `limits.in_flight` a question is refused at once, with a line in the audit; nothing stays counted when it is answered."""
    desk = Desk(tmp_path, '"127.0.0.1"')
    scope = question([*STATED, (b"host", b"h")], path=path)
    desk.visits.begin()
    refused, headers = await desk.asked(scope)
    desk.visits.end()
    served, _ = await desk.asked(scope)

    assert (refused, headers[b"retry-after"], served) == (503, b"1", 500)
    assert [line.reason for line in desk.lines] == ["overloaded", "internal"]
    assert len(desk.visits) == 0
