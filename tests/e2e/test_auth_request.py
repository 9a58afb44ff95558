"""Proxies that ask: a real nginx and a real Envoy, by the very configurations of docs/forward-auth.md, in front of one backend."""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import jwt
import pytest

from backends import OK, Visit, answering
from e2e.behind import eventually, told
from e2e.envoy import envoy
from e2e.house import NORAS_ADDRESS, House, house
from e2e.nginx import serving_nginx
from e2e.raw import Answer, line, request
from gateway.corpus import Advisory, Scene, Try, load_corpus
from gateway.shipped import shipped_corpus
from gateway.signing_keys import Algorithm, write_key
from gateways import free_port
from wire.test_gateway_wire import AMBIGUOUS, PLAIN, REWRITTEN

CORPUS: Final = load_corpus(shipped_corpus())
MORE: Final = 0.1
"""Seconds in which a further answer on the same connection comes, if any does."""
DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "forward-auth.md"
AUDIENCE: Final = "https://media.example"
SIGNING: Final = (
    f'audience = "{AUDIENCE}"\n[identity_token]\nissuer = "https://gate.example"\nkeys = ["a.pem"]\n'
)
"""Begins in the section of the upstream."""
SETTINGS: Final = '[forward_auth]\npeers = ["127.0.0.1"]\n[refusals]\nhide = ["no-grant"]\n'
ROWS: Final = """
  - GET, POST, OPTIONS, PROPFIND /{path...}: {action: read, object: file, id: "/{path}", role: can_read_files}
  - PUT /{path...}: {action: write, object: file, id: "/{path}", role: can_write_files}
  - COPY /{path...}:
      objects: [{action: read, object: file, id: "/{path}"}, {action: write, object: file, id: header:destination}]
      role: can_write_files
  - PUT /made/{path...}: {action: create, object: file, id: "/made/{path}", role: can_write_files, creates: file}
  - POST /told: {action: read, object: asset, id: "body:/asset", role: can_read_assets}
  - GET /assets/{asset_id}: {action: read, object: asset, role: can_read_assets}
  - GET /open/{path...}: {anonymous: true}
  - OPTIONS /assets/{asset_id}: {action: read, role: none, answered: true}
"""
DROPPING: Final = """
upstream: media
drop_headers: [x-dropped]
objects: {asset: {id: opaque}}
routes:
  - GET /dropping/{asset_id}: {action: read, object: asset, role: can_read_assets}
"""


class Front:
    """A proxy that asks the gateway, and what stands behind both.

    Attributes:
        name: `nginx` or `envoy`.
        home: the gateway, whose backend is the proxy's, too.
    """

    def __init__(self, name: str, url: str, home: House) -> None:
        self.name, self.url, self.home = name, url, home

    def ask(
        self,
        method: str,
        target: str,
        who: str = "",
        *lines: str,
        source: str | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Asks the proxy as somebody, over a connection of its own."""
        with line(self.url, source=source) as client:
            return client.ask(method, target, self.home.bearer(who), *lines, body=body)

    def audit(self) -> list[dict[str, Any]]:
        """Returns all audit lines."""
        return [dict(json.loads(each)) for each in self.home.gateway.audit.read_text().splitlines()]

    def audited(self) -> dict[str, Any]:
        """Returns the last audit line."""
        return self.audit()[-1]

    def heads(self) -> list[bytes]:
        """Returns the heads that the backend has seen."""
        return [received.head for received in self.home.backend.requests]


def documented(language: str, changes: dict[str, str]) -> str:
    """Returns the configuration of the document, with its addresses changed."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    configuration = str(text)
    for old, new in changes.items():
        assert configuration.count(old) == 1, old
        configuration = configuration.replace(old, new)
    return configuration


def port_of(url: str) -> str:
    """Returns the port of an address."""
    return url.rpartition(":")[2]


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway that proxies on 127.0.0.1 may ask."""
    more = {"routes/dropping.yaml": DROPPING}
    folder = tmp_path_factory.mktemp("house")
    write_key(folder / "a.pem", Algorithm.ES256)
    with house(folder, SIGNING + SETTINGS, ROWS, policy=more) as found:
        found.run("object", "add", "file:/", "--domain", "main")
        yield found


@contextmanager
def nginx_for(home: House, folder: Path) -> Iterator[Front]:
    """Runs nginx as the document configures it."""
    port = free_port()
    changes = {
        "server 127.0.0.1:8080;": f"server 127.0.0.1:{port_of(home.gateway.url)};",
        "server 127.0.0.1:9000;": f"server 127.0.0.1:{port_of(home.backend.url)};",
        "listen 80;": f"listen 127.0.0.1:{port};",
    }
    with serving_nginx(folder, documented("nginx", changes), port) as url:
        yield Front("nginx", url, home)


@contextmanager
def envoy_for(home: House, folder: Path) -> Iterator[Front]:
    """Runs Envoy as the document configures it."""
    port = free_port()
    changes = {
        "{address: 0.0.0.0, port_value: 80}": f"{{address: 127.0.0.1, port_value: {port}}}",
        "port_value: 8080": f"port_value: {port_of(home.gateway.url)}",
        "port_value: 9000": f"port_value: {port_of(home.backend.url)}",
    }
    with envoy(folder, documented("yaml", changes), port) as url:
        yield Front("envoy", url, home)


@pytest.fixture(scope="module")
def by_nginx(home: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Nginx in front of the house."""
    with nginx_for(home, tmp_path_factory.mktemp("nginx")) as found:
        yield found


@pytest.fixture(scope="module")
def by_envoy(home: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Envoy in front of the house."""
    with envoy_for(home, tmp_path_factory.mktemp("envoy")) as found:
        yield found


@pytest.fixture(params=[pytest.param("nginx", marks=pytest.mark.needs_nginx), "envoy"])
def front(request: pytest.FixtureRequest) -> Front:
    """Either proxy, with a backend that has seen nothing."""
    found: Front = request.getfixturevalue(f"by_{request.param}")
    found.home.backend.clear()
    return found


# ------------------------------------------------------------------------------------------------ verdicts


def test_an_allowed_request_arrives_with_who_asked(front: Front) -> None:
    """The backend gets the request byte for byte with the user, the domain and the request id; the audit says the same."""
    answer = front.ask("GET", "/files/a%20b?x=1&y=%2F", "ada")
    (received,) = front.home.backend.requests
    audited = front.audited()

    assert answer.status == 200
    assert received.line == b"GET /files/a%20b?x=1&y=%2F HTTP/1.1"
    assert received.values(b"x-mediagate-user") == [b"ada"]
    assert received.values(b"x-mediagate-domain") == [b"main"]
    assert received.values(b"x-request-id") == [audited["request_id"].encode()]
    assert received.values(b"host") == [b"gw.example"]
    assert (audited["verdict"], audited["user"], audited["method"]) == ("allowed", "ada", "GET")
    assert (audited["path"], audited["client"]) == ("/files/a%20b", "127.0.0.1")


def test_the_backend_gets_proof_of_who_asked(front: Front) -> None:
    """The signed token that the gateway gives the proxy arrives, and what the client sends of that name does not."""
    front.ask("GET", "/files/a", "ada", "X-Mediagate-Identity: spoofed", "X_Mediagate_Identity: spoofed")
    front.ask("GET", "/open/a", "", "X-Mediagate-Identity: spoofed")
    signed, anonymous = front.home.backend.requests
    (token,) = signed.values(b"x-mediagate-identity")
    keys = jwt.PyJWKClient(f"{front.home.gateway.url}/-/jwks.json")
    key = keys.get_signing_key_from_jwt(token.decode())
    claims = jwt.decode(token, key, algorithms=["ES256"], audience=AUDIENCE, issuer="https://gate.example")

    assert (claims["sub"], claims["domain"]) == ("ada", "main")
    assert b"identity" not in anonymous.head.lower()
    assert b"spoofed" not in signed.head


@pytest.mark.parametrize(("method", "target", "who", "statuses", "reason"), [
    ("GET", "/files/a", "", (401, 401), "signed-in"),
    ("GET", "/files/a", "bob", (403, 403), "user-status"),
    ("PUT", "/files/a", "vera", (403, 403), "role"),
    ("GET", "/assets/secret", "stan", (403, 404), "no-grant"),
    ("GET", "/assets/theirs", "stan", (403, 404), "foreign-object"),
    ("GET", "/-/livez", "ada", (403, 403), "no-route"),
    ("GET", "/-/auth/nginx", "ada", (403, 403), "no-route"),
    ("DELETE", "/files/a", "ada", (403, 403), "no-route"),
])  # fmt: skip
def test_a_refused_request_does_not_arrive(
    front: Front, method: str, target: str, who: str, statuses: tuple[int, int], reason: str
) -> None:
    """What the policy refuses ends at the proxy with a status that it understands, and with one line in the audit."""
    answer = front.ask(method, target, who)
    audited = front.audited()

    assert answer.status == statuses[front.name == "envoy"]
    assert bool(answer.values("www-authenticate")) == (answer.status == 401)
    assert (audited["verdict"], audited["reason"], audited["path"]) == ("refused", reason, target)
    assert front.heads() == []


def test_envoy_tells_the_gateways_own_refusal(by_envoy: Front) -> None:
    """Envoy's client gets the reason and the sentence as from the gateway itself."""
    answer = by_envoy.ask("PUT", "/files/a", "vera")

    assert answer.reason == "role"
    assert answer.document["request_id"] == by_envoy.audited()["request_id"]


def test_an_anonymous_request_arrives_without_a_name(front: Front) -> None:
    """On a route that is open to all the backend learns of nobody, whatever the client says."""
    answer = front.ask("GET", "/open/a", "", "X-Mediagate-User: spoofed", "X-Mediagate-Domain: spoofed")
    (received,) = front.home.backend.requests

    assert answer.status == 200
    assert b"mediagate" not in received.head.lower()


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PROPFIND"])
def test_any_method_is_judged_as_itself(front: Front, method: str) -> None:
    """The method that arrives is the one that was judged, a HEAD and one of WebDAV's among them."""
    front.home.backend.answers(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    answer = front.ask(method, "/files/a", "ada")
    (received,) = front.home.backend.requests

    assert answer.status == 200
    assert received.line == f"{method} /files/a HTTP/1.1".encode()
    assert front.audited()["method"] == method
    assert front.ask(method, "/files/a", "").status == 401


def test_an_upgrade_goes_no_further(front: Front) -> None:
    """A handshake does not reach the backend as one: nobody would judge again what flows after it."""
    handshake = (
        "connection: Upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
    )
    answer = front.ask("GET", "/files/a", "ada", *handshake)

    assert answer.status in (200, 403)
    assert not any(b"upgrade" in head.lower() for head in front.heads())


@pytest.mark.parametrize("framing", ["content-length: 5", "transfer-encoding: chunked"])
def test_a_body_goes_to_the_backend_alone(front: Front, framing: str) -> None:
    """An upload is judged without its body, of known length or not, and arrives whole."""
    front.home.backend.use(_taking)
    body = b"hello" if "length" in framing else b"5\r\nhello\r\n0\r\n\r\n"
    with line(front.url) as client:
        client.send(request("PUT", "/files/a", front.home.bearer("stan"), framing) + body)
        answer = client.answer()
        client.send(request("PUT", "/files/b", front.home.bearer("stan"), framing) + body)
        again = client.answer()

    assert (answer.status, again.status) == (200, 200)
    assert [received.body for received in front.home.backend.requests] == [b"hello", b"hello"]


async def _taking(visit: Any) -> None:
    """Reads whole requests, one after the other, and answers each."""
    while True:
        await visit.request()
        await visit.send(OK)


@pytest.mark.parametrize(("method", "target", "body"), [
    ("PUT", "/made/a", b"film"), ("POST", "/told", b'{"asset": "clip"}'), ("GET", "/dropping/clip", b""),
    ("OPTIONS", "/assets/clip", b""),
    ("POST", "/files/a", b"{}"),
])  # fmt: skip
def test_what_needs_more_than_a_verdict_is_refused(
    front: Front, method: str, target: str, body: bytes
) -> None:
    """Rows that change facts, read the body, drop headers, are answered here or take a body that may name a method are for the gateway itself; nobody unknown learns of them."""
    answer = front.ask(method, target, "ada", "content-type: application/json", body=body)
    audited = front.audited()
    unknown = front.ask(method, target, "", "content-type: application/json", body=body)

    assert (answer.status, unknown.status) == (403, 401)
    assert (audited["verdict"], audited["reason"], audited["user"]) == ("refused", "gateway-only", "ada")
    assert front.heads() == []


# ------------------------------------------------------------------------------------------------ judged is forwarded


@pytest.mark.parametrize("target", AMBIGUOUS, ids=repr)
def test_a_target_with_two_readings_is_refused(front: Front, target: bytes) -> None:
    """Dot segments, doubled and encoded slashes and the rest of the gateway's own list do not reach the backend."""
    below = [b"/open" + target] if target.startswith(b"/") else []
    for each in (target, *below):
        answer = _sent(front, each)

        assert answer is None or answer.status in (400, 403, 404)
    assert front.heads() == []


@pytest.mark.parametrize("target", PLAIN, ids=lambda target: repr(target[:40]))
def test_a_target_with_one_reading_arrives_as_it_came(front: Front, target: bytes) -> None:
    """What is properly written arrives byte for byte, however odd it looks, and is what was judged."""
    answer = _sent(front, target)
    (received,) = front.home.backend.requests

    assert answer is not None
    assert answer.status == 200
    assert received.line == b"GET " + target + b" HTTP/1.1"
    assert front.audited()["path"].encode() == target.partition(b"?")[0][:1024]


@pytest.mark.parametrize("target", [target for target, _ in REWRITTEN], ids=repr)
def test_a_target_of_which_a_part_is_dropped_is_judged_as_what_is_left(front: Front, target: bytes) -> None:
    """A fragment or an authority in the target decides nothing: what arrives is what was judged, or nothing does."""
    answer = _sent(front, target)
    arrived = [received.line.split(b" ")[1] for received in front.home.backend.requests]

    if arrived:
        assert answer is not None
        assert answer.status == 200
        assert [front.audited()["path"].encode()] == [path.partition(b"?")[0] for path in arrived]
    else:
        assert answer is None or answer.status in (400, 403, 404)


def test_a_target_beyond_all_bounds_is_refused(front: Front) -> None:
    """A target longer than proxy or gateway take reaches no backend."""
    for length in (8_300, 20_000, 70_000):
        answer = _sent(front, b"/open/" + b"a" * length)
        assert answer is None or answer.status in (400, 403, 414, 431)
    assert front.heads() == []


def _sent(front: Front, target: bytes) -> Answer | None:
    """Sends a GET by ada with exactly this target; None if no answer came."""
    lines = [
        b"GET " + target + b" HTTP/1.1",
        b"host: gw.example",
        front.home.bearer("ada").encode(),
        b"connection: close",
    ]
    with line(front.url) as client:
        try:
            client.send(b"\r\n".join([*lines, b"", b""]))
            return client.answer()
        except (EOFError, ConnectionError, TimeoutError):
            return None


def test_a_destination_is_judged_too(front: Front) -> None:
    """A COPY is judged by where it leads; one that names two destinations, in any spelling, is refused."""
    destinations = [
        "/files/b",
        "http://gw.example/files/b",
        "/assets/../x",
        "http://evil.example/b",
        "/files/%2e%2e/b",
    ]
    statuses = [front.ask("COPY", "/files/a", "stan", f"Destination: {each}").status for each in destinations]
    stray = front.ask("COPY", "/files/a", "stan", "Destination: /elsewhere/b").status
    arrived = len(front.heads())
    twice = front.ask("COPY", "/files/a", "stan", "Destination: /files/b", "Destination: /elsewhere/b").status
    other = front.ask(
        "COPY", "/files/a", "stan", "Destination: /files/b", "Destination.: /elsewhere/b"
    ).status

    assert statuses[:2] == [200, 200]
    assert set(statuses[2:]) <= {400, 403}
    assert stray in (403, 404)
    assert arrived == 2
    assert twice in (400, 403)
    assert other == 400 or b"elsewhere" not in front.heads()[-1]
    assert not any(b"elsewhere" in head for head in front.heads())


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.id)
def test_a_known_bypass_is_closed_behind_a_proxy(front: Front, case: Advisory) -> None:
    """Whatever a case sends, each request that arrives was allowed by method and path, under the user who is named; no token arrives."""
    scene = Scene("/files/shows/clip.mp4", "/secret/plan.mp4", "gw.example", front.home.tokens["stan"])
    for attempt in case.tries:
        if front.home.backend.visits:
            front.home.backend.clear()
        seen, data = len(front.audit()), attempt.request(scene)
        said = f"{data[:300]!r} was answered {_fired(front, data, attempt)}"
        audited = [each for each in front.audit()[seen:] if each["verdict"] == "allowed"]
        allowed = Counter((each["method"], each["path"], each.get("user", "")) for each in audited)

        assert not Counter(_arrived(front)) - allowed, said
        assert not any(scene.token.encode() in head for head in front.heads()), said


def _arrived(front: Front) -> Iterator[tuple[str, str, str]]:
    """Yields method, path and user of each request that the backend received."""
    for received in front.home.backend.requests:
        method, target, _ = received.line.decode("latin-1").split(" ")
        user = b"".join(received.values(b"x-mediagate-user"))
        yield method, target.partition("?")[0], user.decode()


def _fired(front: Front, data: bytes, attempt: Try) -> list[int]:
    """Sends bytes over a connection of their own; returns the statuses of all answers."""
    found: list[int] = []
    with line(front.url) as client:
        try:
            client.send(data)
            found.append(client.answer(bodiless=attempt.method == "HEAD").status)
            client.socket.settimeout(MORE)
            while attempt.has_more:
                found.append(client.answer().status)
        except (EOFError, OSError, ValueError, IndexError):
            pass
    return found


# ------------------------------------------------------------------------------------------------ nobody else's word


SPOOFED: Final = [
    "X-Mediagate-User", "X-Mediagate-Domain", "X-Original-URI", "X-Original-Method", "X-Original-Host", "X-Original-Client", "X-Original-URL",
    "X-Rewrite-URL", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
    "X-Real-IP", "Forwarded", "X-Request-Id", "App-ID", "Auth-Token",
]  # fmt: skip


@pytest.mark.parametrize("name", SPOOFED)
def test_a_clients_word_about_itself_never_arrives(front: Front, name: str) -> None:
    """Headers that only the proxy or mediagate may set arrive with their values or not at all, however a client spells them."""
    spellings = {
        name,
        name.lower(),
        name.replace("-", "_"),
        name.replace("-", "."),
        name.replace("-", "_", 1),
    }
    for spelling in sorted(spellings):
        answer = front.ask("GET", "/open/a", "", f"{spelling}: spoofed", f"{spelling}: spoofed")
        assert answer.status in (200, 400, 401, 403), spelling
    for head in front.heads():
        assert b"spoofed" not in head


@pytest.mark.parametrize(
    "name", ["X-Original-URI", "X-Original-Method", "X-Original-Host", "X-Original-Client"]
)
def test_a_client_cannot_have_another_request_judged(front: Front, name: str) -> None:
    """What a client states of its request changes nothing of what is judged: the refused one stays refused."""
    claim = {"X-Original-URI": "/open/a", "X-Original-Method": "GET", "X-Original-Client": NORAS_ADDRESS}
    for spelling in (name, name.replace("-", "_"), name.upper()):
        answer = front.ask("PUT", "/files/a", "nora", f"{spelling}: {claim.get(name, 'gw.example')}")
        assert answer.status == 403
        audited = front.audited()
        assert (audited["method"], audited["path"], audited["client"]) == ("PUT", "/files/a", "127.0.0.1")
    assert front.heads() == []


def test_an_allow_list_is_judged_for_the_client(front: Front) -> None:
    """Who may come from one address only is let in from there, and from nowhere else by claiming it."""
    inside = front.ask("GET", "/files/a", "nora", source=NORAS_ADDRESS)
    here = front.audited()["client"]
    claims = [
        f"{name}: {NORAS_ADDRESS}"
        for name in ("X-Forwarded-For", "X-Real-IP", "X-Original-Client", "X-Client-IP")
    ]
    outside = [
        front.ask("GET", "/files/a", "nora", *lines).status for lines in ([], *([claim] for claim in claims))
    ]
    (received,) = front.home.backend.requests

    assert (inside.status, here) == (200, NORAS_ADDRESS)
    assert set(outside) == {403}
    assert front.audited()["reason"] == "network"
    assert received.values(b"x-forwarded-for") == [NORAS_ADDRESS.encode()]


def test_credentials_end_at_the_proxy(front: Front) -> None:
    """A token reaches the gateway and not the backend, as a header pair, Bearer or Basic."""
    token = front.home.tokens["ada"]
    with line(front.url) as client:
        pair = client.ask("GET", "/files/a", "App-ID: main-app", f"Auth-Token: {token}")
    bearer = front.ask("GET", "/files/a", "ada")

    assert (pair.status, bearer.status) == (200, 200)
    for head in front.heads():
        assert token.encode() not in head
        assert b"authorization" not in head.lower()


def test_two_credentials_are_refused(front: Front) -> None:
    """A request with two tokens is refused, whichever of them the proxy would have sent on."""
    answer = front.ask("GET", "/files/a", "ada", front.home.bearer("vera"))

    assert answer.status in (400, 401, 403)
    assert front.heads() == []


# ------------------------------------------------------------------------------------------------ the pages themselves


QUESTION: Final = {
    "X-Original-Method": "GET", "X-Original-URI": "/files/a", "X-Original-Host": "gw.example", "X-Original-Client": "192.0.2.1",
}  # fmt: skip


@pytest.mark.parametrize("page", ["/-/auth/nginx", "/-/auth/envoy/files/a"])
def test_another_address_may_not_ask(home: House, page: str) -> None:
    """A question from an address that is no peer is refused with a reason of its own, and audited as what it is."""
    known = home.get(page, "ada", headers=QUESTION)
    answer = home.get(page, "ada", headers=QUESTION, source="127.0.0.2")
    audited = home.audited(answer)

    assert known.status_code in (200, 204)
    assert answer.status_code == 403
    assert "x-mediagate-user" not in answer.headers
    assert (audited["reason"], audited["client"], audited["path"]) == ("forward-auth-peer", "127.0.0.2", page)


def test_an_answer_to_nginx_is_a_status_and_headers(home: House) -> None:
    """Allowed is 204 with who asks; a refusal has no body, and its public reason in a header; nothing may be stored."""
    allowed = home.get("/-/auth/nginx", "ada", headers=QUESTION)
    refused = home.get("/-/auth/nginx", "stan", headers=QUESTION | {"X-Original-URI": "/assets/theirs"})

    assert (
        allowed.status_code,
        allowed.headers["x-mediagate-user"],
        allowed.headers["x-mediagate-domain"],
    ) == (204, "ada", "main")
    assert (refused.status_code, refused.text, refused.headers["x-mediagate-reason"]) == (403, "", "no-grant")
    assert {allowed.headers["cache-control"], refused.headers["cache-control"]} == {"no-store"}
    assert home.audited(allowed)["client"] == "192.0.2.1"


@pytest.mark.parametrize("name", QUESTION)
def test_a_question_that_states_too_little_is_refused(home: House, name: str) -> None:
    """Each statement about the original request is needed once; none has a default, and two are one too many."""
    stated = {key: value for key, value in QUESTION.items() if key != name}
    lacking = home.get("/-/auth/nginx", "ada", headers=stated)
    lines = [f"{key}: {value}" for key, value in QUESTION.items()]
    with home.line() as client:
        doubled = client.ask("GET", "/-/auth/nginx", home.bearer("ada"), *lines, f"{name}: {QUESTION[name]}")

    assert (lacking.status_code, home.audited(lacking)["reason"]) == (403, "bad-headers")
    assert doubled.status == 403


def test_a_gateway_without_peers_has_no_pages(tmp_path: Path) -> None:
    """Unless peers are configured a question is a request like any other, on a path that no row covers."""
    with house(tmp_path, "", ROWS) as closed:
        answers = [
            closed.get(page, "ada", headers=QUESTION) for page in ("/-/auth/nginx", "/-/auth/envoy/files/a")
        ]

    assert [(answer.status_code, answer.json()["reason"]) for answer in answers] == [(403, "no-route")] * 2


def test_a_clients_rate_and_guesses_are_counted_here_too(tmp_path: Path) -> None:
    """Whoever guesses tokens through a proxy is stopped as at the gateway, by the client's address and not the proxy's."""
    rates = '[rates]\nguesses = "2/h"\nguesses_burst = 2\n'
    guess = {"Authorization": "Bearer wrong"}
    with house(tmp_path, SETTINGS + rates, ROWS) as home:
        statuses = [home.get("/-/auth/envoy/files/a", headers=QUESTION | guess).status_code for _ in range(4)]
        right = home.get("/-/auth/nginx", "ada", headers=QUESTION)
        elsewhere = home.get("/-/auth/nginx", "ada", headers=QUESTION | {"X-Original-Client": "192.0.2.2"})

    assert statuses == [401, 401, 429, 429]
    assert (right.status_code, right.headers["x-mediagate-reason"]) == (403, "guess-rate")
    assert elsewhere.status_code == 204


@pytest.mark.needs_nginx
def test_questions_are_shed_with_the_requests(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With as many requests under way as there may be, both proxies are told so; what comes afterwards passes again."""
    go = threading.Event()

    async def slow(visit: Visit) -> None:
        await visit.request()
        await told(go)
        await visit.send(OK)
        await answering(OK)(visit)

    with ExitStack() as stack:
        home = stack.enter_context(house(tmp_path, SETTINGS + "[limits]\nin_flight = 1\n", ROWS))
        home.run("object", "add", "file:/", "--domain", "main")
        fronts = (nginx_for, envoy_for)
        found = [stack.enter_context(each(home, tmp_path_factory.mktemp("front"))) for each in fronts]
        home.backend.use(slow)
        stack.callback(go.set)
        client = stack.enter_context(home.line())
        client.send(request("GET", "/files/a", home.bearer("ada")))
        assert eventually(lambda: len(home.backend.requests) == 1)
        shed = [front.ask("GET", "/files/b", "ada").status for front in found]
        reason = found[0].audited()["reason"]
        go.set()
        served = [client.answer().status, *(front.ask("GET", "/files/b", "ada").status for front in found)]

    assert (shed, reason) == ([500, 503], "overloaded")
    assert served == [200, 200, 200]


def test_nothing_passes_while_the_gateway_is_away(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Both proxies refuse with 5xx what they cannot ask about."""
    nowhere, ports = free_port(), (free_port(), free_port())
    by_nginx = documented(
        "nginx",
        {
            "server 127.0.0.1:8080;": f"server 127.0.0.1:{nowhere};",
            "listen 80;": f"listen 127.0.0.1:{ports[0]};",
        },
    )
    by_envoy = documented(
        "yaml",
        {
            "{address: 0.0.0.0, port_value: 80}": f"{{address: 127.0.0.1, port_value: {ports[1]}}}",
            "port_value: 8080": f"port_value: {nowhere}",
        },
    )
    with (
        serving_nginx(tmp_path, by_nginx, ports[0]) as one,
        envoy(tmp_path_factory.mktemp("away"), by_envoy, ports[1]) as other,
    ):
        for url, status in ((one, 500), (other, 503)):
            with line(url) as client:
                assert client.ask("GET", "/open/a").status == status
