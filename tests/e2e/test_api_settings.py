"""Settings over HTTP: who is told what, who changes what, and that nobody is locked out by their own change."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from management import APPLICATION, CLIENTS, CREW, EDITOR, READER, STRANGER, House, housed
from models import changes

BASE = "/API/settings/v1/"
SYSTEM = f"{BASE}system/current/"
HERE = {"ip": "127.0.0.0/8", "app_id": None}
ELSEWHERE = {"ip": "192.0.2.0/24", "app_id": None}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Returns a gateway with local settings."""
    with housed(tmp_path_factory.mktemp("settings"), "acls", "settings") as house:
        yield house


@pytest.fixture(autouse=True)
def _as_it_was(house: House) -> Iterator[None]:
    yield
    with house.store.write("test") as commit:
        session = commit.session
        changes.set_allow_list(session, house.domain, enabled=False, guard=None)
        for cidr in ("127.0.0.0/8", "192.0.2.0/24"):
            for line in ({}, {"group_id": CREW}, {"user_id": READER}, {"application_id": APPLICATION}):
                changes.disallow_network(session, house.domain, cidr, guard=None, **line)
        changes.set_token_lifetime(session, house.domain, None)
        changes.let_support_in(session, house.domain, None)


def template(house: House, name: str) -> str:
    """Makes a template and returns its id."""
    return str(house.told("admin", "POST", "/API/acls/v1/acl/templates/", {"name": name}, 201)["id"])


def test_a_domain_is_told_to_its_users(house: House) -> None:
    """A user reads the domain's settings with the address it comes from, and neither list nor support; an admin reads all."""
    mine = house.told("reader", "GET", SYSTEM)
    assert (mine["client_ip"], mine["system_domain_id"], mine["system_domain_name"]) == (
        "127.0.0.1",
        house.domain,
        "home",
    )
    assert (mine["allowed_ips"], mine["support_access"]) == (None, None)
    theirs = house.told("admin", "GET", f"{BASE}system/{house.domain}/")
    assert (theirs["allowed_ips"], theirs["support_access"], theirs["enable_shield"]) == ([], False, False)
    assert house.ask("admin", "GET", f"{BASE}system/{house.abroad}/").status_code == 404
    assert (
        house.ask("admin", "PATCH", f"{BASE}system/{house.abroad}/", {"enable_shield": True}).status_code
        == 404
    )


@pytest.mark.parametrize("who", ["reader", "editor", "owner"])
def test_only_admins_change_what_bears_on_access(house: House, who: str) -> None:
    """Who is no admin changes neither the domain's settings, nor a group's, nor the list or template of anybody, their own included."""
    with house.store.write("test") as commit:
        changes.set_roles(
            commit.session,
            CREW,
            ["can_read_acls", "can_write_acls", "can_delete_acls", "can_write_groups", "can_write_teams"],
        )
    own = {"reader": READER, "editor": EDITOR}.get(who, "00000000-0000-4000-8000-000000000003")
    for path, body in (
        (SYSTEM, {"enable_shield": True}),
        (SYSTEM, {"external_share": False}),
        (f"{BASE}group/{CREW}/", {"allowed_ips": [ELSEWHERE]}),
        (f"{BASE}team/{CLIENTS}/", {"acl_template_id": None}),
        (f"{BASE}user/{own}/", {"allowed_ips": [HERE]}),
        (f"{BASE}user/{own}/", {"acl_template_id": "x"}),
        (f"{BASE}user/{STRANGER}/", {"date_format": "y"}),
    ):
        for method in ("PATCH", "PUT"):
            answer = house.ask(who, method, path, body)
            assert (answer.status_code, answer.json()["reason"]) == (403, "role"), (method, path, body)
    assert house.ask(who, "DELETE", f"{BASE}group/{CREW}/").status_code == 403


def test_an_admin_sets_what_binds_the_domain(house: House) -> None:
    """An admin sets lists, switches, terms of shares and lives of tokens, and each is told as it was set."""
    body = {
        "allowed_ips": [HERE, {"ip": "2001:db8::/32", "app_id": APPLICATION}], "enable_shield": True, "allow_list_rule": "EVERY_LEVEL",
        "external_share": False, "share_expiration_time": 7, "default_user_token_ttl": 3600, "role_model": "ROLE_GROUPS",
        "default_share_options": {"allow_download": True, "can_change_allow_download": False, "require_password": True},
    }  # fmt: skip
    told = house.told("admin", "PATCH", SYSTEM, body)
    try:
        assert told["allowed_ips"] == body["allowed_ips"]
        for name in (
            "enable_shield",
            "allow_list_rule",
            "external_share",
            "share_expiration_time",
            "role_model",
        ):
            assert told[name] == body[name], name
        assert (told["default_user_token_ttl"], told["default_app_token_ttl"]) == (3600, 3600)
        options = told["default_share_options"]
        assert (
            options["allow_download"],
            options["can_change_allow_download"],
            options["require_password"],
        ) == (True, False, True)
        assert (options["allow_comments"], options["can_change_allow_comments"]) == (False, True)
    finally:
        back = {
            "allowed_ips": [],
            "enable_shield": False,
            "external_share": True,
            "role_model": "GROUPS",
            "allow_list_rule": "MOST_SPECIFIC",
        }
        house.told("admin", "PATCH", SYSTEM, back)


def test_nobody_locks_themselves_out(house: House) -> None:
    """A list without the caller's own address is refused with 409 while lists are on, at each level, and nothing of the change is done."""
    house.told("admin", "PATCH", SYSTEM, {"allowed_ips": [HERE], "enable_shield": True})
    for body in ({"allowed_ips": [ELSEWHERE]}, {"allowed_ips": [ELSEWHERE], "external_share": False}):
        answer = house.ask("admin", "PATCH", SYSTEM, body)
        assert (answer.status_code, answer.json()["reason"]) == (409, "conflict")
    assert house.told("admin", "GET", SYSTEM)["allowed_ips"] == [HERE]
    assert house.told("admin", "GET", SYSTEM)["external_share"] is True
    house.told("admin", "PATCH", SYSTEM, {"enable_shield": False})
    house.told("admin", "PATCH", SYSTEM, {"allowed_ips": [ELSEWHERE]})
    assert house.ask("admin", "PATCH", SYSTEM, {"enable_shield": True}).status_code == 409


def test_a_list_binds_at_once(house: House) -> None:
    """A user whose own list leaves the address out is refused in the next request, and let in again with the list emptied."""
    house.told("admin", "PATCH", SYSTEM, {"enable_shield": True})
    house.told("admin", "PATCH", f"{BASE}user/{READER}/", {"allowed_ips": [ELSEWHERE]})
    assert house.ask("reader", "GET", SYSTEM).json()["reason"] == "network"
    house.told("admin", "DELETE", f"{BASE}user/{READER}/", status=204)
    assert house.ask("reader", "GET", SYSTEM).status_code == 200


def test_support_is_let_in_for_a_time(house: House) -> None:
    """Support is switched on for thirty days or until a time that is named, and off; too long is refused."""
    until = datetime.fromisoformat(
        house.told("admin", "PATCH", SYSTEM, {"support_access": True})["support_access_until"]
    )
    assert round((until - datetime.now(UTC)) / timedelta(days=1)) == 30
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert house.told("admin", "PATCH", SYSTEM, {"support_access_until": end})["support_access"] is True
    assert house.told("admin", "PATCH", SYSTEM, {"support_access": False})["support_access"] is False
    far = (datetime.now(UTC) + timedelta(days=60)).isoformat()
    assert house.ask("admin", "PATCH", SYSTEM, {"support_access_until": far}).status_code == 400


def test_groups_teams_and_templates(house: House) -> None:
    """A group's template and list are set, told to members without the list, and emptied; a template of another domain is not there."""
    one, mine = f"{BASE}group/{CREW}/", template(house, "for the crew")
    told = house.told("admin", "PUT", one, {"acl_template_id": mine, "allowed_ips": [ELSEWHERE]})
    assert (told["acl_template_id"], told["allowed_ips"]) == (mine, [ELSEWHERE])
    assert house.told("editor", "GET", one)["allowed_ips"] is None
    assert house.ask("reader", "GET", one).status_code == 403
    tag = house.ask("admin", "GET", one).headers["etag"]
    house.told("admin", "DELETE", one, status=204)
    assert house.told("admin", "GET", one)["acl_template_id"] is None
    assert house.ask("admin", "PATCH", one, {"allowed_ips": []}, If_Match=tag).status_code == 412
    theirs = str(house.told("stranger", "POST", "/API/acls/v1/acl/templates/", {"name": "theirs"}, 201)["id"])
    for path in (one, SYSTEM, f"{BASE}user/{READER}/"):
        assert house.ask("admin", "PATCH", path, {"acl_template_id": theirs}).status_code == 404, path
    assert house.ask("admin", "GET", f"{BASE}team/{CREW}/").status_code == 404
    assert house.ask("admin", "GET", f"{BASE}team/{CLIENTS}/").status_code == 200


def test_users_keep_settings_of_their_interface(house: House) -> None:
    """A user keeps what an interface sets and gets it back; what would bear on access and is not known here is refused, not dropped."""
    own = f"{BASE}user/{READER}/"
    assert (
        house.told("reader", "PATCH", own, {"date_format": "d.m.y", "home_page": "/x"})["date_format"]
        == "d.m.y"
    )
    assert "home_page" not in house.told("reader", "PUT", own, {"date_format": "y"})
    answer = house.ask("reader", "PATCH", own, {"mfa_required": True})
    assert (answer.status_code, answer.json()["reason"]) == (501, "not-served")
    assert house.ask("admin", "PATCH", SYSTEM, {"mfa_required": True}).status_code == 400
    assert house.ask("reader", "GET", f"{BASE}user/{EDITOR}/").status_code == 403
    whole = house.told("reader", "GET", own)
    assert house.told("reader", "PUT", own, whole) == whole
    house.told("reader", "DELETE", own, status=204)
    assert "date_format" not in house.told("reader", "GET", own)


@pytest.mark.parametrize(
    "name", ["external_share", "enable_shield", "share_expiration_time", "default_refresh_token_ttl"]
)
def test_what_only_a_domain_has_is_not_kept_for_a_user(house: House, name: str) -> None:
    """A setting that binds through the domain is refused for a user, of admins too, and not kept as if something followed from it."""
    own = f"{BASE}user/{READER}/"
    for who in ("reader", "admin"):
        for method in ("PATCH", "PUT"):
            answer = house.ask(who, method, own, {name: 1})
            assert (answer.status_code, answer.json()["reason"]) == (501, "not-served"), (who, method)
    assert name not in house.told("reader", "GET", own)


def test_merged(house: House) -> None:
    """The most specific template and list that there is are told as merged: the user's, else the primary group's and the groups', else the domain's."""
    merged = f"{BASE}merged/current/"
    wide, narrow = template(house, "wide"), template(house, "narrow")
    house.told("admin", "PATCH", SYSTEM, {"acl_template_id": wide, "allowed_ips": [HERE]})
    told = house.told("reader", "GET", merged)
    assert (told["acl_template_id"], told["allowed_ips"], told["user_id"]) == (wide, [HERE], READER)
    house.told(
        "admin", "PATCH", f"{BASE}user/{READER}/", {"acl_template_id": narrow, "allowed_ips": [ELSEWHERE]}
    )
    told = house.told("admin", "GET", f"{BASE}merged/{READER}/")
    assert (told["acl_template_id"], told["allowed_ips"]) == (narrow, [ELSEWHERE])
    assert house.ask("reader", "GET", f"{BASE}merged/{EDITOR}/").status_code == 403
    house.told("admin", "PATCH", SYSTEM, {"acl_template_id": None})
    house.told("admin", "DELETE", f"{BASE}user/{READER}/", status=204)


@pytest.mark.parametrize(
    "body",
    [
        {"allowed_ips": [{"ip": "no address"}]}, {"allowed_ips": [HERE] * 101}, {"default_user_token_ttl": 5, "default_app_token_ttl": 6},
        {"default_user_token_ttl": 10**18}, {"default_app_token_ttl": 10**30}, {"default_user_token_ttl": 0},
        {"system_domain_id": "other"}, {"allow_list_rule": "SOME"}, {"share_expiration_time": 0}, {"default_share_options": {"allow_flying": True}},
    ],
)  # fmt: skip
def test_values_that_are_refused(house: House, body: dict[str, Any]) -> None:
    """What is no value of a setting, or says two things, is 400 and changes nothing."""
    before = house.told("admin", "GET", SYSTEM)
    assert house.ask("admin", "PATCH", SYSTEM, body).status_code == 400
    assert house.told("admin", "GET", SYSTEM) == before
