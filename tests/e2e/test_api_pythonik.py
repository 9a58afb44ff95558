"""A client of others, nsa-pythonik, runs unmodified against the local services: it sends what it sends, and understands what it is told."""

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest

from management import ADMIN, APPLICATION, CLIENTS, CLIP, CREW, EDITOR, OTHER, READER, TOP, House, housed
from models import changes
from models.passwords import hashed


class Client:
    """The client as one of the cast."""

    def __init__(self, house: House, who: str | None, **headers: str) -> None:
        """Takes whose token it presents, as the documented pair of headers; None for an App-ID alone, and other headers."""
        token = {"Auth-Token": house.tokens[who]} if who is not None else {}
        self._headers = {"App-ID": APPLICATION, **token, **headers}
        self._url = house.gateway.url

    def __call__(self, service: str, place: str, *arguments: Any, **said: Any) -> Any:
        """Calls a function of the client; returns its parsed answer, having found that status and shape are those it knows."""
        client = import_module(f"pythonik.{service}.client").Client(
            base_url=f"{self._url}/API/{service}", headers=self._headers, raise_on_unexpected_status=True
        )
        with client:
            call = import_module(f"pythonik.{service}.api.{place}").sync_detailed
            answer = call(*arguments, client=client, **said)
        assert answer.status_code < 300, (place, answer.status_code, answer.content)
        return answer.parsed


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Returns a gateway with local services."""
    with housed(tmp_path_factory.mktemp("pythonik")) as house:
        yield house


def model(service: str, kind: str, /, **said: Any) -> Any:
    """Returns one of the client's own models, made from a document."""
    return getattr(import_module(f"pythonik.{service}.models"), kind).from_dict(said)


def test_lists(house: House) -> None:
    """The client reads, sets, appends, removes and checks entries of users, groups and many objects."""
    ask = Client(house, "admin")
    where = ("assets", CLIP)
    one = model("acls", "UserACLSchema", permissions=["read", "write"])
    put = ask("acls", "users.put_users_by_user_id_acl_by_object_type_by_object_key", READER, *where, body=one)
    assert (put.user_id, put.permissions) == (UUID(READER), ["read", "write"])
    told = ask("acls", "acl.get_acl_by_object_type_by_object_key", *where)
    assert READER in [str(entry.user_id) for entry in told.users_acl]
    several = model(
        "acls",
        "CreateACLsSchema",
        object_keys=[CLIP],
        permissions=["read"],
        group_ids=[CLIENTS],
        mode="APPEND",
    )
    assert ask("acls", "acl.put_acl_by_object_type", "assets", body=several).updated_object_keys == [CLIP]
    mine = ask("acls", "acl.get_acl_by_object_type_by_object_key_permissions", *where)
    assert mine.permissions == ["read", "write", "delete", "change-acl"]
    keys = model("acls", "ACLsSchema", object_keys=[CLIP])
    assert ask(
        "acls", "acl.post_acl_by_object_type_by_permission", "assets", "read", body=keys
    ).access_granted == [CLIP]
    content = model(
        "acls", "CreateBulkACLsSchema", object_ids=[TOP], permissions=["read"], group_ids=[CREW], include_assets=True, include_collections=True
    )  # fmt: skip
    ask("acls", "acl.put_acl_by_object_type_content", "collections", body=content)
    gone = model("acls", "DeleteACLsSchema", object_keys=[CLIP], user_ids=[READER], group_ids=[CLIENTS])
    ask("acls", "acl.delete_acl_by_object_type", "assets", body=gone)


def test_templates(house: House) -> None:
    """The client makes, lists, renames, applies and removes a template."""
    ask = Client(house, "admin")
    made = ask("acls", "acl.post_acl_templates", body=model("acls", "ACLTemplateSchema", name="dailies"))
    assert (made.name, type(made.id)) == ("dailies", UUID)
    assert made.id in [each.id for each in ask("acls", "acl.get_acl_templates").objects]
    renamed = model("acls", "ACLTemplateSchema", name="rushes")
    assert ask("acls", "acl.put_acl_templates_by_template_id", str(made.id), body=renamed).name == "rushes"
    ask(
        "acls",
        "acl.post_acl_templates_by_template_id_by_object_type_by_object_key",
        str(made.id),
        "assets",
        CLIP,
    )
    ask("acls", "acl.delete_acl_templates_by_template_id", str(made.id))


def test_users(house: House) -> None:
    """The client reads the caller and its roles, makes a user, sends it back changed, and removes it."""
    ask = Client(house, "admin")
    assert str(ask("users", "users.get_users_current").id) == ADMIN
    assert "can_read_acls" in ask("users", "users.get_users_current_roles").objects
    new = model("users", "UserCreateSchema", email="client@example.org", first_name="C", type="STANDARD")
    made = ask("users", "users.post_users", body=new)
    assert made.date_created < datetime.now(UTC)
    same = model("users", "UserSchema", **{**made.to_dict(), "last_name": "L"})
    assert ask("users", "users.put_users_by_user_id", str(made.id), body=same).last_name == "L"
    ask("users", "users.delete_users_by_user_id", str(made.id))
    assert EDITOR in [str(user.id) for user in ask("users", "users.get_users", per_page=100).objects]


def test_groups(house: House) -> None:
    """The client makes, reads, fills, lists and removes a group."""
    ask = Client(house, "admin")
    group = model("users", "GroupSchema", name="by a client", roles=["can_read_assets"])
    made = ask("users", "groups.post_groups", body=group)
    assert ask("users", "groups.get_groups_by_group_id", str(made.id)).roles == ["can_read_assets"]
    ask("users", "groups.post_groups_by_group_id_users_by_user_id", str(made.id), READER)
    assert "by a client" in [each.name for each in ask("users", "groups.get_groups").objects]
    ask("users", "groups.delete_groups_by_group_id", str(made.id))


def test_tokens(house: House) -> None:
    """The client signs in, looks at its token, makes an application, and a token for it."""
    with house.store.write("test") as commit:
        changes.set_password(commit.session, READER, hashed("a long password"))
    ask = Client(house, "admin")
    login = model("auth", "SimpleLoginSchema", email="reader@example.org", password="a long password")
    assert str(ask("auth", "auth.post_auth_simple_login", body=login).user_id) == READER
    ask("auth", "auth.get_auth_token")  # tells no more than that it is valid
    assert str(ask("auth", "auth.post_auth_token").user_id) == ADMIN
    made = ask(
        "auth",
        "apps.post_apps",
        body=model("auth", "AppCreateSchema", name="by a client", default_user_id=READER),
    )
    assert str(ask("auth", "apps.post_apps_by_app_id_token", str(made.id), expires_in=60).app_id) == str(
        made.id
    )
    ask("auth", "apps.delete_apps_by_app_id", str(made.id))


def test_shares(house: House) -> None:
    """The client shares with people, with whoever has a link and several objects at once; looks, changes, and takes back."""
    ask, where = Client(house, "admin"), ("assets", CLIP)
    options = {
        "allow_download": True,
        "allow_comments": True,
        "allow_approving_comments": False,
        "allow_setting_approve_status": False,
    }
    body = model("assets", "ShareCreateSchema", emails=["eve@example.org"], title="Dailies", **options)
    made = ask("assets", "object_type.post_by_object_type_by_object_id_shares", *where, body=body)
    assert (made.title, made.allow_download, made.has_password) == ("Dailies", True, False)
    body = model("assets", "ShareURLCreateSchema", password="correct horse", **options)
    link = ask("assets", "object_type.post_by_object_type_by_object_id_shares_url", *where, body=body)
    assert link.has_password is True
    body = model(
        "assets",
        "BulkShareCreateSchema",
        title="Both",
        object_ids=[CLIP, OTHER],
        share_by_url=True,
        **options,
    )
    both = ask("assets", "share.post_share_by_object_type", "assets", body=body)
    one = (*where, made.id)
    seen = ask("assets", "object_type.get_by_object_type_by_object_id_shares_by_share_id", *one)
    assert [user.email for user in seen.users] == ["eve@example.org"]
    seen.title = "Rushes"
    body = model("assets", "ShareSchema", **seen.to_dict())
    assert (
        ask("assets", "object_type.put_by_object_type_by_object_id_shares_by_share_id", *one, body=body).title
        == "Rushes"
    )
    body = model("assets", "ShareUserSchema", email="ann@example.org")
    users = "object_type.{}_by_object_type_by_object_id_shares_by_share_id_users{}"
    user = ask("assets", users.format("post", ""), *one, body=body)
    listed = ask("assets", users.format("get", ""), *one)
    assert {each.email for each in listed.objects} == {"ann@example.org", "eve@example.org"}
    ask("assets", users.format("delete", "_by_share_user_id"), *one, user.id)
    assert len(ask("assets", "object_type.get_by_object_type_by_object_id_shares", *where).objects) == 3
    assert ask("assets", "shares.get_shares", title="rush").total == 1
    assert ask("assets", "shares.get_shares_all").total == 3
    gone = model("assets", "BulkShareDeleteSchema", share_ids=[link.id])
    ask("assets", "shares.delete_shares_bulk", body=gone)
    ask(
        "assets", "object_type.delete_by_object_type_by_object_id_shares_by_share_id", "assets", CLIP, both.id
    )
    assert ask("assets", "shares.get_shares_all").total == 1


def test_visits(house: House) -> None:
    """The client signs a visitor in by a link with its App-ID alone, checks, renews and uses the token, and stays out elsewhere."""
    options = {
        "allow_download": True,
        "allow_comments": True,
        "allow_approving_comments": False,
        "allow_setting_approve_status": False,
    }
    body = model("assets", "ShareURLCreateSchema", password="correct horse", **options)
    made = Client(house, "admin")(
        "assets", "object_type.post_by_object_type_by_object_id_shares_url", "assets", CLIP, body=body
    )
    nobody = Client(house, None)
    login = model("assets", "ShareLoginSchema", hash=made.url, password="correct horse", app_id=APPLICATION)
    token = nobody("assets", "shares.post_shares_auth_login", body=login)
    assert (token.share_id, token.object_id, token.app_id) == (made.id, CLIP, APPLICATION)
    for place in ("get", "put"):
        found = nobody("assets", f"shares.{place}_shares_auth_token", share_auth_token=token.token)
        assert (found.token, found.share_id) == (token.token, made.id)
    visitor = Client(house, None, **{"Auth-Token": token.token})
    seen = visitor(
        "assets", "object_type.get_by_object_type_by_object_id_shares_by_share_id", "assets", CLIP, made.id
    )
    assert (seen.id, seen.users) == (made.id, [])
    with pytest.raises(AssertionError, match="403"):
        visitor("assets", "shares.get_shares_all")
