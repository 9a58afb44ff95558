"""The gateway's own API over HTTP: what storages bring is taken up once, by whom it may be, and jobs are watched by their own domain."""

from collections.abc import Iterator

import pytest

from management import CLIENTS, EDITOR, OTHER, OWNER, READER, SUB, TOP, House, housed
from models import changes
from models.changes import TemplateLevel
from models.records import ObjectKey, Permission

INGEST = "/-/api/ingest/"
DISK, THEIRS = "disk", "their-disk"
STORAGE = ObjectKey("storage", DISK)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Returns a gateway with its own API; the editor may write to a storage, whose template gives clients to read."""
    with housed(tmp_path_factory.mktemp("own"), "acls", "own") as house:
        with house.store.write("test") as commit:
            session = commit.session
            changes.register_object(session, STORAGE, house.domain)
            changes.register_object(session, ObjectKey("storage", THEIRS), house.abroad)
            changes.grant(session, STORAGE, f"user:{EDITOR}", Permission.WRITE, propagates=False)
            group = changes.create_group(session, house.domain, "scanners").id
            changes.set_roles(session, group, ["can_create_assets"])
            for user in (EDITOR, READER):
                changes.add_member(session, group, user)
            template = changes.create_template(session, house.domain, "from the disk").id
            changes.give_in_template(session, template, f"group:{CLIENTS}", Permission.READ, propagates=False)
            changes.set_template(session, TemplateLevel.STORAGE, STORAGE, template)
        yield house


def test_what_a_storage_brings_is_taken_up_once(house: House) -> None:
    """An object is registered with its collection and the storage's template; again, it is told as known and nothing is added."""
    body = {"object_type": "assets", "object_id": "clip-1", "storage_id": DISK, "title": "Clip"}
    told = house.told("editor", "POST", INGEST, body, 201)
    assert (told["is_new"], told["storage_id"], told["template"]) == (True, DISK, "from the disk")
    assert told["given"] == [{"principal": f"group:{CLIENTS}", "permissions": ["read"]}]
    again = house.told("editor", "POST", INGEST, body)
    assert (again["is_new"], again["given"]) == (False, [])
    acl = house.told("admin", "GET", "/API/acls/v1/acl/assets/clip-1/")
    assert [entry["group_id"] for entry in acl["groups_acl"]] == [CLIENTS]


@pytest.mark.parametrize(
    ("who", "more"),
    [
        ("reader", {}),
        ("editor", {"storage_id": None}),
        ("editor", {"storage_id": THEIRS}),
        ("editor", {"storage_id": "no-disk"}),
        ("editor", {"owner_id": EDITOR}),
        ("editor", {"collections": [{"object_type": "collections", "object_id": SUB}]}),
        ("stranger", {}),
    ],
)
def test_nobody_takes_what_is_not_theirs_to_bring(house: House, who: str, more: dict[str, object]) -> None:
    """Who may not write to the storage, names none, an owner, or a collection that they may not write to, brings nothing."""
    body = {"object_type": "assets", "object_id": "clip-2", "storage_id": DISK, **more}
    assert house.ask(who, "POST", INGEST, body).status_code == 403
    with house.store.read() as session:
        from models.directory import find_object

        assert find_object(session, ObjectKey("asset", "clip-2")) is None


def test_an_admin_brings_what_no_storage_does(house: House) -> None:
    """An admin names owner and collections, of the own domain alone."""
    body = {
        "object_type": "assets",
        "object_id": "clip-3",
        "owner_id": OWNER,
        "collections": [{"object_type": "collections", "object_id": SUB}],
    }
    assert house.told("admin", "POST", INGEST, body, 201)["is_new"]
    assert (
        house.told("owner", "GET", "/API/acls/v1/acl/assets/clip-3/permissions/")["permissions"][-1]
        == "change-acl"
    )
    assert (
        house.ask("stranger", "POST", INGEST, {"object_type": "assets", "object_id": OTHER}).status_code
        == 404
    )
    assert house.ask("admin", "POST", INGEST, {"object_type": "No Type", "object_id": "x"}).status_code == 400


def test_jobs_are_watched(house: House) -> None:
    """A job is told with how far it came, to its own domain alone."""
    body = {
        "object_ids": [TOP],
        "permissions": ["read"],
        "group_ids": [CLIENTS],
        "include_assets": True,
        "include_collections": True,
    }
    (job,) = house.told("admin", "PUT", "/API/acls/v1/acl/collections/content/", body, 202)["job_ids"]
    told = house.told("editor", "GET", f"/-/api/acl_jobs/{job}/")
    assert (told["object_type"], told["object_id"]) == ("collections", TOP)
    assert 0 <= told["done"] <= told["total"]
    assert job in [each["id"] for each in house.told("editor", "GET", "/-/api/acl_jobs/")["objects"]]
    assert house.ask("stranger", "GET", f"/-/api/acl_jobs/{job}/").status_code == 404
    assert house.told("stranger", "GET", "/-/api/acl_jobs/")["total"] == 0
    assert house.ask("owner", "GET", f"/-/api/acl_jobs/{job}/").status_code == 403


def test_the_description_is_for_whoever_is_signed_in(house: House) -> None:
    """The description tells the services that are local, to whoever is signed in; another page below the prefix is not served."""
    paths = house.told("reader", "GET", "/-/api/openapi.json")["paths"]
    assert {path.split("/")[2] for path in paths} == {"acls", "api"}
    assert house.ask(None, "GET", "/-/api/openapi.json").status_code == 401
    assert house.ask("admin", "GET", "/-/api/else").json()["reason"] == "no-route"
