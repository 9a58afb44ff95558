"""What is under way when its right ends is cut, both ways, and never looks whole; what merely expired may finish."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from sqlalchemy.orm import Session

from e2e.behind import eventually
from e2e.effects import shown, unsettled
from e2e.house import NORAS_ADDRESS, House, house
from e2e.passages import (
    DOOMED,
    HOME_ADDRESS,
    ROWS,
    SETTINGS,
    Passage,
    Person,
    Slow,
    change,
    cuts,
    expire,
    passing,
    person,
    seen_again,
)
from models import changes
from models.records import UserStatus

ALL: Final = ("GET /download/ASSET", "GET /events/ASSET", "PUT /upload/ASSET", "PUT /sized/ASSET")
UPLOADS: Final = ("/upload/", "/sized/")
Cause = Callable[[Session, Person], object]


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway that looks often."""
    with house(tmp_path_factory.mktemp("house"), SETTINGS, ROWS + DOOMED) as found:
        yield found


@pytest.fixture
def slow() -> Slow:
    """A backend that takes its time."""
    return Slow()


def _moved(session: Session, who: Person) -> None:
    changes.allow_network(session, "main", NORAS_ADDRESS, group_id=who.name)
    changes.disallow_network(session, "main", HOME_ADDRESS, group_id=who.name)


CAUSES: Final[dict[str, Cause]] = {
    "no-grant": lambda session, who: changes.revoke(session, who.asset, f"user:{who.name}"),
    "credential-revoked": lambda session, who: changes.revoke_token(session, who.token_id),
    "user-status": lambda session, who: changes.update_user(session, who.name, status=UserStatus.BLOCKED),
    "role": lambda session, who: changes.remove_member(session, who.name, who.name),
    "network": _moved,
    "unknown-object": lambda session, who: changes.delete_object(session, who.asset),
    "credential-expired": lambda session, who: expire(session, who, datetime.now(UTC) - timedelta(hours=1)),
}
TOLD: Final = {"credential-revoked": 401, "credential-expired": 401}


def are_cut(home: House, slow: Slow, who: Person, passages: list[Passage], reason: str) -> None:
    """Asserts that each passage ends, on both sides, without looking whole, and is on record with its reason."""
    assert eventually(lambda: all(each.is_over for each in passages), 10)
    assert eventually(lambda: slow.ended >= {each.target for each in passages}, 10)
    for each in passages:
        if any(kind in each.target for kind in UPLOADS):
            assert each.status in (0, TOLD.get(reason, 403)), each.received[:100]
            assert not slow.finish.is_set()
        else:
            assert each.status == 200
            assert not each.is_whole, each.target
    lines = cuts(home, who.name)
    assert sorted(line["path"] for line in lines) == sorted(each.target for each in passages)
    assert {line["reason"] for line in lines} == {reason}
    assert {line["domain"] for line in lines} == {"main"}
    assert f"cut: {reason}" in home.gateway.log


@pytest.mark.parametrize("reason", CAUSES)
def test_what_runs_is_cut_when_its_right_ends(home: House, slow: Slow, reason: str) -> None:
    """Download, event stream and uploads of either framing end soon after the commit that took the right."""
    who = person(home)
    with passing(home, slow, who, *ALL) as passages:
        change(home, lambda session: CAUSES[reason](session, who))
        are_cut(home, slow, who, passages, reason)


def test_what_runs_is_cut_when_the_policy_changes(home: House, slow: Slow) -> None:
    """An edit that takes the row away ends what the row has let through, and leaves what other rows let through."""
    who, routes = person(home), home.gateway.folder / "policies" / "routes" / "test.yaml"
    doomed = [target.replace(" /", " /doomed/") for target in ALL]
    with passing(home, slow, who, *doomed, ALL[1]) as passages:
        *gone, kept = passages
        routes.write_text(routes.read_text().replace(DOOMED, ""))
        are_cut(home, slow, who, gone, "no-route")
        assert not kept.is_over


@pytest.mark.parametrize("expired", [False, True])
def test_what_keeps_its_right_runs_to_its_end(home: House, slow: Slow, *, expired: bool) -> None:
    """Neither changes to others nor, within its grace, the expiry of the token stop what runs; new requests are refused."""
    who = person(home)
    with passing(home, slow, who, *ALL) as passages:
        if expired:
            change(home, lambda session: expire(session, who, datetime.now(UTC) - timedelta(seconds=1)))
        seen_again(home, slow)
        again = home.get(f"/download/{who.name}", headers=dict([who.header.split(": ")]), stream=True)
        again.close()
        slow.finish.set()
        assert eventually(lambda: all(each.is_over for each in passages))

        assert [(each.status, each.is_whole) for each in passages] == [(200, True)] * 2 + [(201, True)] * 2
    assert again.status_code == (401 if expired else 200)
    assert cuts(home, who.name) == []


def test_an_upload_that_is_cut_creates_nothing(home: House, slow: Slow) -> None:
    """What a cut upload would have created is not registered and not locked: somebody else creates it."""
    who, target = person(home), "/files/cut-off"
    with passing(home, slow, who, f"PUT {target}") as (upload,):
        change(home, lambda session: CAUSES["user-status"](session, who))
        assert eventually(lambda: upload.is_over)
        assert upload.status in (0, 403)
        assert eventually(lambda: target in slow.ended)
    registered = shown(home, f"file:{target}")["registered"]
    home.backend.answers(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n")

    assert not registered
    assert eventually(lambda: home.ask("PUT", target, "stan", data=b"x").status_code == 201)


def test_a_deletion_does_not_cut_itself(home: House, slow: Slow) -> None:
    """The hold that a deletion puts on its object ends neither the deletion nor who reads meanwhile; its success ends the readers."""
    who = person(home)
    with passing(home, slow, who, "DELETE /assets/ASSET", "GET /events/ASSET") as (deletion, reading):
        seen_again(home, slow)
        assert (deletion.is_over, reading.is_over) == (False, False)
        slow.deleted.set()
        assert eventually(lambda: deletion.is_over)
        assert deletion.received.startswith(b"HTTP/1.1 204")
        assert eventually(lambda: reading.is_over)
        assert not reading.is_whole
    assert not shown(home, f"asset:{who.name}")["registered"]
    assert [(each["path"], each["reason"]) for each in cuts(home, who.name)] == [
        (f"/events/{who.name}", "unknown-object")
    ]


def test_a_deletion_that_is_cut_stays_held(home: House, slow: Slow) -> None:
    """Nobody knows what the backend did of a deletion that was cut: the object is closed until an administrator settles it."""
    who = person(home)
    with passing(home, slow, who, "DELETE /assets/ASSET") as (deletion,):
        change(home, lambda session: CAUSES["no-grant"](session, who))
        assert eventually(lambda: deletion.is_over)
        assert deletion.status == 403
    name = f"asset:{who.name}"

    assert eventually(lambda: unsettled(home, name) == ["UNKNOWN"])
    assert home.get(f"/download/{who.name}", "ada").status_code == 409


def test_what_runs_while_the_store_is_away_is_cut_after_a_while(home: House, slow: Slow) -> None:
    """Without a store running traffic goes on for the stated time, then it is cut, and the audit says why."""
    who, store = person(home), home.gateway.folder / "mediagate.db"
    away = store.with_name("away.db")
    with passing(home, slow, who, *ALL) as passages:
        store.rename(away)
        try:
            assert eventually(lambda: home.get("/-/readyz").status_code == 503)
            assert not any(each.is_over for each in passages)
            assert eventually(lambda: all(each.is_over for each in passages), 10)
        finally:
            away.rename(store)
        assert {line["reason"] for line in cuts(home, who.name)} == {"facts-unavailable"}
    assert eventually(lambda: home.get("/-/readyz").status_code == 200)
