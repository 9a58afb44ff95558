"""Publishing a bundle of policies: all its files and the word that it is live, in one commit.

Whether it is good is decided before; nothing here understands a policy.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.changes.errors import InvalidError
from models.changes.rows import remove
from models.columns import is_storable
from models.published import latest_publication, publications
from models.tables import PolicyFile, Publication


def publish_policies(
    session: Session, digest: str, files: Mapping[str, bytes], *, author: str, keep: int
) -> bool:
    """Makes a bundle the live one, and lets the oldest go; tells whether it was not live before.

    Args:
        session: of an open write.
        digest: what the files give.
        files: content by name.
        author: who publishes, for the history.
        keep: publications that stay; the latest is among them.

    Raises:
        InvalidError: there is no file, or one has a name that no database can hold.
    """
    if not files:
        raise InvalidError("a bundle without files decides nothing: publish a folder of policies")
    if odd := sorted(name for name in files if not is_storable(name)):
        raise InvalidError(f"the file name {odd[0]!r} is not UTF-8 and cannot be stored: rename the file")
    live = latest_publication(session)
    if live is not None and live.digest == digest and _stored(session, digest) == files:
        return False
    _put(session, digest, files)
    number = live.number + 1 if live else 1
    session.add(Publication(number=number, digest=digest, at=datetime.now(UTC), author=author))
    session.flush()
    _let_go(session, keep)
    return True


def _stored(session: Session, digest: str) -> dict[str, bytes]:
    return {
        row.name: row.content
        for row in session.scalars(select(PolicyFile).where(PolicyFile.digest == digest))
    }


def _put(session: Session, digest: str, files: Mapping[str, bytes]) -> None:
    """Makes the rows of this digest be these files, whatever damage stood there."""
    here = {row.name: row for row in session.scalars(select(PolicyFile).where(PolicyFile.digest == digest))}
    for name, content in files.items():
        if name in here:
            here[name].content = content
        else:
            session.add(PolicyFile(digest=digest, name=name, content=content))
    remove(session, (here[name] for name in here.keys() - files.keys()))


def _let_go(session: Session, keep: int) -> None:
    all_ = publications(session)
    remove(session, all_[: -max(keep, 1)])
    kept = {row.digest for row in all_[-max(keep, 1) :]}
    remove(session, session.scalars(select(PolicyFile).where(PolicyFile.digest.not_in(kept))))
