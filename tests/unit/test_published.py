"""Reading published policies."""

from models.changes import publish_policies
from models.published import latest_publication, publications, published_files
from models.store import Store
from stores import change


def test_published_bundles_are_found(store: Store) -> None:
    """The latest is live, all are listed oldest first, and files are those of their digest alone."""
    with store.read() as session:
        assert (latest_publication(session), publications(session)) == (None, [])
    for digest in ("d1", "d2"):
        with change(store) as session:
            publish_policies(session, digest, {"a.polar": digest.encode()}, author="ada", keep=9)

    with store.read() as session:
        latest = latest_publication(session)
        assert latest is not None
        assert latest.digest == "d2"
        assert [row.digest for row in publications(session)] == ["d1", "d2"]
        assert published_files(session, "d1") == {"a.polar": b"d1"}
        assert published_files(session, "none") == {}
