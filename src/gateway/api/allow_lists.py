"""Allow-lists as settings have them: the lines of one list, made what was sent.

No change of a list locks out who makes it, from where they make it (`models.changes.lockout`); the operator's command line can.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.api.call import Call
from gateway.api.setting_values import AllowedIp
from models import changes
from models.changes import Line
from models.door import WriteSession
from models.tables import Network


def set_addresses(
    session: WriteSession, call: Call, line: Line, wanted: list[AllowedIp] | msgspec.UnsetType | None
) -> None:
    """Makes a list what was sent; lines that stay keep their notes. Whoever calls it looks after who is locked out."""
    if isinstance(wanted, msgspec.UnsetType):
        return
    present = {(row.cidr, row.application_id): row for row in lines_of(session, call.domain_id, line)}
    kept: set[tuple[str, str | None]] = set()
    for each in wanted or ():
        where = Line(**line, application_id=each.app_id)
        row = present.get((each.ip, each.app_id)) or changes.allow_network(
            session, call.domain_id, each.ip, guard=None, **where
        )
        kept.add((row.cidr, row.application_id))
    for row in lines_of(session, call.domain_id, line):
        if (row.cidr, row.application_id) not in kept:
            gone = Line(**line, application_id=row.application_id)
            changes.disallow_network(session, call.domain_id, row.cidr, guard=None, **gone)


@contextmanager
def nobody_locked_out(session: WriteSession, call: Call) -> Iterator[None]:
    """Lets a block change lists, and judges at its end whether the caller could still come in.

    Raises:
        ConflictError: it could not any more; nothing of the block is done.
    """
    with session.begin_nested(), changes.no_lockout(session, call.domain_id, call.guard):
        yield


def lines_of(session: Session, domain_id: str, line: Line) -> list[Network]:
    """Returns the lines of one list: a group's, a user's, else the domain's."""
    found = select(Network).where(
        Network.domain_id == domain_id,
        Network.group_id.is_not_distinct_from(line.get("group_id")),
        Network.user_id.is_not_distinct_from(line.get("user_id")),
    )
    return list(session.scalars(found))
