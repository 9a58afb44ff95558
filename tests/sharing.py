"""Shares for tests of the store: one of the clip by Ben, and a link to it."""

from datetime import datetime

from models import changes
from models.store import Store
from stores import CLIP, change


def shared(store: Store, ends: datetime, **said: object) -> str:
    """Returns the id of a share of the clip by Ben."""
    with change(store) as session:
        return changes.create_share(session, "ben", CLIP, [], **{"expires": ends, **said}).id  # type: ignore[arg-type]


def link_to(store: Store, share: str, email: str | None = None) -> tuple[str, str]:
    """Returns id and text of a new link to a share."""
    with change(store) as session:
        row, text = changes.add_recipient(session, share, email)
        return row.id, text
