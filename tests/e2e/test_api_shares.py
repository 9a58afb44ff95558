"""Shares over the management API: made, shown, listed, changed and taken back, by whom they may be."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from e2e.sharers import API, ASSETS, BOOLEANS, MANAGERS, UPLOADERS, emailed, joined, login, sharers, visiting
from management import ADMIN, CLIP, EDITOR, OTHER, READER, STRANGER, SUB, THEIRS, House
from models import changes
from models.records import DomainStatus, ObjectKey
from models.tables import Share, ShareRecipient


@pytest.fixture(scope="module", name="house")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One gateway for all tests of this file."""
    with sharers(tmp_path_factory.mktemp("shares")) as house:
        yield house


def url_share(house: House, who: str = "editor", **said: Any) -> dict[str, Any]:
    """Returns a new share of the clip for whoever has its link."""
    found: dict[str, Any] = house.told(who, "POST", f"{ASSETS}url/", {**BOOLEANS, **said})
    return found


def row(house: House, share_id: str) -> Share | None:
    """Returns what is stored of a share."""
    with house.store.read() as session:
        return session.get(Share, share_id)


def test_a_share_is_made_and_shown_with_the_documented_fields(house: House) -> None:
    """What is told is what was said; links are told once, and kept as digests."""
    end = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)
    said: dict[str, Any] = {
        "title": "Dailies",
        "expires": end.isoformat(),
        "password": "correct horse",
        "metadata_views": ["view1"],
        "show_watermark": True,
        "allow_view_versions": True,
    }
    made = emailed(house, "editor", "eve@example.org", "EVA@example.org", **said)

    assert made["title"] == "Dailies"
    assert datetime.fromisoformat(made["expires"]) == end
    assert (made["object_type"], made["object_id"], made["owner_id"]) == ("assets", CLIP, EDITOR)
    assert (made["has_password"], made["metadata_views"], made["system_domain_id"]) == (
        True,
        ["view1"],
        house.domain,
    )
    assert (made["show_watermark"], made["watermark"], made["drm"]) == (True, "standard", "none")
    allowed = {name for name, value in made.items() if name.startswith("allow_") and value}
    assert allowed == {"allow_comments", "allow_view_versions"}
    links = {user["email"]: user["url"] for user in made["users"]}
    assert list(links) == ["eve@example.org", "eva@example.org"]
    assert made["url"] == links["eve@example.org"]
    assert login(house, links["eva@example.org"], "correct horse").json()["email"] == "eva@example.org"

    shown = house.told("editor", "GET", f"{ASSETS}{made['id']}/")
    again = {user["email"]: user["url"] for user in shown["users"]}
    assert (shown["url"], again) == (None, dict.fromkeys(links))
    assert {**shown, "users": (), "url": ""} == {**made, "users": (), "url": ""}
    with house.store.read() as session:
        kept = [link.digest for link in session.query(ShareRecipient).filter_by(share_id=made["id"])]
    assert not set(links.values()) & set(kept)
    assert all(link not in house.gateway.audit.read_text() + house.gateway.log for link in links.values())


def test_a_share_by_url_has_one_link_for_whoever_has_it(house: House) -> None:
    """It is told once, and its e-mail is empty."""
    made = url_share(house)
    (user,) = made["users"]

    assert (user["email"], user["url"]) == ("", made["url"])
    assert login(house, made["url"]).json()["share_id"] == made["id"]
    assert login(house, made["url"]).json()["email"] == ""


def test_each_documented_boolean_is_a_right(house: House) -> None:
    """Said at the making, and changed afterwards: what is not said stays as it is."""
    made = url_share(house, allow_download=True, allow_download_proxy=True, allow_setting_approve_status=True)
    assert row(house, made["id"]).rights == ["approve", "comment", "download", "download-proxy", "view"]  # type: ignore[union-attr]

    said = {
        "allow_download": False,
        "allow_view_transcriptions": True,
        "allow_custom_actions": True,
        "watermark": "standard",
    }
    told = house.told("editor", "PUT", f"{ASSETS}{made['id']}/", said)
    kept = row(house, made["id"])
    assert kept is not None
    assert kept.rights == ["approve", "comment", "custom-actions", "download-proxy", "transcriptions", "view"]
    assert (told["allow_download"], told["allow_download_proxy"], told["show_watermark"]) == (
        False,
        True,
        True,
    )


def test_defaults_and_locks_of_the_domain_hold(house: House) -> None:
    """What is not said has the default, what is locked has it whatever is said, and a password may be needed."""
    with house.store.write("test") as commit:
        changes.set_share_terms(
            commit.session,
            house.domain,
            rights=["download", "versions"],
            locked=["versions", "comment", "watermark"],
            needs_password=True,
        )
    try:
        body = {"allow_comments": True, "allow_view_versions": False, "show_watermark": True}
        assert house.ask("editor", "POST", f"{ASSETS}url/", body).status_code == 409
        made = house.told("editor", "POST", f"{ASSETS}url/", {**body, "password": "correct horse"})
    finally:
        with house.store.write("test") as commit:
            changes.set_share_terms(commit.session, house.domain, rights=[], locked=[], needs_password=False)

    assert [made[f"allow_{name}"] for name in ("download", "comments", "view_versions")] == [
        True,
        False,
        True,
    ]
    assert made["show_watermark"] is False


def test_a_domain_that_does_not_share_makes_nothing_and_lets_nobody_in(house: House) -> None:
    """The creating operations answer 403, and links that are there open nothing."""
    made = url_share(house)
    with house.store.write("test") as commit:
        changes.set_external_share(commit.session, house.domain, on=False)
    try:
        bulk = {**BOOLEANS, "title": "x", "object_ids": [CLIP], "share_by_url": True}
        tries = (
            (ASSETS, {**BOOLEANS, "emails": ["eve@example.org"]}),
            (f"{ASSETS}url/", BOOLEANS),
            (f"{API}/share/assets/", bulk),
            (f"{ASSETS}{made['id']}/users/", {"email": "eve@example.org"}),
        )
        answers = [house.ask("editor", "POST", path, body) for path, body in tries]
        opened = login(house, made["url"])
    finally:
        with house.store.write("test") as commit:
            changes.set_external_share(commit.session, house.domain, on=True)

    assert {(answer.status_code, answer.json()["reason"]) for answer in answers} == {(403, "share-off")}
    assert opened.status_code == 404


def test_sharing_needs_the_role_and_reading(house: House) -> None:
    """Neither the object's owner without the role nor the role without an entry is enough; a foreign object is like none."""
    assert house.ask("owner", "POST", f"{ASSETS}url/", BOOLEANS).status_code == 403
    for type_, id_ in (("assets", OTHER), ("assets", THEIRS), ("collections", SUB), ("assets", "none")):
        answer = house.ask("reader", "POST", f"{API}/{type_}/{id_}/shares/url/", BOOLEANS)
        assert (answer.status_code, answer.json()["reason"]) == (403, "no-grant")
    assert house.ask(None, "POST", f"{ASSETS}url/", BOOLEANS).status_code == 401
    assert (
        house.told("admin", "POST", f"{API}/collections/{SUB}/shares/url/", BOOLEANS)["object_type"]
        == "collections"
    )


def test_a_token_for_reading_shares_shares_nothing(house: House) -> None:
    """A scope that lacks the role of the row refuses, whatever the user holds."""
    narrow = {"Authorization": f"Bearer {house.token(EDITOR, ['can_read_shares'])}"}
    wide = {"Authorization": f"Bearer {house.token(ADMIN, ['can_read_shares', 'can_write_shares'])}"}
    made = url_share(house, "reader")

    assert house.ask(None, "GET", ASSETS, **narrow).status_code == 200
    assert house.ask(None, "POST", f"{ASSETS}url/", BOOLEANS, **narrow).status_code == 403
    # an admin's token without the role to manage all shares sees no others'
    assert house.ask(None, "GET", f"{ASSETS}{made['id']}/users/", **wide).status_code == 404


def test_letting_visitors_upload_needs_a_role_of_its_own(house: House) -> None:
    """At the making and by a change, whether it was said or is the domain's default; with the role it is given."""
    made = url_share(house)
    change = {"allow_upload": True, "title": "changed"}
    with house.store.write("test") as commit:
        changes.set_share_terms(commit.session, house.domain, rights=["upload"])
    by_default = house.ask("editor", "POST", f"{ASSETS}url/", BOOLEANS)
    without = house.ask("editor", "POST", f"{ASSETS}url/", {**BOOLEANS, "allow_upload": False})
    with house.store.write("test") as commit:
        changes.set_share_terms(commit.session, house.domain, rights=[])

    assert (by_default.status_code, by_default.json()["reason"]) == (403, "role")
    assert without.status_code == 200
    assert house.ask("editor", "POST", f"{ASSETS}url/", {**BOOLEANS, "allow_upload": True}).status_code == 403
    assert house.ask("editor", "PUT", f"{ASSETS}{made['id']}/", change).status_code == 403
    assert row(house, made["id"]).title == ""  # type: ignore[union-attr]
    with joined(house, UPLOADERS, EDITOR):
        assert url_share(house, allow_upload=True)["allow_upload"] is True
        assert house.told("editor", "PUT", f"{ASSETS}{made['id']}/", change)["allow_upload"] is True
    # who may not give it any more may change the rest
    assert house.told("editor", "PUT", f"{ASSETS}{made['id']}/", {"title": "again"})["allow_upload"] is True


def test_a_body_says_nothing_of_whose_the_share_is(house: House) -> None:
    """Owner, domain, object, id and counts in a body are passed over, when a share is made and when it is changed."""
    forged: dict[str, Any] = {
        "id": "mine",
        "owner_id": ADMIN,
        "object_id": OTHER,
        "object_type": "collections",
        "system_domain_id": house.abroad,
        "rights": ["upload"],
        "users": [{"email": "mallory@example.org"}],
    }
    made = url_share(house, **forged)
    changed = house.told("editor", "PUT", f"{ASSETS}{made['id']}/", forged)

    for told in (made, changed):
        assert (told["owner_id"], told["object_id"], told["object_type"]) == (EDITOR, CLIP, "assets")
        assert (told["system_domain_id"], told["allow_upload"], len(told["users"])) == (
            house.domain,
            False,
            1,
        )
    assert row(house, "mine") is None


def test_others_shares_are_not_there(house: House) -> None:
    """Another user with all roles about shares, an admin of another domain and a wrong object get the words for what does not exist."""
    made = emailed(house)
    user = made["users"][0]["id"]
    places = (("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "users/"), ("POST", "users/"))
    more = (("GET", f"users/{user}/"), ("PATCH", f"users/{user}/"), ("DELETE", f"users/{user}/"))
    for method, rest in (*places, *more):
        body = {"email": "m@example.org"} if method in ("PUT", "POST", "PATCH") else None
        answers = [house.ask("reader", method, f"{ASSETS}{id_}/{rest}", body) for id_ in (made["id"], "none")]
        told = [answer.json()["errors"][0].replace(made["id"], "none") for answer in answers]
        assert [answer.status_code for answer in answers] == [404, 404], (method, rest)
        assert told[0] == told[1]
    assert house.ask("editor", "GET", f"{API}/assets/{OTHER}/shares/{made['id']}/").status_code == 404
    assert house.ask("stranger", "GET", f"{API}/assets/{THEIRS}/shares/{made['id']}/").status_code == 404
    assert house.ask("stranger", "GET", f"{ASSETS}{made['id']}/").status_code == 403
    assert made["id"] not in str(house.told("reader", "GET", f"{ASSETS}?per_page=1000"))
    assert row(house, made["id"]) is not None


def test_who_manages_all_shares_sees_and_changes_them(house: House) -> None:
    """By the role, and as admin; the share stays its owner's."""
    made = emailed(house)
    with joined(house, MANAGERS, READER):
        assert house.told("reader", "GET", f"{ASSETS}{made['id']}/")["owner_id"] == EDITOR
        assert (
            house.told("reader", "PUT", f"{ASSETS}{made['id']}/", {"title": "by reader"})["owner_id"]
            == EDITOR
        )
        assert made["id"] in str(house.told("reader", "GET", f"{ASSETS}?per_page=1000"))
    assert house.told("admin", "GET", f"{ASSETS}{made['id']}/")["title"] == "by reader"
    house.told("admin", "DELETE", f"{ASSETS}{made['id']}/", status=204)
    assert row(house, made["id"]) is None


def test_who_manages_the_share_of_another_gives_nothing_through_it(house: House) -> None:
    """A link would let the manager in with the owner's rights: new links, rights and views are for the owner and admins."""
    made = emailed(house, allow_download=True)
    path = f"{ASSETS}{made['id']}/"
    user = f"{path}users/{made['users'][0]['id']}/"
    mine = {"email": "reader@example.org"}
    giving = (
        ("POST", f"{path}users/", mine, 201),
        ("PUT", user, mine, 200),
        ("PATCH", user, {"email": "again@example.org"}, 200),
        ("PUT", path, {"allow_custom_actions": True}, 200),
        ("PUT", path, {"metadata_views": ["view1"]}, 200),
    )
    with joined(house, MANAGERS, READER):
        for method, where, body, _ in giving:
            assert house.ask("reader", method, where, body).status_code == 403, (method, where)
        assert login(house, made["url"]).status_code == 200
        house.told(
            "reader", "PUT", path, {"title": "narrower", "allow_download": False, "metadata_views": []}
        )
        assert house.ask("reader", "PUT", path, {"allow_download": True}).status_code == 403
    for method, where, body, status in giving:
        house.told("admin", method, where, body, status)
    with joined(house, MANAGERS, READER):
        house.told("reader", "DELETE", user, status=204)


def test_lists_tell_own_shares_and_all(house: House) -> None:
    """Own ones, the domain's for who manages all, never another domain's; filtered and paged."""
    with house.store.write("test") as commit:
        theirs = changes.create_share(commit.session, STRANGER, ObjectKey("asset", THEIRS)).id
    mine, others = url_share(house, title="Rushes one"), url_share(house, "reader", title="Rushes two")

    own = house.told("editor", "GET", f"{API}/shares/?title=rushes&per_page=1000")
    assert {share["id"] for share in own["objects"]} == {mine["id"]}
    assert own["total"] == 1
    assert house.ask("editor", "GET", f"{API}/shares/all/").status_code == 403
    with joined(house, MANAGERS, EDITOR):
        every = house.told("editor", "GET", f"{API}/shares/all/?per_page=1000")
        of_reader = house.told("editor", "GET", f"{API}/shares/all/?owner_id={READER}&query=two")
        named = house.told(
            "editor", "GET", f"{API}/shares/all/?ids={mine['id']},{others['id']},{theirs}&per_page=1"
        )
    ids = {share["id"] for share in every["objects"]}
    assert {mine["id"], others["id"]} <= ids
    assert theirs not in ids
    assert [share["id"] for share in of_reader["objects"]] == [others["id"]]
    assert (named["total"], named["pages"], [share["id"] for share in named["objects"]]) == (
        2,
        2,
        [mine["id"]],
    )
    assert house.told("editor", "GET", f"{API}/shares/?object_type=collections")["total"] == 0
    assert house.told("editor", "GET", f"{API}/shares/?object_id={OTHER}")["total"] == 0

    first = house.told("editor", "GET", f"{ASSETS}?per_page=1")["objects"]
    second = house.told("editor", "GET", f"{ASSETS}?per_page=1&last_id={first[0]['id']}")["objects"]
    assert first[0]["id"] < second[0]["id"]


def test_a_change_of_the_password_ends_visits(house: House) -> None:
    """Null and absence leave it alone, an empty one takes it away; one that is too short is refused."""
    made = url_share(house, password="correct horse")
    path, visitor = f"{ASSETS}{made['id']}/", visiting(house, made["url"], "correct horse")

    assert house.told("editor", "PUT", path, {"password": None, "title": "x"})["has_password"] is True
    assert house.ask(None, "GET", path, **visitor).status_code == 200
    assert house.ask("editor", "PUT", path, {"password": "short"}).status_code == 400
    house.told("editor", "PUT", path, {"password": "battery staple"})
    assert house.ask(None, "GET", path, **visitor).status_code == 401
    assert login(house, made["url"], "correct horse").status_code == 404
    assert house.told("editor", "PUT", path, {"password": ""})["has_password"] is False
    assert login(house, made["url"]).status_code == 200


def test_a_change_may_ask_for_the_state_that_was_seen(house: House) -> None:
    """An entity tag that is not the current one refuses a change and a deletion."""
    made = url_share(house)
    path = f"{ASSETS}{made['id']}/"
    seen = house.ask("editor", "GET", path).headers["etag"]

    changed = house.ask("editor", "PUT", path, {"title": "one"}, If_Match=seen)
    assert changed.status_code == 200
    assert house.ask("editor", "PUT", path, {"title": "two"}, If_Match=seen).status_code == 412
    assert house.ask("editor", "DELETE", path, If_Match=seen).status_code == 412
    assert house.ask("editor", "DELETE", path, If_Match=changed.headers["etag"]).status_code == 204


def test_several_objects_are_one_share(house: House) -> None:
    """Each that is named is open to its visitors, all must be readable to the sharer, and entries go with the share."""
    body = {**BOOLEANS, "title": "Two", "object_ids": [CLIP, OTHER], "share_by_url": True}
    made = house.told("editor", "POST", f"{API}/share/assets/", body, 201)
    visitor = visiting(house, made["url"])

    assert made["object_id"] == CLIP
    # allowed: the backend behind the gateway is not there
    assert [house.ask(None, "GET", f"/assets/{id_}/", **visitor).status_code for id_ in (CLIP, OTHER)] == [
        502,
        502,
    ]
    assert house.ask("reader", "POST", f"{API}/share/assets/", body).status_code == 403
    foreign = {**body, "object_ids": [CLIP, THEIRS]}
    assert house.ask("admin", "POST", f"{API}/share/assets/", foreign).status_code == 403
    assert house.ask("editor", "POST", f"{API}/share/groups/", body).status_code == 400
    nobody = {**body, "share_by_url": False, "emails": []}
    assert house.ask("editor", "POST", f"{API}/share/assets/", nobody).status_code == 400
    house.told("editor", "DELETE", f"{ASSETS}{made['id']}/", status=204)
    assert house.ask(None, "GET", f"/assets/{OTHER}/", **visitor).status_code == 401


def test_shares_are_taken_back_together_or_not_at_all(house: House) -> None:
    """One's own with the role, anybody's of the domain with another; one that is not there, or another's, keeps all."""
    mine, more, others = url_share(house), url_share(house), url_share(house, "reader")
    bulk = f"{API}/shares/bulk/"

    for id_ in (others["id"], "none"):
        assert house.ask("editor", "DELETE", bulk, {"share_ids": [mine["id"], id_]}).status_code == 404
    assert house.ask("editor", "DELETE", f"{bulk}all/", {"share_ids": [others["id"]]}).status_code == 403
    assert house.ask("stranger", "DELETE", f"{bulk}all/", {"share_ids": [mine["id"]]}).status_code == 404
    assert row(house, mine["id"]) is not None
    house.told("editor", "DELETE", bulk, {"share_ids": [mine["id"], mine["id"]]}, 204)
    house.told("admin", "DELETE", f"{bulk}all/", {"share_ids": [more["id"], others["id"]]}, 204)
    assert [row(house, share["id"]) for share in (mine, more, others)] == [None, None, None]


def test_a_frozen_domain_shows_shares_and_changes_none(house: House) -> None:
    """Making, changing and removing are writes, though what they ask of the object is reading."""
    made = emailed(house)
    path = f"{ASSETS}{made['id']}/"
    with house.store.write("test") as commit:
        changes.set_domain_status(commit.session, house.domain, DomainStatus.FROZEN)
    try:
        assert house.ask("editor", "GET", path).status_code == 200
        tries = (
            ("POST", f"{ASSETS}url/", BOOLEANS),
            ("POST", ASSETS, {**BOOLEANS, "emails": ["eve@example.org"]}),
            ("POST", f"{API}/share/assets/", {"title": "x", "object_ids": [CLIP], "share_by_url": True}),
            ("PUT", path, {"title": "x"}),
            ("DELETE", path, None),
            ("POST", f"{path}users/", {"email": "m@example.org"}),
            ("DELETE", f"{API}/shares/bulk/", {"share_ids": [made["id"]]}),
        )
        answers = [house.ask("editor", method, where, body) for method, where, body in tries]
    finally:
        with house.store.write("test") as commit:
            changes.set_domain_status(commit.session, house.domain, DomainStatus.ACTIVE)
    assert {(answer.status_code, answer.json()["reason"]) for answer in answers} == {(403, "domain")}
