"""Each commit tells what it did to each row, with before and after, and never a secret."""

import pytest

from models import changes, directory, told
from models.passwords import Hashed
from models.records import Permission
from models.store import Store
from stores import CLIP, TOP, change


def entries(store: Store) -> list[tuple[str, str, object, object]]:
    """Returns what the last commit told."""
    with store.read() as session:
        found = directory.list_changes(session, limit=2_000)
        last = found[0].revision if found else 0
        return [(each.kind, each.key, each.before, each.after) for each in found if each.revision == last]


def test_what_is_made_changed_and_removed_is_told(cast: Store) -> None:
    """A new row with all it has, a changed one with what differs, a removed one with what it had."""
    with change(cast) as session:
        changes.grant(session, CLIP, "user:ben", Permission.READ, propagates=False)
    ((kind, key, before, after),) = entries(cast)
    assert (kind, key.split()[:4], before) == ("acl_entries", ["asset", "clip", "user", "ben"], None)
    assert isinstance(after, dict)
    assert after["permissions"] == ["read"]

    with change(cast) as session:
        changes.grant(session, CLIP, "user:ben", Permission.WRITE, propagates=False)
    assert [each[2:] for each in entries(cast)] == [
        ({"permissions": ["read"]}, {"permissions": ["read", "write"]})
    ]

    with change(cast) as session:
        changes.revoke(session, CLIP, "user:ben")
    ((_, _, before, after),) = entries(cast)
    assert isinstance(before, dict)
    assert (before["permissions"], after) == (["read", "write"], None)


def test_who_and_when_are_told(cast: Store) -> None:
    """The author is the one of the commit; changes are found by what they changed and by who did it."""
    with cast.write("cli:ada") as commit:
        changes.update_group(commit.session, "crew", name="The crew")
    with cast.read() as session:
        (entry,) = directory.list_changes(session, key="crew", author="cli:ada")
        assert (entry.author, entry.kind, entry.after) == ("cli:ada", "groups", {"name": "The crew"})
        assert not directory.list_changes(session, key="crew", author="cli:eve")
        assert not directory.list_changes(session, key="cr_w", author="cli:ada")


def test_a_row_is_told_once_and_only_if_it_ends_as_another(cast: Store) -> None:
    """Several flushes of one commit are one change; there and back is none."""
    with change(cast) as session:
        changes.update_group(session, "crew", name="A")
        changes.update_group(session, "crew", name="B")
    assert entries(cast) == [("groups", "crew", {"name": "Crew"}, {"name": "B"})]
    with change(cast) as session:
        changes.update_group(session, "crew", name="C")
        changes.update_group(session, "crew", name="B")
        changes.place(session, CLIP, TOP)
    assert [each[0] for each in entries(cast)] == ["placements"]


def test_what_a_savepoint_undid_is_not_told(cast: Store) -> None:
    """Only what was committed."""
    with change(cast) as session:
        changes.update_group(session, "crew", name="A")
        undone = session.begin_nested()
        changes.place(session, CLIP, TOP)
        undone.rollback()
    assert [each[0] for each in entries(cast)] == ["groups"]


def test_no_secret_is_told(cast: Store) -> None:
    """Of a digest or password only that it is there, or that it changed."""
    with change(cast) as session:
        token, text = changes.issue_token(session, "ben", "app")
        digest = token.digest
    ((_, _, _, after),) = entries(cast)
    assert isinstance(after, dict)
    assert after["digest"] == "(secret)"
    assert digest not in str(after)
    assert text not in str(after)
    with change(cast) as session:
        share = changes.create_share(session, "ben", CLIP, password=Hashed("$argon2id$one")).id
    with change(cast) as session:
        changes.update_share(session, share, password=Hashed("$argon2id$two"))
    assert [each[2:] for each in entries(cast)] == [
        ({"password": "(secret)"}, {"password": "(secret, changed)"})
    ]


def test_it_is_bounded(cast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more rows than the bound is told how many there were; long values are cut; old commits are forgotten."""
    monkeypatch.setattr(told, "MAX_TOLD", 2)
    with change(cast) as session:
        for number in range(7):
            changes.create_group(session, "main", f"g{number}")
    assert [each[0] for each in entries(cast)] == ["groups", "groups", "more"]
    assert entries(cast)[-1][3] == {"rows": 5}
    with change(cast) as session:
        changes.update_group(session, "crew", description="x" * 4_000)
    assert "(4000 characters)" in str(entries(cast))
    monkeypatch.setattr(told, "KEPT", 1)
    with change(cast) as session:
        changes.update_group(session, "crew", description="y")
    with cast.read() as session:
        assert len(directory.list_changes(session)) == 1
