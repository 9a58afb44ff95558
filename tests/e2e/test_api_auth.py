"""Applications, tokens and signing in over HTTP: no token gives more than what it was made from."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from management import ADMIN, APPLICATION, EDITOR, OWNER, READER, STRANGER, House, housed
from models import changes
from models.passwords import hashed
from models.records import UserStatus, UserType

BASE = "/API/auth/v1/"
TOKEN = f"{BASE}auth/token/"
LOGIN = f"{BASE}auth/simple/login/"
PASSWORD = "a long password"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Returns a gateway with local tokens; reader, owner and stranger have one password."""
    with housed(tmp_path_factory.mktemp("auth"), "auth", "users") as house:
        with house.store.write("test") as commit:
            for user in (READER, OWNER, STRANGER):
                changes.set_password(commit.session, user, hashed(PASSWORD))
        yield house


def login(house: House, email: str, password: str = PASSWORD, **more: Any) -> requests.Response:
    """Tries to sign in."""
    return house.ask(None, "POST", LOGIN, {"email": email, "password": password, **more})


def by(
    house: House, token: str, method: str = "GET", path: str = TOKEN, json: Any = None
) -> requests.Response:
    """Asks with a token."""
    return house.ask(None, method, path, json, Authorization=f"Bearer {token}")


def test_signing_in(house: House) -> None:
    """E-mail and password give a token with an end, which is presented as the documented pair of headers; its text is told this once."""
    told = login(house, "Reader@example.org")
    assert told.status_code == 201, told.text
    assert told.headers["cache-control"] == "no-store"
    document = told.json()
    assert (document["user_id"], document["system_domain_id"]) == (READER, house.domain)
    assert datetime.fromisoformat(document["expires"]) > datetime.fromisoformat(document["date_created"])
    pair = {"App_ID": document["app_id"], "Auth_Token": document["token"]}
    shown = house.ask(None, "GET", TOKEN, **pair)
    assert shown.json()["id"] == document["id"]
    assert "token" not in shown.json()
    assert document["token"] not in house.gateway.audit.read_text() + house.gateway.log


def test_who_does_not_come_in(house: House) -> None:
    """A wrong password, an unknown e-mail, a user without a password, who is blocked, or for interfaces alone are told alike."""
    with house.store.write("test") as commit:
        blocked = changes.create_user(
            commit.session, house.domain, "blocked@example.org", status=UserStatus.BLOCKED
        )
        api = changes.create_user(
            commit.session, house.domain, "api@example.org", type=UserType.BROWSE_API_ONLY
        )
        for user in (blocked, api):
            changes.set_password(commit.session, user.id, hashed(PASSWORD))
    said = [
        login(house, "owner@example.org", "wrong"),
        login(house, "nobody@example.org"),
        login(house, "editor@example.org"),
        login(house, "blocked@example.org"),
        login(house, "api@example.org"),
    ]
    assert {(answer.status_code, answer.json()["reason"]) for answer in said} == {(401, "credential-unknown")}
    assert len({answer.json()["errors"][0] for answer in said}) == 1


def test_guessing_is_bounded(house: House) -> None:
    """After ten wrong tries of an e-mail no more are compared for a while, not even the right one; another e-mail is not held up."""
    answers = [login(house, "victim@example.org", f"guess {number}") for number in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert "retry-after" in answers[-1].headers
    assert login(house, "owner@example.org").status_code == 201


def test_one_email_in_two_domains(house: House) -> None:
    """A password that is good in two domains signs in to the one that is named, and to none unnamed."""
    with house.store.write("test") as commit:
        for domain in (house.domain, house.abroad):
            user = changes.create_user(commit.session, domain, "both@example.org")
            changes.set_password(commit.session, user.id, hashed(PASSWORD))
    assert login(house, "both@example.org").status_code == 409
    assert (
        login(house, "both@example.org", system_domain_id=house.abroad).json()["system_domain_id"]
        == house.abroad
    )


def test_a_token_of_a_token_is_no_more(house: House) -> None:
    """A token with a scope and an end makes tokens within both, replaces itself within both, and shows and ends itself."""
    scope, end = ["can_read_acls", "can_write_acls"], timedelta(hours=1)
    with house.store.write("test") as commit:
        now = datetime.now().astimezone()
        text = changes.issue_token(commit.session, EDITOR, APPLICATION, scope=scope, expires=now + end)[1]
    own = by(house, text).json()
    assert own["scope"] == scope
    for body, wanted in ((None, scope), ({"scope": scope[:1]}, scope[:1])):
        made = by(house, text, "POST", json=body).json()
        assert made["scope"] == wanted
        assert made["expires"] == own["expires"]
    assert by(house, text, "POST", f"{TOKEN}?expires_in=86400").json()["expires"] == own["expires"]
    assert by(house, text, "POST", json={"scope": ["can_delete_acls"]}).status_code == 403
    fresh = by(house, text, "PUT", f"{TOKEN}?expires_in=864000&overlap=60").json()
    span = datetime.fromisoformat(fresh["expires"]) - datetime.fromisoformat(fresh["date_created"])
    assert (fresh["scope"], round(span / end)) == (scope, 1)
    assert by(house, text).status_code == 200
    assert by(house, fresh["token"], "DELETE").status_code == 200
    assert by(house, fresh["token"]).json()["reason"] == "credential-revoked"


def test_a_blocked_user_does_nothing_with_tokens(house: House) -> None:
    """A user who is blocked gets no token from a token, though the rows of these operations are open to all."""
    with house.store.write("test") as commit:
        user = changes.create_user(commit.session, house.domain, "gone@example.org")
        text = changes.issue_token(commit.session, user.id, APPLICATION)[1]
        changes.update_user(commit.session, user.id, status=UserStatus.BLOCKED)
    for method in ("GET", "POST", "PUT", "DELETE"):
        assert by(house, text, method).json()["reason"] == "user-status", method
    assert house.ask(None, "POST", TOKEN).status_code == 401


def test_tokens_of_others(house: House) -> None:
    """A user sees and ends its own tokens; an admin those of the domain; nobody learns of others, or of another domain's."""
    mine = by(house, house.tokens["reader"]).json()["id"]
    theirs = by(house, house.tokens["stranger"]).json()["id"]
    one = f"{BASE}auth/token/{mine}/"
    assert house.told("admin", "GET", one)["user_id"] == READER
    said = [
        house.ask("owner", "GET", path)
        for path in (one, f"{BASE}auth/token/{theirs}/", f"{BASE}auth/token/none/")
    ]
    assert [answer.status_code for answer in said] == [404] * 3
    assert len({answer.json()["errors"][0] for answer in said}) == 1
    assert house.ask("admin", "DELETE", f"{BASE}auth/token/{theirs}/").status_code == 404
    listed = house.told("reader", "GET", f"{BASE}auth/tokens/?per_page=100")["objects"]
    assert {each["user_id"] for each in listed} == {READER}
    extra = house.token(READER)
    assert (
        house.ask("admin", "DELETE", f"{BASE}auth/token/{by(house, extra).json()['id']}/").status_code == 200
    )
    assert by(house, extra).status_code == 401


def test_applications(house: House) -> None:
    """An application is made, changed under its tag, listed, and removed with its tokens."""
    made = house.told("admin", "POST", f"{BASE}apps/", {"name": "bot", "default_user_id": READER}, 201)
    one = f"{BASE}apps/{made['id']}/"
    tag = house.ask("admin", "GET", one).headers["etag"]
    assert house.told("admin", "PATCH", one, {"description": "d"}, If_Match=tag)["default_user_id"] == READER
    assert house.ask("admin", "PUT", one, {"name": "robot"}, If_Match=tag).status_code == 412
    token = house.told("admin", "POST", f"{one}token/?expires_in=60", status=201)
    assert (token["user_id"], token["app_id"]) == (READER, made["id"])
    assert made["id"] in [each["id"] for each in house.told("admin", "GET", f"{BASE}apps/")["objects"]]
    assert by(house, token["token"]).status_code == 200
    house.told("admin", "DELETE", one, status=204)
    assert by(house, token["token"]).json()["reason"] == "credential-unknown"
    assert (
        house.ask("admin", "POST", f"{BASE}apps/", {"name": "x", "default_user_id": STRANGER}).status_code
        == 404
    )
    assert house.ask("reader", "GET", f"{BASE}apps/").status_code == 403


def test_nobody_takes_an_admins_power_by_an_application(house: House) -> None:
    """Who holds the roles about applications without being admin gets no token of another user, and makes no application of one."""
    with house.store.write("test") as commit:
        session = commit.session
        group = changes.create_group(session, house.domain, "app keepers").id
        changes.set_roles(session, group, ["can_read_apps", "can_write_apps"])
        changes.add_member(session, group, OWNER)
        boss = changes.create_application(session, house.domain, "boss", user_id=ADMIN).id
    assert house.ask("owner", "POST", f"{BASE}apps/{boss}/token/").status_code == 403
    mine = house.told("owner", "POST", f"{BASE}apps/", {"name": "own", "default_user_id": OWNER}, 201)
    assert house.told("owner", "POST", f"{BASE}apps/{mine['id']}/token/", status=201)["user_id"] == OWNER
    assert (
        house.ask("owner", "PATCH", f"{BASE}apps/{mine['id']}/", {"default_user_id": ADMIN}).status_code
        == 403
    )
    other = {"name": "theirs", "default_user_id": ADMIN}
    assert house.ask("owner", "POST", f"{BASE}apps/", other).status_code == 403


def test_the_domain_says_how_long(house: House) -> None:
    """Where a domain says how long tokens last, no token is made for longer, and one that names no time ends then."""
    with house.store.write("test") as commit:
        changes.set_token_lifetime(commit.session, house.domain, timedelta(hours=2))
    try:
        token = house.told("editor", "POST", TOKEN, status=201)
        span = datetime.fromisoformat(token["expires"]) - datetime.fromisoformat(token["date_created"])
        assert round(span / timedelta(hours=2)) == 1
        assert house.ask("editor", "POST", f"{TOKEN}?expires_in=7300").status_code == 400
        assert house.ask("editor", "POST", f"{TOKEN}?expires_in=-1").status_code == 400
    finally:
        with house.store.write("test") as commit:
            changes.set_token_lifetime(commit.session, house.domain, None)


def test_the_domain_and_what_passwords_are_like(house: House) -> None:
    """The caller's own domain is told, another's is not there; what a password must be like is told."""
    assert house.told("admin", "GET", f"{BASE}system_domains/{house.domain}/")["status"] == "ACTIVE"
    assert house.ask("admin", "GET", f"{BASE}system_domains/{house.abroad}/").status_code == 404
    assert house.told("reader", "GET", f"{BASE}password/checks/")["min_length"] == 8
