"""Share users over the management API: the links to a share, made, shown, readdressed and taken back."""

from collections.abc import Iterator

import pytest

from e2e.sharers import API, ASSETS, emailed, login, sharers, visiting
from management import House


@pytest.fixture(scope="module", name="house")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One gateway for all tests of this file."""
    with sharers(tmp_path_factory.mktemp("share-users")) as house:
        yield house


def test_a_link_is_made_shown_and_taken_back(house: House) -> None:
    """Its text is told when it is made and never again; visits are counted, and taking it back ends them."""
    path = f"{ASSETS}{emailed(house)['id']}/users/"
    made = house.told("editor", "POST", path, {"email": "Ann@example.org"}, 201)
    visitor = visiting(house, made["url"])
    shown = house.told("editor", "GET", f"{path}{made['id']}/")

    assert (made["email"], made["access_count"], made["last_access_date"]) == ("ann@example.org", 0, None)
    assert (shown["email"], shown["access_count"], shown["url"]) == ("ann@example.org", 1, None)
    assert shown["last_access_date"]
    listed = house.told("editor", "GET", path)["objects"]
    assert [user["email"] for user in sorted(listed, key=lambda user: user["email"])] == [
        "ann@example.org",
        "eve@example.org",
    ]
    first = house.told("editor", "GET", f"{path}?per_page=1")["objects"]
    assert house.told("editor", "GET", f"{path}?per_page=1&last_id={first[0]['id']}")["objects"] == listed[1:]
    assert house.ask(None, "GET", f"/assets/{made['object_id']}/", **visitor).status_code == 502
    house.told("editor", "DELETE", f"{path}{made['id']}/", status=204)
    assert house.ask(None, "GET", f"/assets/{made['object_id']}/", **visitor).status_code == 401
    assert house.ask("editor", "GET", f"{path}{made['id']}/").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_another_persons_link_is_another_link(house: House, method: str) -> None:
    """The former person's opens nothing and their visits end; the same e-mail changes nothing."""
    share = emailed(house)
    (user,) = share["users"]
    path, visitor = f"{ASSETS}{share['id']}/users/{user['id']}/", visiting(house, share["url"])

    same = house.told("editor", method, path, {"email": "EVE@example.org"})
    assert (same["url"], house.ask(None, "GET", f"/assets/{user['object_id']}/", **visitor).status_code) == (
        None,
        502,
    )
    told = house.told("editor", method, path, {"email": "ann@example.org"})
    assert (told["id"], told["email"], told["access_count"]) == (user["id"], "ann@example.org", 1)
    assert house.ask(None, "GET", f"/assets/{user['object_id']}/", **visitor).status_code == 401
    assert login(house, share["url"]).status_code == 404
    assert login(house, told["url"]).json()["email"] == "ann@example.org"


def test_a_password_of_one_link_is_refused(house: House) -> None:
    """Passed over, it would be counted on; so are e-mails that are none, and none where one is needed."""
    share = emailed(house)
    path = f"{ASSETS}{share['id']}/users/"
    one = f"{path}{share['users'][0]['id']}/"
    body = {"email": "ann@example.org", "password": "correct horse"}

    for method, where in (("POST", path), ("PUT", one), ("PATCH", one)):
        assert house.ask("editor", method, where, body).status_code == 400
        assert house.ask("editor", method, where, {"email": "nobody"}).status_code == 400
    assert house.ask("editor", "POST", path, {}).status_code == 400
    assert house.ask("editor", "PUT", one, {}).status_code == 400
    assert house.told("editor", "PATCH", one, {})["email"] == "eve@example.org"


def test_a_link_belongs_to_its_share(house: House) -> None:
    """Under another share of the same owner it is not there, word for word as one that does not exist."""
    share, other = emailed(house), emailed(house)
    user = share["users"][0]["id"]
    for method, body in (("GET", None), ("PATCH", {"email": "m@example.org"}), ("DELETE", None)):
        answers = [
            house.ask("editor", method, f"{ASSETS}{other['id']}/users/{id_}/", body) for id_ in (user, "none")
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].json()["errors"][0].replace(user, "none") == answers[1].json()["errors"][0]
    assert login(house, share["url"]).status_code == 200


def test_only_so_many_are_invited_at_once(house: House) -> None:
    """A list of people is bounded and not empty."""
    for emails in ([], [f"p{number}@example.org" for number in range(101)]):
        assert house.ask("editor", "POST", ASSETS, {"emails": emails}).status_code == 400
    assert house.ask("editor", "GET", f"{API}/shares/?per_page=1001").status_code == 400
