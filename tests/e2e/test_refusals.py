"""What callers are told when they are refused, and what a credential, a policy and a setting change about it."""

import base64
from collections.abc import Iterator
from typing import Final

import pytest

from e2e.behind import Puppet, eventually
from e2e.house import NORAS_ADDRESS, SECRET, House, house
from e2e.raw import request
from e2e.refusals import CLIP, FILE, OPEN, ROWS, is_refusal, refusing

BROKEN_POLICY: Final = """
permit(subject, "comment", resource, _request, "zz-broken") if
    subject.has_account() and resource.is_type("asset") and 1 = "a" + 1;
"""


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway in its ordinary state."""
    with refusing(tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture(autouse=True)
def _clean(home: House) -> None:
    """Lets each test begin with a backend that has seen nothing."""
    home.backend.clear()


@pytest.mark.parametrize("path", ["/nowhere", "/assets/absent", "/assets/theirs", CLIP, "/files/x", "/"])
def test_an_anonymous_caller_learns_nothing(home: House, path: str) -> None:
    """An unknown route, an unknown object, another domain's and a known one give the same 401, word for word."""
    answer = home.get(path)

    is_refusal(answer, 401, "signed-in")
    assert answer.json()["errors"] == home.get("/elsewhere").json()["errors"]
    assert home.audited(answer)["verdict"] == "refused"
    assert home.backend.requests == []


@pytest.mark.parametrize(("method", "path", "who", "reason", "precise"), [
    ("GET", "/nowhere", "stan", "no-route", "no-route"),
    ("DELETE", CLIP, "stan", "no-route", "no-route"),
    ("GET", "/nowhere", "ada", "no-route", "no-route"),
    ("GET", "/assets/absent", "stan", "no-grant", "unknown-object"),
    ("GET", "/assets/absent", "ada", "no-grant", "unknown-object"),
    ("GET", "/assets/theirs", "stan", "no-grant", "foreign-object"),
    ("GET", "/assets/theirs", "ada", "no-grant", "foreign-object"),
    ("GET", CLIP, "zoe", "no-grant", "foreign-object"),
    ("GET", "/assets/secret", "stan", "no-grant", "no-grant"),
    ("GET", CLIP, "bob", "user-status", "user-status"),
    ("GET", CLIP, "ina", "user-status", "user-status"),
    ("GET", CLIP, "otto", "role", "role"),
    ("PUT", FILE, "vera", "role", "role"),
    ("PUT", FILE, "bea", "role", "role"),
    ("GET", CLIP, "nora", "network", "network"),
    ("GET", CLIP, "abe", "network", "network"),
])  # fmt: skip
def test_a_caller_who_signed_in_is_told_one_coarse_reason(
    home: House, method: str, path: str, who: str, reason: str, precise: str
) -> None:
    """Each case of the table is a 403 with its public reason; the audit names the precise one and who it was."""
    answer = home.ask(method, path, who)
    audited = home.audited(answer)

    is_refusal(answer, 403, reason)
    assert (audited["verdict"], audited["reason"], audited["user"]) == ("refused", precise, who)
    assert (audited["method"], audited["path"], audited["client"]) == (method, path, "127.0.0.1")
    assert home.backend.requests == []


def test_what_does_not_exist_and_what_is_not_granted_look_alike(home: House) -> None:
    """An absent object, a foreign one and one without a grant differ in nothing but the request id."""
    answers = [home.get(f"/assets/{name}", "stan") for name in ("absent", "theirs", "secret")]
    seen = {answer.text.replace(answer.headers["x-request-id"], "ID") for answer in answers}
    names = {tuple(sorted(set(answer.headers) - {"date"})) for answer in answers}

    assert len(seen) == len(names) == 1


@pytest.mark.parametrize(("path", "who", "source"), [
    (OPEN, "", ""), (OPEN, "bob", ""), (OPEN, "nora", ""), (CLIP, "vera", ""), ("/files/x", "bea", ""), (CLIP, "nora", NORAS_ADDRESS),
    ("/assets/secret", "ada", ""), ("/assets/secret", "abe", NORAS_ADDRESS), ("/assets/theirs", "zoe", ""),
])  # fmt: skip
def test_who_may_is_let_through(home: House, path: str, who: str, source: str) -> None:
    """Routes open to all, granted objects, allowed addresses and admins reach the backend."""
    answer = home.get(path, who, source=source)

    assert (answer.status_code, answer.text) == (200, "ok")
    assert home.audited(answer)["verdict"] == "allowed"
    assert home.backend.lines == [b"GET " + path.encode()]


@pytest.mark.parametrize(
    ("path", "who", "status"), [(CLIP, "", 401), (CLIP, "otto", 403), ("/a//b", "ada", 400)]
)
def test_a_refusal_of_head_has_no_body(home: House, path: str, who: str, status: int) -> None:
    """HEAD is refused with the headers of GET and nothing after them."""
    with home.line() as client:
        client.send(request("HEAD", path, home.bearer(who), "connection: close"))
        without = client.answer(bodiless=True)
        assert client.is_over()
    with home.line() as client:
        whole = client.ask("GET", path, home.bearer(who), "connection: close")

    assert (without.status, whole.status) == (status, status)
    assert [name for name, _ in without.headers] == [name for name, _ in whole.headers]
    assert whole.reason


@pytest.mark.parametrize(("method", "path", "status", "reason"), [
    ("GET", "/files/../x", 400, "bad-target"), ("GET", "/files/%2e%2e/x", 400, "bad-target"), ("BREW", CLIP, 405, "bad-method"),
])  # fmt: skip
def test_a_request_with_two_readings_is_refused_whoever_sends_it(
    home: House, method: str, path: str, status: int, reason: str
) -> None:
    """What the request itself does wrong is said before anything else, to admins and to anonymous callers alike."""
    for who in ("", "ada"):
        with home.line() as client:
            answer = client.ask(method, path, home.bearer(who))
        assert (answer.status, answer.reason) == (status, reason)
    assert home.backend.requests == []


def _basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize("headers", [
    {"Authorization": "Bearer"}, {"Authorization": "Bearer "}, {"Authorization": "Bearer two words"},
    {"Authorization": "Bearer mg_unknown"}, {"Authorization": "Bearer " + "x" * 600}, {"Authorization": "Digest username=x"},
    {"Authorization": "Basic"}, {"Authorization": "Basic !!!"}, {"Authorization": _basic("nocolon")},
    {"Authorization": _basic("user:")}, {"Authorization": _basic("user:mg_unknown")}, {"Authorization": ""},
    {"Auth-Token": "mg_unknown"}, {"App-ID": "main-app", "Authorization": "Bearer mg_unknown"}, {"App-ID": "main-app", "Auth-Token": ""},
    {"App-ID": "main-app", "Auth-Token": "mg_unknown"}, {"App-ID": "a b", "Auth-Token": "mg_unknown"},
])  # fmt: skip
@pytest.mark.parametrize("path", [CLIP, OPEN])
def test_a_credential_that_is_not_valid_is_never_anonymous(
    home: House, headers: dict[str, str], path: str
) -> None:
    """Malformed and unknown credentials are 401 on every route, also on those that are open to all."""
    answer = home.get(path, headers=headers)

    is_refusal(answer, 401, "credential-unknown")
    assert home.audited(answer)["reason"] in ("credential-malformed", "credential-unknown")
    assert home.backend.requests == []


def test_each_way_to_show_a_token_signs_in(home: House) -> None:
    """The header pair, Bearer and Basic with any user name are the same person; a token of another application is nobody."""
    token = home.tokens["vera"]
    pair = {"App-ID": "main-app", "Auth-Token": token}
    shown = [pair, {"Authorization": f"bearer {token}"}, {"Authorization": _basic(f"anybody:{token}")}]
    answers = [home.get(CLIP, headers=headers) for headers in shown]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [home.audited(answer)["proof"] for answer in answers] == ["app-token", "bearer", "basic"]
    assert {home.audited(answer)["user"] for answer in answers} == {"vera"}
    is_refusal(home.get(CLIP, headers=pair | {"App-ID": "other-app"}), 401, "credential-unknown")


def test_a_revoked_token_is_refused_from_the_next_request_on(home: House) -> None:
    """After `mediagate token revoke` has returned, the token is 401 and says that it was revoked."""
    issued = home.run("token", "create", "vera@example.org")
    headers = {"Authorization": f"Bearer {issued['token']}"}
    before = home.get(CLIP, headers=headers)
    home.run("token", "revoke", issued["id"])
    after = home.get(CLIP, headers=headers)

    assert before.status_code == 200
    is_refusal(after, 401, "credential-revoked")
    assert len(home.backend.requests) == 1


def test_an_expired_token_is_refused(home: House) -> None:
    """A token whose time is over is 401 and says so, without anybody changing anything."""
    issued = home.run("token", "create", "vera@example.org", "--expires", "2s")
    headers = {"Authorization": f"Bearer {issued['token']}"}

    assert eventually(lambda: home.get(CLIP, headers=headers).status_code == 401)
    is_refusal(home.get(CLIP, headers=headers), 401, "credential-expired")


def test_changes_hold_from_the_next_request_on(home: House) -> None:
    """Whatever is said of a user, an object, a domain, a group or a network holds as soon as the command has returned."""
    seen = []

    def note(who: str, path: str) -> None:
        answer = home.get(path, who)
        seen.append("ok" if answer.status_code == 200 else answer.json()["reason"])

    note("kim", CLIP)
    home.run("user", "set", "kim@example.org", "--status", "BLOCKED")
    note("kim", CLIP)
    home.run("user", "set", "kim@example.org", "--status", "ACTIVE")
    note("kim", CLIP)
    note("kim", "/assets/secret")
    home.run("grant", "kim@example.org", "read", "asset:secret")
    note("kim", "/assets/secret")
    home.run("revoke", "kim@example.org", "read", "asset:secret")
    note("kim", "/assets/secret")
    home.run("object", "owner", "asset:secret", "kim@example.org")
    note("kim", "/assets/secret")
    home.run("object", "transfer", "kim@example.org", "ada@example.org")
    note("kim", "/assets/secret")
    home.run("user", "set", "kim@example.org", "--status", "INACTIVE")
    note("kim", CLIP)
    home.run("user", "set", "kim@example.org", "--status", "ACTIVE")
    home.run("domain", "set", "main", "--status", "DEACTIVATED")
    note("kim", CLIP)
    home.run("domain", "set", "main", "--status", "FROZEN")
    note("kim", CLIP)
    home.run("domain", "set", "main", "--status", "ACTIVE", "--role-model", "ROLE_GROUPS")
    home.run("group", "add", "narrow", "--role-group", "--role", "can_search", "--domain", "main")
    home.run("group", "join", "narrow", "kim@example.org")
    note("kim", CLIP)
    home.run("domain", "set", "main", "--role-model", "GROUPS")
    note("kim", CLIP)
    note("nora", CLIP)
    home.run("allow-ip", "add", "127.0.0.1", "--group", "office")
    note("nora", CLIP)
    home.run("allow-ip", "remove", "127.0.0.1", "--group", "office")
    note("nora", CLIP)

    assert seen == [
        *("ok", "user-status", "ok", "no-grant", "ok", "no-grant"),
        *("ok", "no-grant"),
        *("user-status", "domain", "ok"),
        *("role", "ok"),
        *("network", "ok", "network"),
    ]


def test_no_secret_is_written_or_passed_on(home: House) -> None:
    """Neither tokens nor the backend's secret nor what came as Authorization stand in audit, log, answers or at a backend."""
    token, theirs = home.tokens["stan"], _basic("someone:theirs-alone")
    wrong = "mg_wrong-but-still-nobodys-business"
    pair = {"App-ID": "main-app", "Auth-Token": token}
    shown = [
        {"Authorization": f"Bearer {token}"}, {"Authorization": _basic(f"x:{token}")}, pair, pair | {"Authorization": theirs},
        {"Authorization": f"Bearer {wrong}"}, {"Authorization": f"Digest {wrong}"}, {"Auth-Token": wrong},
        {"Authorization": f"Bearer {token}", "X-Backend-Key": "spoofed"},
    ]  # fmt: skip
    paths = (CLIP, "/passed/clip", "/assets/absent", f"{OPEN}?token={wrong}", "/down/clip", "/nowhere")
    answers = [home.get(path, headers=headers) for headers in shown for path in paths]
    received = b"\n".join(each.head + each.body for each in home.backend.requests).decode("latin-1")
    written = home.gateway.audit.read_text() + home.gateway.log
    told_outside = "".join(str(answer.headers) + answer.text for answer in answers)
    tokens = [*home.tokens.values(), _basic(f"x:{token}").split()[1]]

    assert [
        each for each in [*tokens, wrong, theirs.split()[1], SECRET] if each in written + told_outside
    ] == []
    assert [
        each for each in [*tokens, SECRET] if each in received.replace(f"x-backend-key: {SECRET}", "")
    ] == []
    assert SECRET.encode() not in _values(home.backend, b"x-backend-key", b"/passed")
    assert _values(home.backend, b"x-backend-key", b"/assets") == {SECRET.encode()}
    assert _values(home.backend, b"authorization", b"/assets") == set()
    assert _values(home.backend, b"authorization", b"/passed") == {theirs.encode()}


def _values(backend: Puppet, name: bytes, below: bytes) -> set[bytes]:
    """Returns all values of a header that came with requests below a path."""
    return {
        value
        for each in backend.requests
        if each.line.split(b" ")[1].startswith(below)
        for value in each.values(name)
    }


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway that hides two reasons, with a rule that asks a question nobody has registered."""
    folder = tmp_path_factory.mktemp("odd")
    with house(
        folder, '[refusals]\nhide = ["no-grant", "no-route"]\n', ROWS, policy={"zz.polar": BROKEN_POLICY}
    ) as found:
        yield found


@pytest.mark.parametrize(("path", "who", "status", "reason"), [
    ("/assets/secret", "stan", 404, "no-grant"), ("/assets/absent", "stan", 404, "no-grant"), ("/assets/theirs", "ada", 404, "no-grant"),
    ("/nowhere", "stan", 404, "no-route"), (CLIP, "otto", 403, "role"), (CLIP, "bob", 403, "user-status"),
    (CLIP, "", 401, "signed-in"), ("/nowhere", "", 401, "signed-in"),
])  # fmt: skip
def test_a_reason_may_be_hidden(odd: House, path: str, who: str, status: int, reason: str) -> None:
    """The reasons that a setting names are 404 instead of 403; all others are as before."""
    is_refusal(odd.get(path, who), status, reason)


def test_a_policy_with_an_error_refuses(odd: House) -> None:
    """A rule that goes wrong refuses whom no earlier rule has let in, with a reason of its own and its cause in the audit."""
    odd.backend.clear()
    answer = odd.ask("POST", "/assets/secret/comments", "stan")
    audited = odd.audited(answer)

    is_refusal(answer, 403, "policy-error")
    assert audited["reason"] == "policy-error"
    assert audited["detail"]
    assert odd.backend.requests == []


def test_a_policy_with_an_error_leaves_earlier_rules_in_force(odd: House) -> None:
    """An admin, and whoever has a grant, is let in by rules that come first; other actions never meet the broken one."""
    asked = [
        ("POST", "/assets/secret/comments", "ada"),
        ("POST", "/assets/clip/comments", "vera"),
        ("GET", CLIP, "vera"),
    ]

    assert [odd.ask(*each).status_code for each in asked] == [200, 200, 200]
    is_refusal(odd.get("/assets/secret", "stan"), 404, "no-grant")
