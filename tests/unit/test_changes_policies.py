"""Publishing policies: whole, in one commit, heard of by the log, and no more of them kept than asked for."""

import pytest
from sqlalchemy import select, update

from models.changes import InvalidError, publish_policies
from models.store import Store
from models.tables import PolicyFile, Publication
from stores import behind, change, refused, revision, touched

FILES = {"a.polar": b"one \x00\xff", "routes/r.yaml": b""}


def publish(store: Store, digest: str, files: dict[str, bytes], keep: int = 50) -> bool:
    """Publishes in a commit of its own."""
    with change(store) as session:
        return publish_policies(session, digest, files, author="ada", keep=keep)


def kept(store: Store) -> dict[str, dict[str, bytes]]:
    """Returns the stored files by digest."""
    found: dict[str, dict[str, bytes]] = {}
    with store.read() as session:
        for row in session.scalars(select(PolicyFile)):
            found.setdefault(row.digest, {})[row.name] = row.content
    return found


def test_a_bundle_is_published_whole_and_heard_of(store: Store) -> None:
    """Bytes come back as they were, with who and in which order; the log names the one key of policies."""
    assert publish(store, "d1", FILES)
    assert publish(store, "d2", {"a.polar": b"two"})

    with store.read() as session:
        rows = [(row.number, row.digest, row.author) for row in session.scalars(select(Publication))]
    assert rows == [(1, "d1", "ada"), (2, "d2", "ada")]
    assert kept(store) == {"d1": FILES, "d2": {"a.polar": b"two"}}
    assert touched(store, 0) == {"policies:live"}


def test_what_is_live_is_not_published_again(store: Store) -> None:
    """The same bundle is no news and no commit; an earlier one is."""
    publish(store, "d1", FILES)
    before = revision(store)

    assert not publish(store, "d1", FILES)
    assert revision(store) == before
    publish(store, "d2", {"a.polar": b"two"})
    assert publish(store, "d1", FILES)


def test_damage_is_mended_by_publishing_again(store: Store, url: str) -> None:
    """Rows that somebody changed, added or took away behind the door become the bundle's again."""
    publish(store, "d1", FILES)
    with behind(url) as connection:
        connection.execute(update(PolicyFile).where(PolicyFile.name == "a.polar").values(content=b"x"))
        connection.execute(update(PolicyFile).where(PolicyFile.name == "routes/r.yaml").values(name="other"))

    assert publish(store, "d1", FILES)
    assert kept(store) == {"d1": FILES}


def test_the_oldest_go_with_their_files(store: Store) -> None:
    """Only so many publications stay; files that a kept one shares by its digest stay too."""
    for digest in ("d1", "d2", "d1", "d3"):
        publish(store, digest, {"a.polar": digest.encode()}, keep=2)

    assert kept(store).keys() == {"d1", "d3"}
    publish(store, "d4", {"a.polar": b"four"}, keep=1)
    assert kept(store) == {"d4": {"a.polar": b"four"}}


@pytest.mark.parametrize(
    ("files", "says"), [({}, "without files"), ({"\udcff.polar": b""}, "cannot be stored")]
)
def test_what_cannot_be_stored_is_refused(store: Store, files: dict[str, bytes], says: str) -> None:
    """Nothing, and names that are not UTF-8, are told and leave nothing behind."""
    assert says in refused(store, InvalidError, publish_policies, "d", files, author="ada", keep=5)
