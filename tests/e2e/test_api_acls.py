"""Access control lists over HTTP: who may look at and change them, what is told, and what a change does to decisions."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from management import (
    ADMIN,
    CLIENTS,
    CLIP,
    CREW,
    EDITOR,
    OTHER,
    OWNER,
    READER,
    STRANGER,
    SUB,
    THEIRS,
    TOP,
    House,
    housed,
)
from models import changes
from models.records import ObjectKey, Permission

BASE = "/API/acls/v1/"
CLIP_ACL = f"{BASE}acl/assets/{CLIP}/"
NOBODY = "00000000-0000-4000-8000-0000000009ff"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Returns a gateway with local lists."""
    with housed(tmp_path_factory.mktemp("acls"), "acls") as house:
        yield house


@pytest.fixture(autouse=True)
def _as_it_was(house: House) -> Iterator[None]:
    yield
    with house.store.write("test") as commit:
        for kind, id_ in (("asset", CLIP), ("asset", OTHER), ("collection", TOP), ("collection", SUB)):
            for principal in (f"user:{READER}", f"user:{EDITOR}", f"group:{CLIENTS}", f"group:{CREW}"):
                changes.revoke(commit.session, ObjectKey(kind, id_), principal)
        rights = Permission.READ | Permission.CHANGE_ACL
        changes.grant(commit.session, ObjectKey("asset", CLIP), f"group:{CREW}", rights, propagates=False)


def put(house: House, who: str, principal: str, status: int, *may: str, **headers: str) -> Any:
    """Sets what somebody may do with the clip, and returns what is told."""
    path = f"{BASE}{principal}/acl/assets/{CLIP}/"
    return house.told(who, "PUT", path, {"permissions": list(may)}, status, **headers)


def test_a_list_is_told_in_six_parts(house: House) -> None:
    """Entries on an object, those that propagate, and those inherited with the collection they come from are told apart."""
    put(house, "editor", f"users/{READER}", 201, "read")
    body = {
        "object_keys": [TOP],
        "permissions": ["read", "write"],
        "group_ids": [CLIENTS],
        "propagates": True,
    }
    house.told("admin", "PUT", f"{BASE}acl/collections/", body)
    assert house.told("editor", "GET", CLIP_ACL) == {
        "users_acl": [{"user_id": READER, "permissions": ["read"]}],
        "groups_acl": [{"group_id": CREW, "permissions": ["read", "change-acl"]}],
        "inherited_users_acl": [],
        "inherited_groups_acl": [
            {
                "group_id": CLIENTS,
                "permissions": ["read", "write"],
                "object_type": "collections",
                "object_key": TOP,
            }
        ],
        "propagating_users_acl": [],
        "propagating_groups_acl": [],
    }
    above = house.told("admin", "GET", f"{BASE}acl/collections/{TOP}/")
    assert [entry["group_id"] for entry in above["propagating_groups_acl"]] == [CLIENTS]
    assert above["groups_acl"] == []


def test_what_is_granted_holds_for_the_next_request(house: House) -> None:
    """Whoever is granted a permission holds it in the next request, and loses it with the entry."""
    mine = f"{BASE}acl/assets/{CLIP}/permissions/"
    assert house.told("reader", "GET", mine) == {"permissions": []}
    put(house, "owner", f"users/{READER}", 201, "read")
    assert house.told("reader", "GET", mine) == {"permissions": ["read"]}
    house.told("owner", "DELETE", f"{BASE}users/{READER}/acl/assets/{CLIP}/", status=204)
    assert house.told("reader", "GET", mine) == {"permissions": []}


def test_object_owners_need_no_role(house: House) -> None:
    """The owner of an object, who holds no role, changes its list one by one and together with others; those that are not the owner's are told."""
    put(house, "owner", f"groups/{CLIENTS}", 201, "read")
    body = {"object_keys": [CLIP, OTHER], "permissions": ["read"], "user_ids": [READER]}
    told = house.told("owner", "PUT", f"{BASE}acl/assets/", body)
    assert told == {"updated_object_keys": [CLIP], "refused_object_keys": [OTHER]}


@pytest.mark.parametrize("who", ["reader", "stranger"])
def test_nobody_else_changes_a_list(house: House, who: str) -> None:
    """Who holds neither the role nor `change-acl`, or is of another domain, is refused by each way of changing a list."""
    one = {"permissions": ["read"]}
    many = {"object_keys": [CLIP], "permissions": ["read"], "user_ids": [READER]}
    content = {"object_ids": [TOP], "include_assets": True, "include_collections": True, **many}
    for method, path, body in (
        ("PUT", f"users/{READER}/acl/assets/{CLIP}/", one),
        ("DELETE", f"users/{READER}/acl/assets/{CLIP}/", None),
        ("PUT", f"groups/{CLIENTS}/acl/assets/{CLIP}/", one),
        ("PUT", "acl/assets/", many),
        ("PUT", "acl/assets/bulk/", {"objects": [many]}),
        ("DELETE", "acl/assets/", many),
        ("PUT", "acl/collections/content/", content),
        ("DELETE", "acl/collections/content/", content),
    ):
        assert house.ask(who, method, BASE + path, body).status_code == 403, (method, path)


def test_a_role_without_change_acl_changes_nothing(house: House) -> None:
    """The editor, who holds the roles, is refused for an object on which no entry gives `change-acl`."""
    answer = house.ask(
        "editor", "PUT", f"{BASE}users/{READER}/acl/assets/{OTHER}/", {"permissions": ["read"]}
    )
    assert (answer.status_code, answer.json()["reason"]) == (403, "no-grant")


def test_other_domains_are_not_there(house: House) -> None:
    """An id of another domain is told word for word as one that does not exist, as a principal and as an object."""
    said = [
        house.ask("admin", "PUT", f"{BASE}users/{id_}/acl/assets/{CLIP}/", {"permissions": ["read"]})
        for id_ in (STRANGER, NOBODY)
    ]
    assert [answer.status_code for answer in said] == [404, 404]
    assert said[0].json()["errors"][0].replace(STRANGER, NOBODY) == said[1].json()["errors"][0]
    lists = [house.ask("admin", "GET", f"{BASE}acl/assets/{id_}/") for id_ in (THEIRS, NOBODY)]
    assert [answer.status_code for answer in lists] == [403, 403]
    assert lists[0].json()["errors"] == lists[1].json()["errors"]
    asked = {
        "objects": [{"object_type": "assets", "object_keys": [CLIP, THEIRS, NOBODY], "permissions": ["read"]}]
    }
    told = house.told("admin", "POST", f"{BASE}acl/", asked)
    assert told == {"access_granted": [CLIP], "access_denied": [THEIRS, NOBODY]}


def test_two_administrators_do_not_overwrite_each_other(house: House) -> None:
    """A change with the tag of a state that is no longer there is refused with 412, and one with the current tag passes."""
    path = f"{BASE}users/{READER}/acl/assets/{CLIP}/"
    put(house, "editor", f"users/{READER}", 201, "read")
    tag = house.ask("editor", "GET", path).headers["etag"]
    put(house, "admin", f"users/{READER}", 200, "read", "write", If_Match=tag)
    refused = house.ask("editor", "PUT", path, {"permissions": ["read"]}, If_Match=tag)
    assert (refused.status_code, refused.json()["reason"]) == (412, "precondition")
    assert house.told("admin", "GET", path)["permissions"] == ["read", "write"]
    assert house.ask("editor", "DELETE", path, If_Match=tag).status_code == 412
    assert house.ask("editor", "DELETE", path, If_Match="*").status_code == 204


def test_overwriting_and_appending(house: House) -> None:
    """OVERWRITE, the default, leaves exactly what is said; APPEND adds to what is there."""
    body = {"object_keys": [CLIP], "permissions": ["write"], "user_ids": [READER]}
    put(house, "editor", f"users/{READER}", 201, "read")
    house.told("editor", "PUT", f"{BASE}acl/assets/", {**body, "mode": "APPEND"})
    path = f"{BASE}users/{READER}/acl/assets/{CLIP}/"
    assert house.told("editor", "GET", path)["permissions"] == ["read", "write"]
    house.told("editor", "PUT", f"{BASE}acl/assets/", body)
    assert house.told("editor", "GET", path)["permissions"] == ["write"]


def test_bodies_that_are_refused(house: House) -> None:
    """Too many keys, an unknown permission, an expiry without a zone, no principal, and what is no JSON are 400, with a sentence."""
    path, keys = f"{BASE}acl/assets/", {"object_keys": [CLIP], "user_ids": [READER]}
    bodies: list[Any] = [
        {**keys, "object_keys": [CLIP] * 501, "permissions": ["read"]},
        {**keys, "permissions": ["own"]},
        {**keys, "permissions": []},
        {**keys, "permissions": ["read"], "expires": "2099-01-01T00:00:00"},
        {"object_keys": [CLIP], "permissions": ["read"]},
        [],
    ]
    for body in bodies:
        answer = house.ask("admin", "PUT", path, body)
        assert answer.status_code == 400, body
        assert answer.json()["errors"][0], body
    signed = {"Authorization": f"Bearer {house.tokens['admin']}", "Content-Type": "text/plain"}
    plain = requests.put(house.gateway.url + path, data=b"{}", headers=signed, timeout=10)
    assert (plain.status_code, "application/json" in plain.json()["errors"][0]) == (400, True)


def test_a_page_of_another_origin_changes_nothing(house: House) -> None:
    """A browser that says that a page of another site sends a change is refused, though it sends a valid credential."""
    path, body = f"{BASE}users/{READER}/acl/assets/{CLIP}/", {"permissions": ["read"]}
    assert house.ask("admin", "PUT", path, body, Sec_Fetch_Site="cross-site").status_code == 400
    assert house.ask("admin", "PUT", path, body, Sec_Fetch_Site="same-origin").status_code == 201


def test_who_is_asked_about(house: House) -> None:
    """The check of a user counts its groups' entries and inherited ones; of a group only its own; each says 200 or 403."""
    clip = f"acl/assets/{CLIP}/"
    assert house.ask("admin", "GET", f"{BASE}users/{EDITOR}/{clip}read/").status_code == 200
    assert house.ask("admin", "GET", f"{BASE}users/{EDITOR}/{clip}write/").status_code == 403
    assert house.ask("admin", "GET", f"{BASE}groups/{CREW}/{clip}change-acl/").status_code == 200
    assert house.ask("admin", "GET", f"{BASE}groups/{CLIENTS}/{clip}read/").status_code == 403
    house.told(
        "admin",
        "PUT",
        f"{BASE}groups/{CLIENTS}/acl/collections/{TOP}/",
        {"permissions": ["read"], "propagates": True},
        201,
    )
    assert house.ask("admin", "GET", f"{BASE}groups/{CLIENTS}/{clip}read/").status_code == 200
    assert house.ask("admin", "GET", f"{BASE}groups/{CLIENTS}/{clip}fly/").status_code == 400
    assert house.ask("editor", "GET", f"{BASE}{clip}read/").status_code == 200
    assert house.ask("editor", "GET", f"{BASE}{clip}delete/").status_code == 403


def test_an_entry_that_ends(house: House) -> None:
    """An entry may be given an end, which is told; once it is over the entry is told no more."""
    end = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    path = f"{BASE}users/{READER}/acl/assets/{CLIP}/"
    told = house.told("editor", "PUT", path, {"permissions": ["read"], "expires": end.isoformat()}, 201)
    assert datetime.fromisoformat(told["expires"]) == end
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert house.ask("editor", "PUT", path, {"permissions": ["read"], "expires": past}).status_code == 400


def test_content_gets_entries_of_its_own(house: House) -> None:
    """Applying to content begins a job for each collection that the caller may change, and passes over what is not included."""
    body = {
        "object_ids": [TOP],
        "permissions": ["read"],
        "group_ids": [CLIENTS],
        "include_assets": True,
        "include_collections": False,
    }
    told = house.told("admin", "PUT", f"{BASE}acl/collections/content/", body, 202)
    assert len(told["job_ids"]) == 1
    until = datetime.now(UTC) + timedelta(seconds=15)
    while datetime.now(UTC) < until:
        entry = house.ask("admin", "GET", f"{BASE}groups/{CLIENTS}/acl/assets/{CLIP}/")
        if entry.status_code == 200:
            break
    assert entry.json()["permissions"] == ["read"]
    assert house.ask("admin", "GET", f"{BASE}groups/{CLIENTS}/acl/collections/{SUB}/").status_code == 404
    answer = house.ask("admin", "PUT", f"{BASE}acl/assets/content/", body)
    assert (answer.status_code, answer.json()["reason"]) == (501, "not-served")


def test_what_reaches_far_is_told(house: House) -> None:
    """Whoever lets an entry to write propagate over more objects than the domain's bound is told so beside the document, which stays as it is."""
    with house.store.write("test") as commit:
        changes.set_propagation_bounds(commit.session, house.domain, warn_above=1)
    path = f"{BASE}groups/{CLIENTS}/acl/collections/{TOP}/"
    wide = house.ask("admin", "PUT", path, {"permissions": ["write"], "propagates": True})
    assert "write" in wide.headers["x-mediagate-warning"]
    assert "more than 1 objects" in wide.headers["x-mediagate-warning"]
    assert wide.headers["etag"] == house.ask("admin", "GET", path).headers["etag"]
    many = {"object_keys": [TOP], "group_ids": [CLIENTS], "permissions": ["delete"], "propagates": True}
    assert "x-mediagate-warning" in house.ask("admin", "PUT", f"{BASE}acl/collections/", many).headers
    plain = house.ask("admin", "PUT", path, {"permissions": ["read"], "propagates": True})
    assert "x-mediagate-warning" not in plain.headers


def test_templates(house: House) -> None:
    """A template is made, changed under its tag, applied within a collection's own entries, and removed; what it gave stays."""
    entries = [{"principal": f"user:{READER}", "permissions": ["read"], "propagates": False}]
    path = f"{BASE}acl/templates/"
    made = house.told("admin", "POST", path, {"name": "dailies", "entries": entries}, 201)
    assert made["entries"] == entries
    assert [each["name"] for each in house.told("admin", "GET", path)["objects"]] == ["dailies"]
    one = f"{path}{made['id']}/"
    tag = house.ask("admin", "GET", one).headers["etag"]
    assert house.told("admin", "PATCH", one, {"name": "rushes"}, If_Match=tag)["entries"] == entries
    assert house.ask("admin", "PATCH", one, {"name": "again"}, If_Match=tag).status_code == 412
    within = house.told("admin", "POST", f"{one}assets/{CLIP}/?restrict_acls_collection_id={SUB}")
    assert (within["given"], within["left_out"]) == ([], [f"user:{READER}"])
    assert house.told("owner", "POST", f"{one}assets/{CLIP}/")["given"][0]["permissions"] == ["read"]
    assert house.ask("reader", "POST", f"{one}assets/{OTHER}/").status_code == 403
    house.told("admin", "DELETE", one, status=204)
    assert house.ask("admin", "GET", one).status_code == 404
    assert house.told("reader", "GET", f"{BASE}acl/assets/{CLIP}/permissions/") == {"permissions": ["read"]}


def test_shares_are_principals(house: House) -> None:
    """A share's entry is made, told, changed and removed as a user's is; putting one that is not there is 404."""
    with house.store.write("test") as commit:
        end = datetime.now(UTC) + timedelta(days=1)
        share = changes.create_share(commit.session, OWNER, ObjectKey("asset", CLIP), expires=end).id
    path = f"{BASE}shares/{share}/acl/assets/{CLIP}/"
    body = {"permissions": ["read"]}
    assert house.ask("owner", "PUT", path, body).status_code == 404
    assert house.told("owner", "POST", path, body, 201)["share_id"] == share
    assert house.told("admin", "GET", f"{BASE}shares/assets/{CLIP}/")["total"] == 1
    assert house.told("owner", "PUT", path, {"permissions": ["read", "write"]})["permissions"] == [
        "read",
        "write",
    ]
    assert house.ask("admin", "GET", f"{path}write/").status_code == 200
    house.told("owner", "PUT", f"{BASE}shares/{share}/acl/assets/", {"object_keys": [CLIP], **body})
    house.told("owner", "DELETE", path, status=204)
    assert house.ask("admin", "GET", path).status_code == 404


def test_a_scope_binds_here_too(house: House) -> None:
    """A token whose scope lacks the role is refused, and one whose scope has it passes, with the same user."""
    for scope, status in ((["can_read_assets"], 403), (["can_read_acls"], 200)):
        token = house.token(EDITOR, scope)
        answer = house.ask(None, "GET", CLIP_ACL, Authorization=f"Bearer {token}")
        assert answer.status_code == status, scope


def test_each_change_says_who_made_it(house: House) -> None:
    """The log of changes names the user and the request of each change, with before and after; the audit has the request."""
    answer = house.ask("editor", "PUT", f"{BASE}users/{READER}/acl/assets/{CLIP}/", {"permissions": ["read"]})
    request = answer.headers["x-request-id"]
    with house.store.read() as session:
        from models.directory import list_changes

        entry = list_changes(session, author=f"user:{EDITOR} request:{request}")[0]
    assert entry.after is not None
    lines = [json.loads(line) for line in Path(house.gateway.audit).read_text().splitlines()]
    mine = [line for line in lines if line["request_id"] == request]
    assert [(line["verdict"], line["user"]) for line in mine] == [("allowed", EDITOR)]


def test_what_the_operation_refuses_is_audited_as_refused(house: House) -> None:
    """A request that its row allows and its operation refuses has a second line, which says so."""
    answer = house.ask("admin", "GET", f"{BASE}users/{NOBODY}/acl/assets/{CLIP}/")
    lines = [json.loads(line) for line in Path(house.gateway.audit).read_text().splitlines()]
    mine = [line for line in lines if line["request_id"] == answer.headers["x-request-id"]]
    assert [(line["verdict"], line["reason"]) for line in mine] == [
        ("allowed", "admin"),
        ("refused", "not-found"),
    ]
    assert {line["user"] for line in mine} == {ADMIN}


def test_paths_of_a_local_service_go_nowhere_else(house: House) -> None:
    """A path below a local service that no operation serves is refused, though a row of the deployment covers everything."""
    answer = house.ask("admin", "GET", f"{BASE}acl/anything/else/at/all/")
    assert (answer.status_code, answer.json()["reason"]) == (403, "no-route")
    assert house.ask("admin", "GET", "/anything").status_code == 502
