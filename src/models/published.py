"""Reading the bundles of policies that were published into the store, on any session."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.tables import PolicyFile, Publication


def latest_publication(session: Session) -> Publication | None:
    """Returns what is live; None if nothing was published yet."""
    return session.scalar(select(Publication).order_by(Publication.number.desc()).limit(1))


def publications(session: Session) -> list[Publication]:
    """Returns what went live and is still kept, oldest first."""
    return list(session.scalars(select(Publication).order_by(Publication.number)))


def published_files(session: Session, digest: str) -> dict[str, bytes]:
    """Returns the files of a bundle by their names; empty if it is not here. Whether they give the digest is for the reader to check."""
    rows = session.execute(select(PolicyFile.name, PolicyFile.content).where(PolicyFile.digest == digest))
    return {row.name: row.content for row in rows}
