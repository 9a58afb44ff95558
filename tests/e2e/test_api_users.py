"""Users and groups over HTTP: what each kind of person sees and changes, and that nobody makes themselves more powerful."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from management import ADMIN, CLIENTS, CREW, EDITOR, OWNER, READER, STRANGER, House, housed
from models import changes
from models.records import RoleModel, UserType

BASE = "/API/users/v1/"
CURRENT = f"{BASE}users/current/"
KEEPER = "00000000-0000-4000-8000-0000000000a1"
KEEPERS = "00000000-0000-4000-8000-0000000001a1"
KEEPS = [
    "can_read_users", "can_write_users", "can_create_users", "can_delete_users", "can_read_groups", "can_write_groups",
    "can_delete_groups", "can_read_teams", "can_write_teams", "can_read_role_groups",
]  # fmt: skip
NUMBERS = count()
NOBODY = "00000000-0000-4000-8000-0000000009ff"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Returns a gateway with local users, and a keeper of users and groups who is STANDARD and no admin."""
    with housed(tmp_path_factory.mktemp("users"), "acls", "users") as house:
        with house.store.write("test") as commit:
            session = commit.session
            changes.create_user(session, house.domain, "keeper@example.org", id_=KEEPER, type=UserType.POWER)
            changes.create_group(session, house.domain, "keepers", id_=KEEPERS)
            changes.set_roles(session, KEEPERS, KEEPS)
            changes.add_member(session, KEEPERS, KEEPER)
        house.tokens["keeper"] = house.token(KEEPER)
        yield house


def a_user(house: House, **said: Any) -> str:
    """Makes a user as admin and returns its id."""
    body = {"email": f"new{next(NUMBERS)}@example.org", "first_name": "New", "type": "STANDARD", **said}
    made = house.told("admin", "POST", f"{BASE}users/", body, 201)
    return str(made["id"])


def test_the_caller_is_shown_and_changes_what_is_its_own(house: House) -> None:
    """A user without any role reads itself, changes name, phone and picture, and sends the whole document back as it was read."""
    mine = house.told("reader", "GET", CURRENT)
    assert (mine["id"], mine["email"], mine["is_admin"]) == (READER, "reader@example.org", False)
    told = house.told(
        "reader", "PATCH", CURRENT, {"phone": "1", "photo": "https://example.org/me.png", "hide_phone": True}
    )
    assert (told["phone"], told["photo"], told["hide_phone"]) == ("1", "https://example.org/me.png", True)
    assert house.told("reader", "PUT", CURRENT, {**told, "first_name": "Ree"})["first_name"] == "Ree"
    assert house.told("reader", "PATCH", CURRENT, {"phone": None})["phone"] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("is_admin", True), ("type", "BROWSE_ONLY"), ("status", "INACTIVE"), ("groups", [CREW]), ("primary_group", CREW),
        ("email", "other@example.org"), ("description", "boss"),
    ],
)  # fmt: skip
def test_nobody_makes_themselves_more(house: House, field: str, value: Any) -> None:
    """No privileged field is set through `users/current`, by a user or by an admin, by PATCH or by PUT, and nothing is changed."""
    for who in ("reader", "admin"):
        before = house.told(who, "GET", CURRENT)
        value = not before[field] if field == "is_admin" else value
        for method, body in (
            ("PATCH", {field: value, "last_name": "Z"}),
            ("PUT", {**before, field: value, "last_name": "Z"}),
        ):
            answer = house.ask(who, method, CURRENT, body)
            assert (answer.status_code, answer.json()["reason"]) == (403, "role"), (who, method)
        assert house.told(who, "GET", CURRENT) == before


@pytest.mark.parametrize("field", ["id", "system_domain_id", "is_super_admin", "is_super_admin_light"])
def test_fields_that_nobody_changes(house: House, field: str) -> None:
    """Fields that are fixed are refused where they would change something, for admins too."""
    value = True if field.startswith("is_") else NOBODY
    assert house.ask("admin", "PATCH", CURRENT, {field: value}).status_code == 400
    assert house.ask("admin", "PATCH", f"{BASE}users/{READER}/", {field: value}).status_code == 400


def test_a_keeper_changes_profiles_and_no_power(house: House) -> None:
    """Who holds the roles about users without being admin changes names, and neither type, status, groups, e-mail, password nor admin flag."""
    other = f"{BASE}users/{a_user(house)}/"
    assert house.told("keeper", "PATCH", other, {"last_name": "Y"})["last_name"] == "Y"
    for body in (
        {"is_admin": True}, {"type": "POWER"}, {"status": "BLOCKED"}, {"groups": [CREW]}, {"email": "x@example.org"},
        {"password": "a new password"}, {"description": "x"},
    ):  # fmt: skip
        assert house.ask("keeper", "PATCH", other, body).status_code == 403, body


def test_a_keeper_leaves_admins_alone(house: House) -> None:
    """Who is no admin neither changes nor removes an admin, whatever roles they hold."""
    assert house.ask("keeper", "PATCH", f"{BASE}users/{ADMIN}/", {"last_name": "Y"}).status_code == 403
    assert house.ask("keeper", "DELETE", f"{BASE}users/{ADMIN}/").status_code == 403


def test_a_keeper_makes_users_who_are_no_more_than_plain(house: House) -> None:
    """Who is no admin makes users who are active, in no group and no admin; anything else is refused."""
    plain = {"email": "plain@example.org", "first_name": "P", "type": "STANDARD"}
    assert house.told("keeper", "POST", f"{BASE}users/", plain, 201)["type"] == "STANDARD"
    for more in ({"is_admin": True, "type": "POWER"}, {"groups": [CREW]}, {"status": "INACTIVE"}):
        body = {**plain, "email": "more@example.org", **more}
        assert house.ask("keeper", "POST", f"{BASE}users/", body).status_code == 403, more


def test_nobody_who_is_narrowed_makes_somebody_who_is_not(house: House) -> None:
    """Where role groups narrow types, a keeper in one makes no user who would hold all that the type may; an admin does."""
    narrow = house.told(
        "admin", "POST", f"{BASE}groups/", {"name": "kept", "group_type": "ROLE_GROUP", "roles": KEEPS}, 201
    )["id"]
    with house.store.write("test") as commit:
        changes.add_member(commit.session, narrow, KEEPER)
        changes.set_role_model(commit.session, house.domain, RoleModel.ROLE_GROUPS)
    body = {"email": "wide@example.org", "first_name": "W", "type": "POWER"}
    try:
        answer = house.ask("keeper", "POST", f"{BASE}users/", body)
        assert (answer.status_code, answer.json()["reason"]) == (403, "role")
        assert house.ask("admin", "POST", f"{BASE}users/", body).status_code == 201
    finally:
        with house.store.write("test") as commit:
            changes.set_role_model(commit.session, house.domain, RoleModel.GROUPS)
            changes.delete_group(commit.session, narrow, guard=None)


def test_an_admin_changes_everything_with_immediate_effect(house: House) -> None:
    """An admin makes, changes, blocks and removes a user; the user's token stops with the change, and the last admin stays."""
    user = a_user(house, groups=[CREW], primary_group=CREW)
    house.tokens["new"] = house.token(user)
    path = f"{BASE}users/{user}/"
    assert house.told("new", "GET", CURRENT)["groups"] == [CREW]
    tag = house.ask("admin", "GET", path).headers["etag"]
    assert house.told("admin", "PATCH", path, {"status": "BLOCKED"}, If_Match=tag)["status"] == "BLOCKED"
    assert house.ask("new", "GET", CURRENT).json()["reason"] == "user-status"
    assert house.ask("admin", "PATCH", path, {"status": "ACTIVE"}, If_Match=tag).status_code == 412
    house.told("admin", "PATCH", path, {"status": "ACTIVE", "groups": [], "primary_group": None})
    assert house.told("new", "GET", CURRENT)["groups"] == []
    house.told("admin", "DELETE", path, status=204)
    assert house.ask("new", "GET", CURRENT).status_code == 401
    assert house.told("admin", "GET", path)["status"] == "DELETED"
    answer = house.ask("admin", "DELETE", f"{BASE}users/{ADMIN}/")
    assert (answer.status_code, answer.json()["reason"]) == (409, "conflict")


def test_passwords(house: House) -> None:
    """A password is never told; whoever has one changes it with it alone, and an admin sets another's without."""
    house.told("owner", "PATCH", CURRENT, {"password": "first password"})
    assert "password" not in house.told("owner", "GET", CURRENT)
    assert house.ask("owner", "PATCH", CURRENT, {"password": "second password"}).status_code == 403
    house.told(
        "owner", "PATCH", CURRENT, {"password": "second password", "current_password": "first password"}
    )
    house.told("admin", "PATCH", f"{BASE}users/{OWNER}/", {"password": "third password"})
    assert house.ask("owner", "PATCH", CURRENT, {"password": "short"}).status_code == 400
    with house.store.read() as session:
        assert (changes.the_user(session, OWNER).password or "").startswith("$argon2id$")


def test_what_is_hidden(house: House) -> None:
    """A hidden e-mail is told to the user and to admins and to nobody else; the description only to admins."""
    user = a_user(house, hide_email=True, description="note")
    one = f"{BASE}users/{user}/"
    assert (house.told("keeper", "GET", one)["email"], house.told("keeper", "GET", one)["description"]) == (
        None,
        None,
    )
    assert house.told("admin", "GET", one)["email"].startswith("new")
    assert house.told("admin", "GET", one)["description"] == "note"
    listed = house.told("reader", "GET", f"{BASE}users/basic/?per_page=100")["objects"]
    assert [each["email"] for each in listed if each["id"] == user] == [None]


def test_roles_as_they_are_held(house: House) -> None:
    """Roles follow from groups, type and scope; an admin holds all; the probe says 200 or 404, and GUI-only roles are told."""
    assert house.told("editor", "GET", f"{CURRENT}roles/") == {
        "objects": ["can_delete_acls", "can_read_acls", "can_write_acls"]
    }
    every = house.told("admin", "GET", f"{CURRENT}roles/")["objects"]
    assert {"can_write_billing", "web_can_upload"} <= set(every)
    path = f"{BASE}users/{EDITOR}/roles/"
    assert house.ask("keeper", "GET", f"{path}can_read_acls/").status_code == 200
    assert house.ask("keeper", "GET", f"{path}can_read_users/").status_code == 404
    assert house.told("keeper", "GET", path)["objects"] == [
        "can_delete_acls",
        "can_read_acls",
        "can_write_acls",
    ]


def test_other_domains_are_not_there(house: House) -> None:
    """A user or group of another domain is told as one that does not exist, and is neither listed nor joined."""
    said = [
        house.ask("admin", "GET", f"{BASE}users/{id_}/").json()["errors"][0] for id_ in (STRANGER, NOBODY)
    ]
    assert said[0].replace(STRANGER, NOBODY) == said[1]
    listed = house.told("admin", "GET", f"{BASE}users/?per_page=100")["objects"]
    assert STRANGER not in [each["id"] for each in listed]
    assert house.ask("admin", "POST", f"{BASE}groups/{CREW}/users/{STRANGER}/").status_code == 404
    assert house.ask("stranger", "GET", f"{BASE}groups/{CREW}/").status_code == 404
    assert house.ask("stranger", "PATCH", f"{BASE}users/{READER}/", {"status": "BLOCKED"}).status_code == 404


def test_pages(house: House) -> None:
    """A list is cut into pages with the documented fields; a size beyond 100 users is refused."""
    page = house.told("admin", "GET", f"{BASE}users/?per_page=2&page=2")
    assert (page["page"], page["per_page"], len(page["objects"])) == (2, 2, 2)
    assert page["next_url"] == "/API/users/v1/users/?page=3&per_page=2"
    assert house.ask("admin", "GET", f"{BASE}users/?per_page=101").status_code == 400


def test_groups_of_each_kind(house: House) -> None:
    """Groups, teams and role groups are made, listed under their kinds, changed, and removed with what speaks of them."""
    made = {
        kind: house.told("admin", "POST", f"{BASE}groups/", {"name": f"kind {kind}", "group_type": kind}, 201)
        for kind in (None, "TEAM", "ROLE_GROUP")
    }
    teams = house.told("keeper", "GET", f"{BASE}teams/?per_page=100")["objects"]
    assert {each["id"] for each in teams} == {CLIENTS, made["TEAM"]["id"]}
    narrow = house.told("keeper", "GET", f"{BASE}role_groups/")["objects"]
    assert [each["id"] for each in narrow] == [made["ROLE_GROUP"]["id"]]
    assert house.ask("keeper", "GET", f"{BASE}role_groups/{made['TEAM']['id']}/").status_code == 404
    one = f"{BASE}groups/{made[None]['id']}/"
    told = house.told("admin", "PUT", one, {"name": "renamed", "roles": ["can_read_assets"]})
    assert (told["name"], told["roles"]) == ("renamed", ["can_read_assets"])
    assert house.ask("admin", "PATCH", one, {"roles": ["can_fly"]}).status_code == 400
    assert house.ask("admin", "PATCH", one, {"group_type": "TEAM"}).status_code == 409
    assert house.ask("admin", "POST", f"{BASE}groups/", {"name": "Renamed"}).status_code == 409
    for group in made.values():
        house.told("admin", "DELETE", f"{BASE}groups/{group['id']}/", status=204)


def test_nobody_gives_roles_that_they_do_not_hold(house: House) -> None:
    """A keeper of groups gives a group its own roles and no others, leaves stronger groups and role groups alone, and moves nobody."""
    group = house.told("keeper", "POST", f"{BASE}groups/", {"name": "mine", "roles": ["can_read_users"]}, 201)
    one = f"{BASE}groups/{group['id']}/"
    assert (
        house.ask("keeper", "PATCH", one, {"roles": ["can_read_users", "can_write_acls"]}).status_code == 403
    )
    assert house.ask("keeper", "PATCH", f"{BASE}groups/{CREW}/", {"name": "mine too"}).status_code == 403
    assert house.ask("keeper", "DELETE", f"{BASE}groups/{CREW}/").status_code == 403
    assert house.ask("keeper", "POST", f"{BASE}groups/{CREW}/users/{KEEPER}/").status_code == 403
    assert house.ask("keeper", "DELETE", f"{BASE}groups/{CREW}/users/{EDITOR}/").status_code == 403
    narrow = {"name": "narrow", "group_type": "ROLE_GROUP", "roles": ["can_read_users"]}
    assert house.ask("keeper", "POST", f"{BASE}groups/", narrow).status_code == 403
    role_group = house.told("admin", "POST", f"{BASE}groups/", narrow, 201)
    assert house.ask("keeper", "PATCH", f"{BASE}groups/{role_group['id']}/", {"roles": []}).status_code == 403
    assert house.ask("keeper", "PATCH", f"{BASE}teams/{CLIENTS}/", {"description": "d"}).status_code == 200


def test_members(house: House) -> None:
    """An admin adds a member once, sees it listed, and takes it out; the primary group is not left before there is another."""
    path = f"{BASE}groups/{CREW}/users/{READER}/"
    assert house.ask("admin", "POST", path).status_code == 201
    assert house.ask("admin", "POST", path).status_code == 200
    assert READER in [
        each["id"] for each in house.told("keeper", "GET", f"{BASE}groups/{CREW}/users/")["objects"]
    ]
    house.told("admin", "PATCH", f"{BASE}users/{READER}/", {"primary_group": CREW})
    assert house.ask("admin", "DELETE", path).status_code == 409
    house.told("admin", "PATCH", f"{BASE}users/{READER}/", {"primary_group": None})
    assert house.ask("admin", "DELETE", path).status_code == 200
    assert house.ask("admin", "DELETE", path).status_code == 404


def test_an_admin_with_a_narrow_token_is_no_admin_here(house: House) -> None:
    """What is for admins is refused to an admin's token that is good for some roles only."""
    token = house.token(ADMIN, ["can_write_users", "can_write_groups"])
    for method, path, body in (
        ("PATCH", f"{BASE}users/{READER}/", {"is_admin": True}),
        ("POST", f"{BASE}groups/{CREW}/users/{READER}/", None),
    ):
        answer = house.ask(None, method, path, body, Authorization=f"Bearer {token}")
        assert answer.status_code == 403, path
