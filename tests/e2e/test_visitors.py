"""Visitors: a link is made at the command line's door, signs in at the gateway, and opens what it gives and nothing else."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from gateways import Gateway, prepare, running
from models import changes
from models.passwords import hashed
from models.records import ObjectKey, UserType
from models.store import Store
from models.tables import ShareRecipient
from recorder import Recorder, recording

CLIP, ELSE = ObjectKey("asset", "clip"), ObjectKey("asset", "else")
PASSWORD = "correct horse"
TOML = """
[upstreams.recorder]
url = "{backend}"
[shares]
sign_in = true
[proxies]
trusted = ["127.0.0.1"]
"""
ROUTES = """
upstream: recorder
objects:
  asset: {id: opaque}
routes:
  - GET /assets/{id}: {action: read, object: asset, id: "{id}", role: none}
  - GET /assets/{id}/file: {action: download, object: asset, id: "{id}", role: none}
  - POST /assets/{id}/shares: {action: read, object: asset, id: "{id}", roles: [can_write_shares]}
"""


@dataclass(frozen=True, slots=True)
class House:
    """A running gateway, its store and what stands behind it."""

    gateway: Gateway
    store: Store
    backend: Recorder
    domain: str

    def link(self, **said: Any) -> tuple[str, str]:
        """Returns id and link of a new share of the clip, for Eve."""
        end = datetime.now(UTC) + timedelta(days=1)
        with self.store.write("test") as commit:
            share = changes.create_share(commit.session, "ada", CLIP, **{"expires": end, **said})
            return share.id, changes.add_recipient(commit.session, share.id, "eve@example.org")[1]

    def sign_in(self, link: str, password: str = "", **headers: str) -> requests.Response:
        """Tries a link."""
        body = {"hash": link, "password": password}
        return requests.post(f"{self.gateway.url}/-/share/sign-in", json=body, headers=headers, timeout=10)

    def token(self, link: str, password: str = "") -> dict[str, str]:
        """Returns the header of a visitor who came by a link."""
        answer = self.sign_in(link, password)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    def ask(self, method: str, path: str, headers: dict[str, str]) -> requests.Response:
        """Sends a request."""
        return requests.request(method, self.gateway.url + path, headers=headers, timeout=10)

    def visits(self, share: str) -> list[tuple[int, bool]]:
        """Returns how often each link of a share let somebody in, and whether it is known when."""
        with self.store.read() as session:
            rows = session.query(ShareRecipient).filter_by(share_id=share)
            return [(row.visits, row.last_visit is not None) for row in rows]

    def audited(self, answer: requests.Response) -> dict[str, Any]:
        """Returns the audit line of a request."""
        id_ = answer.headers["x-request-id"]
        lines = [json.loads(line) for line in self.gateway.audit.read_text().splitlines()]
        (line,) = (line for line in lines if line["request_id"] == id_)
        found: dict[str, Any] = line
        return found


@pytest.fixture(scope="module", name="house")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One gateway for all tests of this file."""
    folder = tmp_path_factory.mktemp("visitors")
    with recording() as backend:
        store = prepare(folder, TOML.format(backend=backend.url), routes=ROUTES)
        with store.write("test") as commit:
            domain = changes.create_domain(commit.session, "home").id
            changes.create_user(
                commit.session, domain, "ada@example.org", id_="ada", type=UserType.POWER, is_admin=True
            )
            for key in (CLIP, ELSE):
                changes.register_object(commit.session, key, domain, owner_id="ada")
        with running(folder) as gateway:
            yield House(gateway, store, backend, domain)
        store.close()


def test_a_visitor_comes_by_a_link_and_does_what_it_gives(house: House) -> None:
    """The backend is told of the share; another object, another action and sharing again are refused."""
    share, link = house.link(rights=["comment"], watermark=True)
    answer = house.sign_in(link)
    told = answer.json()
    visitor = {"Authorization": f"Bearer {told['token']}", "X-Mediagate-Watermark": "off"}
    house.backend.clear()

    assert {name: told[name] for name in ("email", "object_id", "share_id", "rights", "watermark")} == {
        "email": "eve@example.org",
        "object_id": "clip",
        "share_id": share,
        "rights": ["comment", "view"],
        "watermark": True,
    }
    assert house.ask("GET", "/assets/clip", visitor).status_code == 200
    seen = dict(house.backend.headers[-1])
    assert {name: value for name, value in seen.items() if name.startswith("x-mediagate-")} == {
        "x-mediagate-share": share,
        "x-mediagate-share-recipient": told["share_user_id"],
        "x-mediagate-share-owner": "ada",
        "x-mediagate-share-rights": "comment,view",
        "x-mediagate-watermark": "on",
    }
    assert "authorization" not in seen
    for method, path in (
        ("GET", "/assets/else"),
        ("GET", "/assets/clip/file"),
        ("POST", "/assets/clip/shares"),
    ):
        assert house.ask(method, path, visitor).status_code == 403
    assert len(house.backend.requests) == 1


def test_a_sign_in_counts_once_and_what_is_asked_afterwards_never(house: House) -> None:
    """Neither HEAD nor a byte range nor a preview nor a refused sign-in is a visit."""
    share, link = house.link()
    visitor = house.token(link)
    for method, more in (("GET", {"Range": "bytes=0-1"}), ("HEAD", {}), ("GET", {"Purpose": "prefetch"})):
        house.ask(method, "/assets/clip", visitor | more)
    house.ask("HEAD", "/-/share/sign-in", {})
    house.ask("GET", "/-/share/sign-in", {})
    house.ask("GET", "/-/share/visit", visitor)
    assert house.visits(share) == [(1, True)]
    house.token(link)
    assert house.visits(share) == [(2, True)]


def test_whatever_is_wrong_with_a_link_looks_alike_outside(house: House) -> None:
    """A wrong password, an unknown link, one that is used up, and one from elsewhere; the audit knows which, and no secret."""
    share, locked = house.link(password=hashed(PASSWORD))
    used, near = house.link(max_visits=1)[1], house.link(networks=["192.0.2.0/24"])[1]
    house.token(used)
    tries = [
        (locked, "wrong password"),
        (locked, ""),
        ("mg_none", PASSWORD),
        ("", ""),
        (used, ""),
        (near, ""),
    ]
    answers = [house.sign_in(link, password) for link, password in tries]

    assert {answer.status_code for answer in answers} == {404}
    assert len({json.dumps({**answer.json(), "request_id": ""}) for answer in answers}) == 1
    assert len({tuple(sorted(set(answer.headers) - {"Content-Length"})) for answer in answers}) == 1
    reasons = {(line := house.audited(answer))["reason"] + " " + line["detail"] for answer in answers}
    assert len(reasons) == 4
    assert any(share in reason for reason in reasons)
    assert house.visits(share) == [(0, False)]
    audit = house.gateway.audit.read_text() + house.gateway.log
    assert not any(secret in audit for secret in (locked, PASSWORD, "wrong password", used))

    assert house.sign_in(locked, PASSWORD).status_code == 200
    assert house.sign_in(near, "", **{"X-Forwarded-For": "192.0.2.7"}).status_code == 200
    assert house.visits(share) == [(1, True)]


def test_a_link_that_is_guessed_at_is_closed_for_a_while(house: House) -> None:
    """Ten wrong passwords, and then not even the right one is looked at; other links are open, and it counts unknown links alike."""
    _, locked = house.link(password=hashed(PASSWORD))
    for link in (locked, "mg_unknown"):
        assert {house.sign_in(link, "wrong").status_code for _ in range(10)} == {404}
        last = house.sign_in(link, PASSWORD)
        assert (last.status_code, last.json()["reason"]) == (429, "guess-rate")
        assert int(last.headers["retry-after"]) > 0
    assert house.sign_in(house.link()[1]).status_code == 200


def test_a_visit_is_shown_made_longer_and_ended(house: House) -> None:
    """By its own token alone; whoever is no visitor has no visit."""
    share, link = house.link()
    visitor = house.token(link)
    shown = house.ask("GET", "/-/share/visit", visitor)
    assert (shown.status_code, shown.json()["share_id"], "token" in shown.json()) == (200, share, False)
    assert house.ask("PUT", "/-/share/visit", visitor).json()["expires"] >= shown.json()["expires"]
    assert house.ask("DELETE", "/-/share/visit", visitor).status_code == 204
    assert house.ask("GET", "/assets/clip", visitor).status_code == 401
    assert house.ask("PUT", "/-/share/visit", visitor).status_code == 401

    with house.store.write("test") as commit:
        app = changes.create_application(commit.session, house.domain, "player").id
        text = changes.issue_token(commit.session, "ada", app)[1]
    for headers in ({}, {"Authorization": f"Bearer {text}"}, {"Authorization": "Bearer mg_x"}):
        assert house.ask("DELETE", "/-/share/visit", headers).status_code == 401
    assert house.ask("GET", "/assets/clip", {"Authorization": f"Bearer {text}"}).status_code == 200


def test_what_is_taken_back_is_out_with_the_next_request(house: House) -> None:
    """A share that is removed, and the domain's switch."""
    share, link = house.link()
    visitor = house.token(link)
    with house.store.write("test") as commit:
        changes.set_external_share(commit.session, house.domain, on=False)
    assert house.ask("GET", "/assets/clip", visitor).status_code == 403
    assert house.sign_in(link).status_code == 404
    assert house.ask("PUT", "/-/share/visit", visitor).status_code == 404
    with house.store.write("test") as commit:
        changes.set_external_share(commit.session, house.domain, on=True)
    assert house.ask("GET", "/assets/clip", visitor).status_code == 200
    with house.store.write("test") as commit:
        changes.remove_share(commit.session, share)
    assert house.ask("GET", "/assets/clip", visitor).status_code == 401
    assert house.sign_in(link).status_code == 404


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"),
        (b"[]", "application/json"),
        (b'{"hash": 1}', "application/json"),
        (b'{"hash": "x", "more": 1}', "application/json"),
        (b'{"hash": "\\ud800"}', "application/json"),
        (b"\xff", "application/json"),
        (b'{"hash": "x"}', "text/plain"),
        (b'{"hash": "x"}', "application/x-www-form-urlencoded"),
        (b'{"hash": "' + b"x" * 9_000 + b'"}', "application/json"),
    ],
)
def test_a_body_of_another_form_is_refused(house: House, body: bytes, kind: str) -> None:
    """Also one that a page of another origin may send without asking, and one that is too long."""
    url = f"{house.gateway.url}/-/share/sign-in"
    answer = requests.post(url, data=body, headers={"Content-Type": kind}, timeout=10)
    assert answer.status_code in (400, 413)
    assert house.audited(answer)["reason"] in ("bad-body", "body-too-large")


def test_the_pages_are_closed_where_nobody_opened_them(tmp_path: Path) -> None:
    """Without the setting there is no such page, whatever comes by it."""
    from gateway.settings import Settings

    (tmp_path / "mediagate.toml").write_text("")
    assert not Settings.load(tmp_path / "mediagate.toml", environ={}).shares.sign_in
