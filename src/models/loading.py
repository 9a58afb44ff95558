"""Reading records out of one snapshot: first what changed since the caller looked last, then the facts asked for.

Rules:

1. Both come from one transaction, so that a record and the news about it cannot overtake each other.
2. What a question about a key will surely need comes with it: a token's user or share, a share's sharer and object, a user's groups and domain, all
   that contains an object. So one miss is one round.
3. A closure that outgrows `MAX_ANCESTORS` is cut, nearest first; what is missing then is asked for by its own key.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from models.columns import is_storable
from models.door import EVERYTHING
from models.networks import UNRESTRICTED, AllowList, NetworkSet
from models.records import (
    MAX_ANCESTORS,
    AllowListRule,
    DomainRecord,
    Expiring,
    GroupKind,
    GroupRecord,
    ObjectKey,
    ObjectRecord,
    Permission,
    Record,
    RoleModel,
    ShareRecord,
    TokenRecord,
    UserRecord,
)
from models.tables import (
    NEVER,
    AclEntry,
    Group,
    GroupRole,
    Hold,
    LogEntry,
    Membership,
    Network,
    Object,
    Placement,
    Revision,
    Share,
    SystemDomain,
    Token,
    User,
)

MARK_IDS = 8
"""Commit ids that a mark remembers; a restored history that shares all of them is the same history."""

MAX_CATCH_UP = 1_000
"""Commits that are read through to learn what changed; who is further behind forgets everything."""

CHUNK = 400
"""Keys that one statement asks for; within the bound that either database sets on parameters."""

T = TypeVar("T")
Query = Select[*tuple[Any, ...]]
AnyRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a reader has come: a revision, and the ids of the last commits up to it, newest first."""

    revision: int
    commit_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one load brought.

    Attributes:
        mark: the revision at which all of it is true.
        changed: keys touched since the caller's mark; None if everything it knows is to be forgotten.
        records: what was asked for with its closure; None for what does not exist.
    """

    mark: Mark
    changed: frozenset[str] | None
    records: Mapping[str, Record | None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Fact keys, by what they name."""

    users: set[str]
    groups: set[str]
    domains: set[str]
    tokens: set[str]
    shares: set[str]
    objects: set[ObjectKey]

    @classmethod
    def parse(cls, keys: Iterable[str]) -> "Wanted":
        """Returns `keys` sorted by kind.

        Raises:
            ValueError: one of them is no fact key.
        """
        wanted = cls(set(), set(), set(), set(), set(), set())
        plain = {
            "user": wanted.users,
            "group": wanted.groups,
            "domain": wanted.domains,
            "token": wanted.tokens,
            "share": wanted.shares,
        }
        for key in keys:
            kind, _, rest = key.partition(":")
            type_, _, id_ = rest.partition(":")
            if kind == "object" and type_ and id_:
                wanted.objects.add(ObjectKey(type_, id_))
            elif kind in plain and rest:
                plain[kind].add(rest)
            else:
                raise ValueError(f"`{key}` is not a fact key")
        return wanted


def load(connection: Connection, since: Mark | None, keys: Collection[str]) -> Batch:
    """Returns the news since `since` and the records of `keys`, all as of the connection's snapshot.

    A key that no database could hold is answered with None: nothing of that name can exist.

    Raises:
        ValueError: one of `keys` is no fact key.
    """
    askable = [key for key in keys if is_storable(key)]
    wanted = Wanted.parse(askable)
    mark = _mark(connection)
    changed = _changed(connection, since, mark)
    records: dict[str, Record | None] = dict.fromkeys(keys)
    _load_tokens(connection, wanted, records)
    _load_shares(connection, wanted, records)
    _load_users(connection, wanted, records)
    _load_groups(connection, wanted.groups, records)
    _load_domains(connection, wanted.domains, records)
    _load_objects(connection, wanted.objects, records)
    return Batch(mark, changed, records)


def _mark(connection: Connection) -> Mark:
    revision = connection.execute(select(Revision.value)).scalar_one()
    ids = select(LogEntry.commit_id).order_by(LogEntry.revision.desc()).limit(MARK_IDS)
    return Mark(revision, tuple(connection.execute(ids).scalars()))


def _changed(connection: Connection, since: Mark | None, now: Mark) -> frozenset[str] | None:
    """Returns the keys touched after `since`; None if the log cannot tell, or tells of another history."""
    if since is None or not 0 <= now.revision - since.revision <= MAX_CATCH_UP:
        return None
    if since == now:
        return frozenset()
    first = since.revision - len(since.commit_ids) + 1
    rows = connection.execute(
        select(LogEntry.revision, LogEntry.commit_id, LogEntry.keys).where(LogEntry.revision >= first)
    )
    log = {row.revision: row for row in rows}
    remembered = range(since.revision, first - 1, -1)
    if any(
        at not in log or log[at].commit_id != id_
        for at, id_ in zip(remembered, since.commit_ids, strict=True)
    ):
        return None
    news = range(since.revision + 1, now.revision + 1)
    if any(at not in log for at in news):
        return None
    keys = frozenset(key for at in news for key in log[at].keys)
    return None if EVERYTHING in keys else keys


def _load_tokens(connection: Connection, wanted: Wanted, records: dict[str, Record | None]) -> None:
    records.update((f"token:{digest}", None) for digest in wanted.tokens)
    columns = select(
        Token.digest,
        Token.id,
        Token.user_id,
        Token.application_id,
        Token.expires,
        Token.revoked_at,
        Token.support,
        Token.share_id,
        Token.recipient_id,
        Token.scope,
    )
    for row in _rows(connection, columns, Token.digest, wanted.tokens):
        records[f"token:{row.digest}"] = TokenRecord(
            row.id,
            row.user_id or "",
            row.application_id or "",
            row.expires,
            row.revoked_at is not None,
            row.support or "",
            row.share_id or "",
            row.recipient_id or "",
            frozenset(row.scope) if row.scope is not None else None,
        )
        if row.share_id is not None:
            wanted.shares.add(row.share_id)
        if row.user_id is not None:
            wanted.users.add(row.user_id)


def _load_shares(connection: Connection, wanted: Wanted, records: dict[str, Record | None]) -> None:
    records.update((f"share:{id_}", None) for id_ in wanted.shares)
    for row in _rows(connection, select(Share.__table__), Share.id, wanted.shares):
        key = ObjectKey(row.object_type, row.object_id)
        records[f"share:{row.id}"] = ShareRecord(
            row.id,
            row.domain_id,
            row.owner_id,
            key,
            frozenset(row.rights),
            row.expires,
            NetworkSet.of(row.networks),
            frozenset(row.metadata_views),
            row.watermark,
        )
        wanted.users.add(row.owner_id)
        wanted.objects.add(key)


def _load_users(connection: Connection, wanted: Wanted, records: dict[str, Record | None]) -> None:
    records.update((f"user:{id_}", None) for id_ in wanted.users)
    networks = _allow_lists(connection, Network.user_id, wanted.users)
    groups: dict[str, list[str]] = defaultdict(list)
    members = select(Membership.user_id, Membership.group_id)
    for row in _rows(connection, members, Membership.user_id, wanted.users):
        groups[row.user_id].append(row.group_id)
    columns = select(User.id, User.domain_id, User.type, User.status, User.is_admin)
    for row in _rows(connection, columns, User.id, wanted.users):
        group_ids = tuple(sorted(groups[row.id]))
        records[f"user:{row.id}"] = UserRecord(
            row.id, row.domain_id, row.type, row.status, row.is_admin, group_ids, networks[row.id]
        )
        wanted.groups.update(group_ids)
        wanted.domains.add(row.domain_id)


def _load_groups(connection: Connection, ids: set[str], records: dict[str, Record | None]) -> None:
    records.update((f"group:{id_}", None) for id_ in ids)
    roles: dict[str, set[str]] = defaultdict(set)
    for row in _rows(connection, select(GroupRole.group_id, GroupRole.role), GroupRole.group_id, ids):
        roles[row.group_id].add(row.role)
    networks = _allow_lists(connection, Network.group_id, ids)
    for row in _rows(connection, select(Group.id, Group.domain_id, Group.kind), Group.id, ids):
        named = frozenset(roles[row.id])
        records[f"group:{row.id}"] = GroupRecord(
            row.id,
            row.domain_id,
            roles=named if row.kind is GroupKind.GROUP else frozenset(),
            networks=networks[row.id],
            narrows_to=named if row.kind is GroupKind.ROLE_GROUP else frozenset(),
        )


def _load_domains(connection: Connection, ids: set[str], records: dict[str, Record | None]) -> None:
    records.update((f"domain:{id_}", None) for id_ in ids)
    own = (Network.group_id.is_(None), Network.user_id.is_(None))
    networks = _allow_lists(connection, Network.domain_id, ids, *own)
    columns = select(
        SystemDomain.id,
        SystemDomain.status,
        SystemDomain.allow_list_enabled,
        SystemDomain.role_model,
        SystemDomain.allow_list_rule,
        SystemDomain.support_until,
        SystemDomain.external_share,
    )
    for row in _rows(connection, columns, SystemDomain.id, ids):
        records[f"domain:{row.id}"] = DomainRecord(
            row.id,
            row.status,
            row.allow_list_enabled,
            networks[row.id],
            roles_narrow=row.role_model is RoleModel.ROLE_GROUPS,
            every_level_binds=row.allow_list_rule is AllowListRule.EVERY_LEVEL,
            support_until=row.support_until,
            external_share=row.external_share,
        )


def _allow_lists(
    connection: Connection,
    whose: InstrumentedAttribute[Any],
    ids: set[str],
    *conditions: ColumnElement[bool],
) -> Mapping[str, AllowList]:
    """Returns the allow-lists of those whom the column `whose` names, an empty one for whoever has no line."""
    lines: dict[str, list[tuple[str, str | None]]] = defaultdict(list)
    query = select(whose.label("whose"), Network.cidr, Network.application_id).where(*conditions)
    for row in _rows(connection, query, whose, ids):
        lines[row.whose].append((row.cidr, row.application_id))
    found: dict[str, AllowList] = defaultdict(lambda: UNRESTRICTED)
    found.update((id_, AllowList.of(some)) for id_, some in lines.items())
    return found


def _load_objects(connection: Connection, asked: set[ObjectKey], records: dict[str, Record | None]) -> None:
    parents = _closure(connection, asked)
    known = {
        ObjectKey(row.type, row.id): row
        for row in _object_rows(connection, select(Object), Object.type, Object.id, parents)
    }
    grants: tuple[dict[ObjectKey, dict[str, Permission]], ...] = (defaultdict(dict), defaultdict(dict))
    expiring: dict[ObjectKey, dict[str, tuple[Expiring, ...]]] = defaultdict(dict)
    for row in _object_rows(connection, select(AclEntry), AclEntry.object_type, AclEntry.object_id, parents):
        key, principal = (
            ObjectKey(row.object_type, row.object_id),
            f"{row.principal_kind.value}:{row.principal_id}",
        )
        if row.expires == NEVER:
            grants[row.propagates][key][principal] = row.permissions
        else:
            entry = Expiring(row.expires, row.permissions, row.propagates)
            expiring[key][principal] = tuple(sorted((*expiring[key].get(principal, ()), entry)))
    closing = select(Hold).where(Hold.closes)
    held = {
        ObjectKey(row.object_type, row.object_id)
        for row in _object_rows(connection, closing, Hold.object_type, Hold.object_id, parents)
    }
    for key, above in parents.items():
        row_ = known.get(key)
        if row_ is None and not key.id.startswith("/"):
            records[key.fact] = None
            continue
        records[key.fact] = ObjectRecord(
            key=key,
            registered=row_ is not None,
            domain_id=row_.domain_id if row_ else None,
            owner_id=row_.owner_id if row_ else None,
            parents=above,
            direct=grants[False].get(key, {}),
            propagating=grants[True].get(key, {}),
            held=key in held,
            expiring=expiring.get(key, {}),
        )


def _closure(connection: Connection, asked: set[ObjectKey]) -> dict[ObjectKey, tuple[ObjectKey, ...]]:
    """Returns the parents of each object asked for and of all that contains it, level by level up to the bound."""
    parents: dict[ObjectKey, tuple[ObjectKey, ...]] = {}
    level = sorted(_with_folders(asked))
    while level and len(parents) <= len(asked) + MAX_ANCESTORS:
        placed: dict[ObjectKey, list[ObjectKey]] = defaultdict(list)
        for row in _object_rows(
            connection, select(Placement), Placement.child_type, Placement.child_id, level
        ):
            placed[ObjectKey(row.child_type, row.child_id)].append(ObjectKey(row.parent_type, row.parent_id))
        for key in level:
            folder = key.folder()
            parents[key] = (*((folder,) if folder else ()), *sorted(placed[key]))
        above = {parent for key in level for parent in parents[key]}
        level = sorted(_with_folders(above) - parents.keys())
    return parents


def _with_folders(keys: Iterable[ObjectKey]) -> set[ObjectKey]:
    """Returns `keys` and the folders above each; these cost no query to name."""
    found: set[ObjectKey] = set()
    for key in keys:
        above: ObjectKey | None = key
        while above is not None and above not in found:
            found.add(above)
            above = above.folder()
    return found


def _rows(
    connection: Connection, query: Query, column: InstrumentedAttribute[Any], ids: Iterable[str]
) -> Iterator[AnyRow]:
    """Yields the rows of `query` whose `column` is one of `ids`."""
    for chunk in _chunks(sorted(ids)):
        yield from connection.execute(query.where(column.in_(chunk)))


def _object_rows(
    connection: Connection,
    query: Query,
    type_: InstrumentedAttribute[str],
    id_: InstrumentedAttribute[str],
    keys: Iterable[ObjectKey],
) -> Iterator[AnyRow]:
    """Yields the rows of `query` whose columns `type_` and `id_` name one of `keys`."""
    for chunk in _chunks(sorted(keys)):
        ids: dict[str, list[str]] = defaultdict(list)
        for key in chunk:
            ids[key.type].append(key.id)
        named: list[ColumnElement[bool]] = [and_(type_ == one, id_.in_(some)) for one, some in ids.items()]
        yield from connection.execute(query.where(or_(*named)))


def _chunks(values: list[T]) -> Iterator[list[T]]:
    for at in range(0, len(values), CHUNK):
        yield values[at : at + CHUNK]
