"""Visits over the management API: an external client signs in by a link, reads what is shared, and is refused elsewhere."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from e2e.sharers import API, ASSETS, BOOLEANS, emailed, login, sharers, visiting
from gateway.api.share_tokens import LENT
from gateway.limits import GUESSES
from management import APPLICATION, CLIP, OTHER, READER, House
from models import changes
from models.records import Right, UserStatus
from models.tables import ShareRecipient

TOKEN = f"{API}/shares/auth/token/"
SHARING = Path(__file__).parents[2] / "policies" / "sharing.polar"


@pytest.fixture(scope="module", name="house")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One gateway for all tests of this file."""
    with sharers(tmp_path_factory.mktemp("share-tokens"), "[shares]", "sign_in = true") as house:
        yield house


def test_an_external_client_walks_through_a_share(house: House) -> None:
    """It signs in with an App-ID and a link, reads what is shared as far as its rights go, and is refused everywhere else."""
    share = emailed(house, allow_download=True, show_watermark=True)
    answer = login(house, share["url"], App_ID="player")
    told = answer.json()
    pair = {"App_ID": "player", "Auth_Token": told["token"]}

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert {name: told[name] for name in told.keys() - {"token", "expires", "roles"}} == {
        "app_id": "player",
        "email": "eve@example.org",
        "object_type": "assets",
        "object_id": CLIP,
        "share_id": share["id"],
        "share_user_id": share["users"][0]["id"],
        "system_domain_id": house.domain,
        "watermark": "standard",
        "drm": "none",
        "user_id": "",
        "is_internal_user": False,
    }
    assert {"can_read_assets", "can_read_files", "can_create_segments"} <= set(told["roles"])
    assert "can_write_shares" not in told["roles"]
    # allowed: the backend behind the gateway is not there
    assert house.ask(None, "GET", f"/assets/{CLIP}/", **pair).status_code == 502
    shown = house.told("editor", "GET", f"{ASSETS}{share['id']}/")
    seen = house.ask(None, "GET", f"{ASSETS}{share['id']}/", **pair).json()
    assert (seen["users"], len(shown["users"])) == ([], 1)
    assert {**seen, "users": ()} == {**shown, "users": ()}

    body = {
        **BOOLEANS,
        "title": "x",
        "emails": ["m@example.org"],
        "object_ids": [CLIP],
        "share_ids": [share["id"]],
    }
    other = emailed(house)
    refused = (
        ("GET", f"/assets/{OTHER}/", 403),
        ("GET", ASSETS, 403),
        ("GET", f"{ASSETS}{other['id']}/", 404),
        ("GET", f"{ASSETS}{share['id']}/users/", 403),
        ("GET", f"{API}/shares/", 403),
        ("GET", f"{API}/shares/all/", 403),
        ("POST", ASSETS, 403),
        ("POST", f"{ASSETS}url/", 403),
        ("POST", f"{API}/share/assets/", 403),
        ("PUT", f"{ASSETS}{share['id']}/", 403),
        ("DELETE", f"{ASSETS}{share['id']}/", 403),
        ("POST", f"{ASSETS}{share['id']}/users/", 403),
        ("DELETE", f"{API}/shares/bulk/", 403),
        ("GET", "/API/auth/v1/auth/tokens/", 403),
        ("POST", "/API/auth/v1/auth/token/", 403),
    )
    for method, path, status in refused:
        said = None if method == "GET" else {**body, "email": "m@example.org"}
        assert house.ask(None, method, path, said, **pair).status_code == status, (method, path)


def test_a_visit_is_looked_at_made_longer_and_ended_by_its_token(house: House) -> None:
    """In the documented header with an App-ID, as the pair, or as a Bearer token."""
    share = emailed(house)
    pair = visiting(house, share["url"])
    token = pair["Auth_Token"]
    forms = (
        {"App_ID": "any", "Share_Auth_Token": token},
        {"Share_Auth_Token": token},
        pair,
        {**pair, "App_ID": "another"},
        {"Authorization": f"Bearer {token}"},
    )
    for form in forms:
        for method in ("GET", "PUT"):
            answer = house.ask(None, method, TOKEN, **form)
            assert (answer.status_code, answer.json()["share_id"]) == (200, share["id"])
            assert answer.json()["token"] == ("" if "Authorization" in form else token)
    assert house.ask(None, "DELETE", TOKEN, **forms[0]).status_code == 204
    for form in forms:
        assert house.ask(None, "GET", TOKEN, **form).status_code == 401
    assert house.ask(None, "GET", f"/assets/{CLIP}/", **pair).status_code == 401


def test_only_a_visitors_token_is_a_visit(house: House) -> None:
    """A user's, a token of nobody, none and two are refused, and a user's token stays as it is."""
    mine = house.tokens["editor"]
    tries: tuple[tuple[dict[str, str], int], ...] = (
        ({}, 401),
        ({"App_ID": "player"}, 401),
        ({"Share_Auth_Token": mine}, 401),
        ({"Share_Auth_Token": "mg_nobody"}, 401),
        ({"Share_Auth_Token": "two tokens"}, 401),
        ({"Authorization": f"Bearer {mine}"}, 401),
        ({"App_ID": APPLICATION, "Auth_Token": mine}, 401),
    )
    for method in ("GET", "PUT", "DELETE"):
        for headers, status in tries:
            assert house.ask(None, method, TOKEN, **headers).status_code == status, (method, headers)
    assert house.ask("editor", "GET", ASSETS).status_code == 200


def test_what_is_wrong_with_a_link_has_one_answer(house: House) -> None:
    """No such link, another password, a share that was taken back: the same status, reason and words, and no visit."""
    locked, gone = emailed(house, password="correct horse"), emailed(house)
    house.told("editor", "DELETE", f"{ASSETS}{gone['id']}/", status=204)
    answers = [
        login(house, "mg_none"),
        login(house, locked["url"]),
        login(house, locked["url"], "wrong"),
        login(house, gone["url"]),
    ]

    told = {(answer.status_code, answer.json()["reason"], *answer.json()["errors"]) for answer in answers}
    assert len(told) == 1
    assert answers[0].status_code == 404
    with house.store.read() as session:
        (link,) = session.query(ShareRecipient).filter_by(share_id=locked["id"])
        assert link.visits == 0
    assert locked["url"] not in house.gateway.audit.read_text() + house.gateway.log


def test_tries_are_counted_together_with_those_of_the_gateways_own_page(house: House) -> None:
    """Whoever has used up the guesses of a link at one door has none at the other, right or wrong."""
    share = emailed(house, password="correct horse")
    for _ in range(GUESSES):
        assert login(house, share["url"], "wrong").status_code == 404
    own = {"hash": share["url"], "password": "correct horse"}

    assert login(house, share["url"], "correct horse").status_code == 429
    assert requests.post(f"{house.gateway.url}/-/share/sign-in", json=own, timeout=10).status_code == 429


def test_a_visit_ends_with_what_its_sharer_may(house: House) -> None:
    """A sharer who loses the role or the entry shares nothing any more, though the token is valid."""
    share = emailed(house, "reader")
    visitor = visiting(house, share["url"])
    assert house.ask(None, "GET", f"/assets/{CLIP}/", **visitor).status_code == 502
    with house.store.write("test") as commit:
        changes.update_user(commit.session, READER, status=UserStatus.BLOCKED)
    try:
        assert house.ask(None, "GET", f"/assets/{CLIP}/", **visitor).status_code == 403
        assert house.ask(None, "GET", f"{ASSETS}{share['id']}/", **visitor).status_code == 403
    finally:
        with house.store.write("test") as commit:
            changes.update_user(commit.session, READER, status=UserStatus.ACTIVE)


def test_a_sign_in_takes_a_link_in_a_json_body_alone(house: House) -> None:
    """In an address, in a form or from a page of another origin it is refused and counts nothing."""
    share = emailed(house)
    path = f"{house.gateway.url}{API}/shares/auth/login/"
    said = json.dumps({"hash": share["url"]})
    wrong = (
        requests.post(f"{path}?hash={share['url']}", json={}, timeout=10),
        requests.post(path, data={"hash": share["url"]}, timeout=10),
        requests.post(path, data=said, headers={"content-type": "text/plain"}, timeout=10),
        requests.post(
            path, json={"hash": share["url"]}, headers={"sec-fetch-site": "cross-site"}, timeout=10
        ),
    )

    assert [answer.status_code for answer in wrong] == [400] * 4
    assert house.told("editor", "GET", f"{ASSETS}{share['id']}/")["users"][0]["access_count"] == 0


def test_the_roles_that_are_told_are_those_of_the_policy() -> None:
    """Each right stands for the roles that the shipped policy lends with it."""
    text = re.sub(r"\s+", " ", SHARING.read_text())
    lent: dict[Right, set[str]] = {}
    for right, roles in re.findall(r'lends\("([a-z-]+)", "[a-z-]+", \[([^\]]*)\]\);', text):
        lent.setdefault(Right(right), set()).update(re.findall(r'"(\w+)"', roles))
    assert {right: set(roles) for right, roles in LENT.items()} == lent
