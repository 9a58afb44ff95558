"""Finding the rows that a change speaks of, and the domain that an object lives in."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from models.changes.errors import ConflictError, ForeignError, UnknownError
from models.changes.names import checked_key, shown
from models.columns import is_storable
from models.records import GroupKind, ObjectKey, UserStatus
from models.tables import (
    AclTemplate,
    Application,
    Base,
    Group,
    Object,
    Share,
    ShareRecipient,
    SystemDomain,
    Token,
    User,
)

Row = TypeVar("Row", bound=Base)
Owned = TypeVar("Owned", User, Group, Application, Share, AclTemplate)
T = TypeVar("T")

CHUNK = 400
"""Keys that one statement asks for."""


def add(session: Session, row: Row) -> Row:
    """Writes a new row at once, so that rows which refer to it can follow."""
    session.add(row)
    session.flush()
    return row


def remove(session: Session, rows: Iterable[Base]) -> int:
    """Deletes rows at once, so that those they refer to can follow; returns how many."""
    gone = list(rows)
    for row in gone:
        session.delete(row)
    session.flush()
    return len(gone)


def the_domain(session: Session, domain_id: str) -> SystemDomain:
    """Returns the domain with this id, or raises UnknownError."""
    return _the(session, SystemDomain, domain_id, "domain")


def the_user(session: Session, user_id: str, domain_id: str | None = None) -> User:
    """Returns the user with this id, of this domain; raises UnknownError or ForeignError."""
    return _within(_the(session, User, user_id, "user"), domain_id, "user")


def the_present_user(session: Session, user_id: str, domain_id: str | None = None) -> User:
    """Returns the user as `the_user` does; raises ConflictError if it is deleted."""
    user = the_user(session, user_id, domain_id)
    if user.status is UserStatus.DELETED:
        raise ConflictError(
            f"the user {shown(user.email)} is deleted: choose another, or set its status first"
        )
    return user


def the_group(session: Session, group_id: str, domain_id: str | None = None) -> Group:
    """Returns the group with this id, of this domain; raises UnknownError or ForeignError."""
    return _within(_the(session, Group, group_id, "group"), domain_id, "group")


def the_access_group(session: Session, group_id: str, domain_id: str | None = None) -> Group:
    """Returns the group as `the_group` does; raises ConflictError if it is a role group, which has roles alone."""
    group = the_group(session, group_id, domain_id)
    if group.kind is GroupKind.ROLE_GROUP:
        raise ConflictError(
            f"{shown(group.name)} is a role group, which has roles and nothing else: use a group or a team"
        )
    return group


def the_application(session: Session, application_id: str, domain_id: str | None = None) -> Application:
    """Returns the application with this id, of this domain; raises UnknownError or ForeignError."""
    return _within(_the(session, Application, application_id, "application"), domain_id, "application")


def the_token(session: Session, token_id: str) -> Token:
    """Returns the token with this id, or raises UnknownError."""
    return _the(session, Token, token_id, "token")


def the_share(session: Session, share_id: str, domain_id: str | None = None) -> Share:
    """Returns the share with this id, of this domain; raises UnknownError or ForeignError."""
    return _within(_the(session, Share, share_id, "share"), domain_id, "share")


def the_share_of(session: Session, key: ObjectKey, share_id: str, domain_id: str) -> Share:
    """Returns the share with this id, of this object and domain; raises as `the_share`, word for word for one that is of another object."""
    share = the_share(session, share_id, domain_id)
    if share.key != key:
        raise UnknownError(unknown_share(share_id))
    return share


def the_template(session: Session, template_id: str, domain_id: str | None = None) -> AclTemplate:
    """Returns the ACL template with this id, of this domain; raises UnknownError or ForeignError."""
    return _within(_the(session, AclTemplate, template_id, "template"), domain_id, "template")


def the_recipient(session: Session, recipient_id: str) -> ShareRecipient:
    """Returns the recipient of a share with this id, or raises UnknownError."""
    return _the(session, ShareRecipient, recipient_id, "recipient")


def the_object(session: Session, key: ObjectKey) -> Object:
    """Returns the registered object with this key; raises UnknownError, or InvalidError if the key is malformed."""
    row = session.get(Object, tuple(checked_key(key)))
    if row is None:
        raise UnknownError(f"the object {shown(str(key))} is not registered: register it first")
    return row


def domain_of(session: Session, key: ObjectKey) -> str | None:
    """Returns the domain that an object lives in: its own, for a path that of the nearest registered folder."""
    home = home_of(session, key)
    return home.domain_id if home else None


def home_of(session: Session, key: ObjectKey) -> Object | None:
    """Returns the registered object itself, for a path the nearest registered folder; None if there is none."""
    ids = []
    at: ObjectKey | None = key
    while at is not None:
        ids.append(at.id)
        at = at.folder()
    for chunk in chunks(ids):
        found = session.scalars(select(Object).where(Object.type == key.type, Object.id.in_(chunk))).all()
        if found:
            return max(found, key=lambda row: len(row.id))
    return None


def the_domain_of(session: Session, key: ObjectKey, domain_id: str | None = None) -> str:
    """Returns the domain that an object lives in, which is this one; raises UnknownError if it does not exist, or ForeignError."""
    home = domain_of(session, key)
    if home is None:
        raise UnknownError(unknown_object(key))
    if domain_id is not None and home != domain_id:
        raise ForeignError(
            f"{shown(str(key))} is in the domain {shown(home)}, not in {shown(domain_id)}",
            unknown_object(key),
        )
    return home


def named(
    type_: InstrumentedAttribute[str], id_: InstrumentedAttribute[str], keys: Iterable[ObjectKey]
) -> ColumnElement[bool]:
    """Returns the condition that columns name one of `keys`, of which there is at least one."""
    ids: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        ids[key.type].append(key.id)
    return or_(*(and_(type_ == one, id_.in_(some)) for one, some in sorted(ids.items())))


def below(
    type_: InstrumentedAttribute[str], id_: InstrumentedAttribute[str], folder: ObjectKey
) -> ColumnElement[bool]:
    """Returns the condition that columns name something below the path `folder`; bytewise, so an index serves it."""
    start = folder.id.rstrip("/")
    return and_(type_ == folder.type, id_ > f"{start}/", id_ < f"{start}0")  # "0" follows "/"


def chunks(values: list[T]) -> Iterator[list[T]]:
    """Yields `values` in pieces that one statement can ask for."""
    for at in range(0, len(values), CHUNK):
        yield values[at : at + CHUNK]


def _the(session: Session, kind: type[Row], id_: str, what: str) -> Row:
    row = session.get(kind, id_) if is_storable(id_) else None
    if row is None:
        raise UnknownError(_unknown(what, id_))
    return row


def _unknown(what: str, id_: str) -> str:
    return f"there is no {what} with id {shown(id_)}"


def unknown_share(share_id: str) -> str:
    """Returns what is said of a share that does not exist."""
    return _unknown("share", share_id)


def unknown_object(key: ObjectKey) -> str:
    """Returns what is said of an object that does not exist."""
    hint = "register it or one of its folders first" if key.id.startswith("/") else "register it first"
    return f"the object {shown(str(key))} does not exist: {hint}"


def _within(row: Owned, domain_id: str | None, what: str) -> Owned:
    if domain_id is not None and row.domain_id != domain_id:
        raise ForeignError(
            f"the {what} {shown(row.id)} belongs to the domain {shown(row.domain_id)}, not to {shown(domain_id)}",
            _unknown(what, row.id),
        )
    return row
