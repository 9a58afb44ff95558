"""The whole model goes out as JSON lines and comes in again, exact, whole, resumable, and never half believed."""

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models import changes, moving
from models.changes import ConflictError, InvalidError, TemplateLevel
from models.passwords import Hashed
from models.records import GroupKind, ObjectKey, Permission, UserType
from models.store import Store
from models.tables import Base
from stores import CLIP, FOLDER, TOP, Databases, change, opened, rows


def nothing(_rows: int) -> None:
    """Is told of progress."""


def exported(store: Store, *, secrets: bool = True) -> bytes:
    """Returns a store's model."""
    out = io.BytesIO()
    with store.read() as session:
        moving.export_model(session, out, nothing, secrets=secrets)
    return out.getvalue()


def imported(store: Store, data: bytes, *, resume: bool = False) -> int:
    """Reads a model into a store; returns how many rows were written."""
    return moving.import_model(store, io.BytesIO(data), "test", nothing, resume=resume)


@pytest.fixture(name="full")
def with_something_of_everything(cast: Store) -> Store:
    """The cast with rows in every table that is moved."""
    with change(cast) as session:
        changes.create_group(session, "main", "R\u00f6le", kind=GroupKind.ROLE_GROUP, id_="narrow")
        changes.give_role(session, "narrow", "can_read_assets")
        changes.update_user(session, "ben", primary_group_id="crew", settings={"b": [1, None], "a": "\u00e9"})
        changes.issue_token(session, "ben", "app", scope=["can_read_assets"])
        changes.allow_network(session, "main", "10.0.0.0/8", guard=None)
        changes.grant(session, TOP, "group:crew", Permission.READ | Permission.CHANGE_ACL, propagates=True)
        changes.register_object(session, ObjectKey("storage", "nas"), "main")
        changes.map_folder(session, FOLDER, ObjectKey("storage", "nas"))
        changes.create_template(session, "main", "T", id_="tpl")
        changes.give_in_template(session, "tpl", "group:crew", Permission.READ, propagates=False)
        changes.set_template(session, TemplateLevel.DOMAIN, "main", "tpl")
        changes.set_token_lifetime(session, "main", None)
        share = changes.create_share(session, "ben", CLIP, password=Hashed("$argon2id$x"))
        changes.add_recipient(session, share.id, "ann@example.org")
        changes.grant(session, TOP, f"share:{share.id}", Permission.READ, propagates=False)
        changes.set_share_terms(session, "main", watermark=True)
    return cast


@pytest.fixture(name="empty")
def empty_store(databases: Databases, tmp_path: Path) -> Iterator[Store]:
    """An empty store of either database."""
    with opened(databases.fresh(tmp_path), tmp_path) as found:
        yield found


def test_every_table_is_moved_or_left_out() -> None:
    """A new table cannot be forgotten, and each stands behind what it refers to."""
    kinds = {mapper.class_ for mapper in Base.registry.mappers}
    assert kinds == {*moving.MOVED, *moving.LEFT_OUT}
    assert len(kinds) == len(moving.MOVED) + len(moving.LEFT_OUT)
    for at, kind in enumerate(moving.MOVED):
        before = {each.__tablename__ for each in moving.MOVED[: at + 1]}
        assert {key.column.table.name for key in kind.__table__.foreign_keys} <= before, kind


def test_what_comes_in_is_what_went_out(full: Store, empty: Store) -> None:
    """Between the databases too: all rows are the same, and so are the bytes of another export."""
    data = exported(full)
    moved = {kind.__tablename__ for kind in moving.MOVED}
    written = imported(empty, data)

    assert exported(empty) == data
    assert written == data.count(b"\n") - 2
    before, after = rows(full), rows(empty)
    assert {name: after[name] for name in moved} == {name: before[name] for name in moved}
    assert all(before[name] for name in moved)


def test_secrets_leave_only_if_they_are_asked_for(full: Store, empty: Store) -> None:
    """Without them no digest or hash is in the file, and no share, which would be open without its password."""
    open_, whole = exported(full, secrets=False), exported(full)
    assert b"argon2" in whole
    assert b"argon2" not in open_
    assert not any(name in open_ for name in (b'{"tokens"', b'{"shares"', b'{"share_recipients"', b"digest"))
    imported(empty, open_)
    assert exported(empty, secrets=False) == open_
    assert not rows(empty)["shares"]


def test_an_import_that_broke_off_is_taken_up(
    full: Store, empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed stays and is not written twice; without being told to, nothing is written to what is there."""
    data = exported(full)
    monkeypatch.setattr(moving, "BATCH", 5)
    told: list[int] = []

    def breaks(count: int) -> None:
        told.append(count)
        if count >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        moving.import_model(empty, io.BytesIO(data), "test", breaks)
    assert told == [5, 10]
    with pytest.raises(ConflictError, match="--resume"):
        imported(empty, data)
    assert imported(empty, data, resume=True) == data.count(b"\n") - 2 - 10
    assert imported(empty, data, resume=True) == 0
    assert exported(empty) == data


def test_what_is_there_otherwise_ends_it(full: Store, empty: Store) -> None:
    """A row with the same key and another value is neither overwritten nor passed over."""
    data = exported(full)
    with change(empty) as session:
        changes.create_domain(session, "Another name", id_="main")
    with pytest.raises(ConflictError, match=r"line 2: .* otherwise"):
        imported(empty, data, resume=True)


def signed(lines: list[bytes]) -> bytes:
    """Returns lines of a file with a last one that fits them, as whoever changes a file on purpose would write it."""
    body = b"".join(lines)
    last = {"rows": len(lines) - 1, "sha256": hashlib.sha256(body).hexdigest()}
    return body + moving._line(last)  # noqa: SLF001 - the form of a line


def edited(edit: Callable[[dict[str, object]], object]) -> Callable[[list[bytes]], bytes]:
    """Returns what changes the user ben in a file, with a digest that fits."""

    def apply(lines: list[bytes]) -> bytes:
        at = next(number for number, line in enumerate(lines) if b"ben@example.com" in line)
        document = json.loads(lines[at])
        edit(document["users"])
        return signed([*lines[:at], moving._line(document), *lines[at + 1 :]])  # noqa: SLF001

    return apply


UNSOUND: dict[str, tuple[Callable[[list[bytes]], bytes], str]] = {
    "nothing": (lambda _: b"", "line 1: the file ends"),
    "something else": (lambda _: b"<html>\n", "line 1: not as it was written"),
    "another format": (
        lambda lines: signed([b'{"format":2,"schema":"x","secrets":true}\n', *lines[1:]]),
        "no file of",
    ),
    "another schema": (
        lambda lines: signed([lines[0].replace(b"00", b"99"), *lines[1:]]),
        "export it with the same",
    ),
    "a line that is missing": (
        lambda lines: b"".join(lines[:1] + lines[2:]) + signed(lines).splitlines(True)[-1],
        "changed",
    ),
    "a file that ends early": (b"".join, "the file ends before"),
    "a byte that was changed": (
        lambda lines: signed(lines).replace(b"ben@example.com", b"eve@example.com"),
        "changed",
    ),
    "something behind the end": (lambda lines: signed(lines) + b"{}\n", "behind the last line"),
    "spaces": (
        lambda lines: signed([lines[0], lines[1].replace(b":", b": ", 1), *lines[2:]]),
        "line 2: not as it",
    ),
    "a table that is not moved": (
        lambda lines: signed([*lines, b'{"revision":{}}\n']),
        "not a row of a table",
    ),
    "an order that refers ahead": (
        lambda lines: signed([lines[0], *lines[:0:-1]]),
        "stands behind what refers",
    ),
    "a column that is missing": (edited(lambda user: user.pop("type")), "not the columns of `users`"),
    "a column too many": (edited(lambda user: user.update(x=1)), "not the columns of `users`"),
    "a word that is none": (edited(lambda user: user.update(type="GOD")), "GOD"),
    "a number for a flag": (edited(lambda user: user.update(is_admin=1)), "`is_admin` is no bool"),
    "nothing where something must be": (edited(lambda user: user.update(email=None)), "must not be null"),
    "a time without a zone": (
        edited(lambda user: user.update(created="2026-01-01T00:00:00")),
        "no time zone",
    ),
    "a text that no store keeps": (edited(lambda user: user.update(email="a\0b")), "no store keeps"),
}


@pytest.mark.parametrize(("damage", "said"), UNSOUND.values(), ids=UNSOUND.keys())
def test_a_file_that_is_not_sound_writes_nothing(
    sqlite_store: Store,
    sqlite_databases: Databases,
    tmp_path: Path,
    damage: Callable[[list[bytes]], bytes],
    said: str,
) -> None:
    """However it is damaged, with or without a digest that fits: the line is named, and the store stays as it was."""
    with change(sqlite_store) as session:
        changes.create_domain(session, "Main", id_="main")
        changes.create_user(session, "main", "ben@example.com", id_="ben", type=UserType.POWER)
    lines = exported(sqlite_store).splitlines(keepends=True)[:-1]
    (tmp_path / "new").mkdir()
    with opened(sqlite_databases.fresh(tmp_path / "new"), tmp_path / "new") as empty:
        before = rows(empty)
        with pytest.raises(InvalidError, match=said):
            imported(empty, damage(lines))
        assert rows(empty) == before


def test_a_row_that_refers_to_nothing_is_refused(
    sqlite_store: Store, sqlite_databases: Databases, tmp_path: Path
) -> None:
    """Even if the file fits its digest, no row comes in that stands alone."""
    with change(sqlite_store) as session:
        changes.create_domain(session, "Main", id_="main")
        changes.create_user(session, "main", "ben@example.com", id_="ben")
    lines = exported(sqlite_store).splitlines(keepends=True)[:-1]
    (tmp_path / "new").mkdir()
    with opened(sqlite_databases.fresh(tmp_path / "new"), tmp_path / "new") as empty:
        with pytest.raises(ConflictError, match="refers to one that is not there"):
            imported(empty, signed([lines[0], *lines[2:]]))
        assert not rows(empty)["users"]
