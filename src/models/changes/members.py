"""Changes to who is in a group.

Rules:

1. A group and its members belong to one domain.
2. A user's primary group is one that the user is in; it is replaced before the user leaves it.
3. A group may have an allow-list: who would lock oneself out by joining or leaving is refused (`models.changes.lockout`).
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError, InvalidError
from models.changes.lockout import ANY_ADMIN, Guard, refuse_lockout
from models.changes.names import shown
from models.changes.rows import add, remove, the_group, the_user
from models.tables import Membership, User

MAX_GROUPS = 1_000
"""Groups that one user may be in: each decision about the user looks at all of them."""


def add_member(session: Session, group_id: str, user_id: str, *, guard: Guard | None = ANY_ADMIN) -> bool:
    """Makes a user a member of a group; tells whether it is new there.

    Raises:
        ConflictError: they belong to different domains, or the guard would be locked out (rule 3).
        InvalidError: the user is in too many groups.
        UnknownError: there is no such group or user.
    """
    group = the_group(session, group_id)
    user = the_user(session, user_id, group.domain_id)
    if session.get(Membership, (user_id, group_id)):
        return False
    count = session.scalar(select(func.count()).select_from(Membership).where(Membership.user_id == user_id))
    if (count or 0) >= MAX_GROUPS:
        raise InvalidError(
            f"{shown(user.email)} is in {MAX_GROUPS} groups, which is the most: remove it from one"
        )
    _refuse_lockout(session, guard, user, _group_ids(session, user) | {group_id})
    add(session, Membership(user_id=user_id, group_id=group_id))
    return True


def remove_member(session: Session, group_id: str, user_id: str, *, guard: Guard | None = ANY_ADMIN) -> bool:
    """Takes a user out of a group; tells whether it was in it.

    Raises:
        ConflictError: the group is the user's primary one, or the guard would be locked out (rule 3).
        UnknownError: there is no such group or user.
    """
    group = the_group(session, group_id)
    user = the_user(session, user_id)
    if user.primary_group_id == group_id:
        raise ConflictError(
            f"{shown(group.name)} is the primary group of {shown(user.email)}: set another first"
        )
    row = session.get(Membership, (user_id, group_id))
    if row is None:
        return False
    _refuse_lockout(session, guard, user, _group_ids(session, user) - {group_id})
    return bool(remove(session, [row]))


def _group_ids(session: Session, user: User) -> set[str]:
    return set(session.scalars(select(Membership.group_id).where(Membership.user_id == user.id)))


def _refuse_lockout(session: Session, guard: Guard | None, user: User, after: set[str]) -> None:
    ids = tuple(sorted(after))
    refuse_lockout(session, user.domain_id, guard, f"user:{user.id}", group_ids=ids)
