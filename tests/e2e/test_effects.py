"""What a backend's answer makes true: creations and deletions that it carries out, and those that it refuses.

What happens meanwhile, and when nobody knows: `test_outcomes`.
"""

import json

import pytest

from e2e import effects
from e2e.effects import (
    CREATED,
    GONE,
    JSON,
    made,
    saying,
    shown,
    statuses,
    unsettled,
)
from e2e.house import House

_house, _clean = effects.running_house, effects.clean  # the fixtures `home` and `clean`


def test_who_creates_a_path_owns_it_at_once(home: House) -> None:
    """A file made by PUT belongs to who made it, who may read it in the very next request; others may not."""
    home.backend.answers(CREATED)
    answer = home.ask("PUT", "/drop/mine.mp4", "stan", data=b"film")
    (stored,) = home.backend.requests

    assert (answer.status_code, stored.line, stored.body) == (201, b"PUT /drop/mine.mp4 HTTP/1.1", b"film")
    assert statuses(home, "/drop/mine.mp4", "stan", "kim", "vera") == [201, 403, 403]
    assert shown(home, "file:/drop/mine.mp4")["owner"] == "stan@example.org"
    assert shown(home, "file:/drop/mine.mp4")["in"] == ["file:/drop"]
    assert unsettled(home, "file:/drop/mine.mp4") == []


def test_an_id_in_the_answers_body_is_taken_up(home: House) -> None:
    """The object that the answer names belongs to who asked and stands in the collection that the request named."""
    home.backend.answers(saying(201, b'{"id": "fresh", "title": "New"}', JSON))
    answer = home.ask(
        "POST", "/assets", "stan", json={"collection_id": "box"}, headers={"Accept-Encoding": "gzip"}
    )
    (asked,) = home.backend.requests

    assert (answer.status_code, answer.json()) == (201, {"id": "fresh", "title": "New"})
    assert json.loads(asked.body) == {"collection_id": "box"}
    assert asked.values(b"accept-encoding") == [b"identity"]
    found = shown(home, "asset:fresh")
    assert (found["owner"], found["in"]) == ("stan@example.org", ["collection:box"])
    home.backend.clear()
    assert statuses(home, "/assets/fresh", "stan", "vera", "otto", "zoe") == [200, 200, 403, 403]


def test_an_object_outside_all_collections_is_its_creators_alone(home: House) -> None:
    """Without a collection nobody but who made it, and admins, sees a new object."""
    path = made(home, "lonely")

    assert statuses(home, path, "stan", "ada", "kim", "vera") == [200, 200, 403, 403]


@pytest.mark.parametrize("location", ["/drop/inbox/1.mp4", "https://media.example/drop/inbox/2%20b.mp4"])
def test_an_id_in_the_answers_location_is_taken_up(home: House, location: str) -> None:
    """A path or URL in `Location` names the new file; it reaches the client as it came."""
    home.backend.answers(saying(201, b"", f"location: {location}"))
    answer = home.ask("POST", "/drop", "stan", data=b"film")
    name = "file:/drop/inbox/1.mp4" if location.startswith("/") else "file:/drop/inbox/2 b.mp4"

    assert (answer.status_code, answer.headers["location"]) == (201, location)
    assert shown(home, name)["owner"] == "stan@example.org"


@pytest.mark.parametrize("said", [400, 403, 404, 409, 413, 422, 429, 501, 503, 507])
def test_a_creation_that_the_backend_refuses_leaves_nothing(home: House, said: int) -> None:
    """After an answer that says no, nothing is registered and nothing is locked; the client sees that answer."""
    home.backend.answers(saying(said, b"no"), CREATED)
    refused = home.ask("PUT", f"/drop/refused-{said}", "stan", data=b"film")
    left = (
        shown(home, f"file:/drop/refused-{said}")["registered"],
        unsettled(home, f"file:/drop/refused-{said}"),
    )
    again = home.ask("PUT", f"/drop/refused-{said}", "stan", data=b"film")

    assert (refused.status_code, refused.text) == (said, "no")
    assert left == (False, [])
    assert again.status_code == 201


@pytest.mark.parametrize(("name", "owner"), [("theirs", "zoe@example.org"), ("secret", "ada@example.org")])
def test_an_answer_cannot_give_away_what_others_own(home: House, name: str, owner: str) -> None:
    """A backend that names a known object as new changes neither its owner nor who may see it."""
    home.backend.answers(saying(201, json.dumps({"id": name}).encode(), JSON))
    home.ask("POST", "/assets", "stan", json={"collection_id": "box"})
    home.backend.clear()
    found = shown(home, f"asset:{name}")

    assert (found["owner"], found["in"]) == (owner, [])
    assert statuses(home, f"/assets/{name}", "stan") == [403]


def test_a_deletion_takes_all_facts_with_it(home: House) -> None:
    """After a deletion owner, entries and placements are gone, and nobody gets at the id any more."""
    path = made(home, "doomed", vera="read")
    home.run("collection", "put", "asset:doomed", "collection:box")
    home.backend.answers(GONE)
    answer = home.ask("DELETE", path, "stan")
    home.backend.clear()
    found = shown(home, "asset:doomed")

    assert answer.status_code == 204
    assert (found["registered"], found["owner"], found["in"], found["entries"]) == (False, None, [], [])
    assert statuses(home, path, "stan", "vera", "ada") == [403, 403, 403]
    assert home.backend.requests == []


def test_an_id_made_anew_has_none_of_the_old_grants(home: House) -> None:
    """Who could see a deleted object, its owner included, cannot see another one that gets its id."""
    path = made(home, "phoenix", vera="read")
    before = statuses(home, path, "stan", "vera", "kim")
    home.backend.answers(GONE)
    home.ask("DELETE", path, "stan")
    made(home, "phoenix", "kim")

    assert before == [200, 200, 403]
    assert statuses(home, path, "stan", "vera", "kim") == [403, 403, 200]


def test_a_deleted_folder_takes_everything_below_with_it(home: House) -> None:
    """Files below a deleted folder, and their entries, are gone; a neighbour with a longer name is not."""
    home.backend.answers(CREATED)
    for path in ("/files/dir", "/files/dir/a", "/files/dir/b/c", "/files/directory"):
        assert home.ask("PUT", path, "stan", data=b"x").status_code == 201
    home.run("grant", "otto@example.org", "read", "file:/files/dir/b/c")
    home.backend.answers(GONE)
    home.ask("DELETE", "/files/dir", "stan")
    found = [shown(home, f"file:/files/{name}") for name in ("dir", "dir/a", "dir/b/c", "directory")]

    assert [each["registered"] for each in found] == [False, False, False, True]
    assert [each["entries"] for each in found] == [[], [], [], []]


def test_a_moved_file_belongs_to_who_moved_it(home: House) -> None:
    """MOVE ends what stood at the source and begins what stands at the destination."""
    home.backend.answers(CREATED)
    home.ask("PUT", "/files/from", "stan", data=b"x")
    home.run("grant", "vera@example.org", "write", "file:/files/from")
    answer = home.ask("MOVE", "/files/from", "kim", headers={"Destination": "/files/to"})
    source, target = shown(home, "file:/files/from"), shown(home, "file:/files/to")

    assert answer.status_code == 201
    assert (source["registered"], source["entries"]) == (False, [])
    assert (target["owner"], target["entries"]) == ("kim@example.org", [])


@pytest.mark.parametrize("said", [400, 403, 404, 409, 423, 503])
def test_a_deletion_that_the_backend_refuses_changes_nothing(home: House, said: int) -> None:
    """After an answer that says no the object is open again with all its facts."""
    path = made(home, f"kept-{said}", vera="read")
    home.backend.answers(saying(said, b"no"))
    answer = home.ask("DELETE", path, "stan")
    home.backend.clear()

    assert answer.status_code == said
    assert statuses(home, path, "stan", "vera", "kim") == [200, 200, 403]
    assert unsettled(home, f"asset:kept-{said}") == []
