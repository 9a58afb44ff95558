"""What is true, as frozen values, and the yes/no questions that a policy may ask of them.

Rules:

1. Records are plain values at one revision. An object's record names its parents and does not copy their grants, so
   a changed entry on a collection touches one record however many objects inherit it.
2. An id that starts with `/` is a path: its folder is its parent, whether or not anyone registered the id. A path
   exists, and has a domain, through its nearest registered folder. What many records name (a group, a domain, a
   collection, no entry at all) is one value in memory for all of them: a decision about a record that no cache of the
   processor holds waits for each value that it touches.
3. `Subject`, `Resource` and `Request` are the vocabulary of policies: each public method answers True or False, does no
   I/O and changes nothing. A new word for policy authors appears here first.
4. Entries only grant; there is no negative entry (seed: "Negative ACLs"). An entry that propagates holds on the object
   itself and on its content at any depth; one that does not, on the object alone (seed: "Inherited Access Control").
5. A fact that is not at hand raises `MissingFactError`; whoever asked loads it and asks again. A fact known not to exist is None.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import IntFlag, StrEnum
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from netaddr import IPAddress, IPNetwork

from models.networks import NetworkSet

MAX_ANCESTORS = 10_000
"""Ancestors one question may visit; a tree beyond it is a policy error, not a slow answer (law 10)."""


class Permission(IntFlag):
    """What an ACL entry grants; independent of each other: write does not imply read."""

    NONE = 0
    READ = 1
    WRITE = 2
    DELETE = 4
    CHANGE_ACL = 8

    @classmethod
    def named(cls, name: str) -> "Permission":
        """Returns the permission called `name` (`read`, `write`, `delete`, `change-acl`).

        Raises:
            ValueError: no permission has this name.
        """
        try:
            return PERMISSION_NAMES[name]
        except KeyError:
            raise ValueError(
                f"`{name}` is not a permission; those are {', '.join(PERMISSION_NAMES)}"
            ) from None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the permissions in this set, in their fixed order."""
        return tuple(name for name, flag in PERMISSION_NAMES.items() if flag & self)


PERMISSION_NAMES: Mapping[str, Permission] = {
    "read": Permission.READ,
    "write": Permission.WRITE,
    "delete": Permission.DELETE,
    "change-acl": Permission.CHANGE_ACL,
}


_WANTED: Mapping[str, int] = {name: int(flag) for name, flag in PERMISSION_NAMES.items()}
"""Permissions as bare numbers: an IntFlag's own `&` makes a new member each time."""


class UserType(StrEnum):
    """The kinds of user with an account (seed: "User Types"); each may hold the roles of those below it."""

    POWER = "POWER"
    STANDARD = "STANDARD"
    BROWSE_ONLY = "BROWSE_ONLY"
    BROWSE_API_ONLY = "BROWSE_API_ONLY"


RANKS: Mapping[UserType, int] = {
    UserType.POWER: 2,
    UserType.STANDARD: 1,
    UserType.BROWSE_ONLY: 0,
    UserType.BROWSE_API_ONLY: 0,
}
"""Order of the cap: a role may be held from its lowest type's rank upwards."""


class UserStatus(StrEnum):
    """Whether a user may sign in (seed: "Status"); only ACTIVE may."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    BLOCKED = "BLOCKED"
    DELETED = "DELETED"


class DomainStatus(StrEnum):
    """Whether a system domain works; FROZEN and DEACTIVATED ones admit nobody for now."""

    ACTIVE = "ACTIVE"
    WARNING = "WARNING"
    FROZEN = "FROZEN"
    DEACTIVATED = "DEACTIVATED"


_ACTIVE, _POWER = UserStatus.ACTIVE, UserType.POWER
_WORKING = (DomainStatus.ACTIVE, DomainStatus.WARNING)
# a member of an Enum is found more slowly than a name


class ObjectKey(NamedTuple):
    """The name of an object: its type (`asset`, `collection`, `file`, ...) and its id, compared bytewise."""

    type: str
    id: str

    @property
    def fact(self) -> str:
        """The key of this object's record."""
        return f"object:{self.type}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> "ObjectKey":
        """Returns the key that `TYPE:ID` or `TYPE/ID` names.

        Raises:
            ValueError: there is no type or no id.
        """
        cut = min((at for at in (text.find(":"), text.find("/")) if at > 0), default=0)
        kind, id_ = (
            text[:cut],
            text[cut + 1 :] if text[cut : cut + 1] == ":" else text[cut:].removeprefix("/"),
        )
        if not kind or not id_:
            raise ValueError(
                f"`{text}` does not name an object: write TYPE:ID, as in asset:42 or file:/a/b.mp4"
            )
        return cls(kind, id_)

    def folder(self) -> "ObjectKey | None":
        """Returns the folder that a path stands in (rule 2); None for `/` and for ids that are no paths."""
        if not self.id.startswith("/") or self.id == "/":
            return None
        if self.id.endswith("/"):  # a map that tells `/a/b/` from `/a/b`: the listing stands in the folder
            return ObjectKey(self.type, self.id.rstrip("/"))
        return ObjectKey(self.type, self.id.rpartition("/")[0] or "/")

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"


@dataclass(frozen=True, slots=True)
class DomainRecord:
    """A system domain: a hard wall. `networks` binds everyone while `allow_list_enabled`."""

    id: str
    status: DomainStatus = DomainStatus.ACTIVE
    allow_list_enabled: bool = False
    networks: NetworkSet = field(default_factory=NetworkSet)

    @property
    def is_working(self) -> bool:
        """Whether members may act at all."""
        return self.status in _WORKING


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """A group or team: roles for its members, and the networks they may come from."""

    id: str
    domain_id: str
    roles: frozenset[str] = frozenset()
    networks: NetworkSet = field(default_factory=NetworkSet)


@dataclass(frozen=True, slots=True)
class UserRecord:
    """What decisions need of a user.

    Attributes:
        principals: the names under which ACL entries speak of the user: `user:ID`, then `group:ID` of each group, which
            is also the key of the group's record.
        group_facts: the keys of the groups' records.
        domain_fact: the key of the domain's record.
        rank: of the type.
    """

    id: str
    domain_id: str
    type: UserType = UserType.STANDARD
    status: UserStatus = UserStatus.ACTIVE
    is_admin: bool = False
    group_ids: tuple[str, ...] = ()
    principals: tuple[str, ...] = field(init=False, compare=False, repr=False)
    group_facts: tuple[str, ...] = field(init=False, compare=False, repr=False)
    domain_fact: str = field(init=False, compare=False, repr=False)
    rank: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        groups = tuple(sys.intern(f"group:{id_}") for id_ in self.group_ids)
        object.__setattr__(self, "principals", (f"user:{self.id}", *groups))
        object.__setattr__(self, "group_facts", groups)
        object.__setattr__(self, "rank", RANKS[self.type])
        object.__setattr__(self, "domain_fact", sys.intern(f"domain:{self.domain_id}"))
        object.__setattr__(self, "domain_id", sys.intern(self.domain_id))


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A credential: whose, for which application, until when. The text of the token is nowhere.

    Attributes:
        user_fact: the key of the user's record.
    """

    id: str
    user_id: str
    application_id: str
    expires: datetime | None
    revoked: bool
    user_fact: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "user_fact", f"user:{self.user_id}")


_NO_ENTRIES: Mapping[str, Permission] = {}


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """An object's own facts (rule 1).

    Attributes:
        registered: whether the store knows it, or it is only a path below something known (rule 2).
        parents: collections and folder that it stands in, one level up.
        direct: principal (`user:ID`, `group:ID`) → permissions of entries that stay here.
        propagating: the same for entries that hold here and on all content.
        held: a deletion with an unknown outcome closes it to all (DESIGN, "Effects").
        parent_facts: the keys of the parents' records.
    """

    key: ObjectKey
    registered: bool = False
    domain_id: str | None = None
    owner_id: str | None = None
    parents: tuple[ObjectKey, ...] = ()
    direct: Mapping[str, Permission] = field(default_factory=dict)
    propagating: Mapping[str, Permission] = field(default_factory=dict)
    held: bool = False
    parent_facts: tuple[str, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parent_facts", tuple(sys.intern(parent.fact) for parent in self.parents))
        if self.domain_id is not None:
            object.__setattr__(self, "domain_id", sys.intern(self.domain_id))
        object.__setattr__(self, "direct", _shared(self.direct))
        object.__setattr__(self, "propagating", _shared(self.propagating))


Record = DomainRecord | GroupRecord | UserRecord | TokenRecord | ObjectRecord


class MissingFactError(LookupError):
    """The fact `key` is not at hand; load it and ask again. Never means that it does not exist."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class FactBoundError(Exception):
    """A question met a bound on hostile structure; the decision is refused as a policy error."""


class Facts(Protocol):
    """Records of one revision, by key."""

    def get(self, key: str, /) -> Record | None:
        """Returns the record, None if it is known not to exist.

        Raises:
            MissingFactError: it is not at hand.
        """
        ...

    def reach(self, key: str, /) -> Mapping[str, int]:
        """Returns what the object with this key and everything above it grant to their content, by principal.

        Whoever keeps facts may remember it for as long as none of them changes.

        Raises:
            MissingFactError: a fact above is not at hand.
            FactBoundError: more than `MAX_ANCESTORS` are above.
        """
        return reach_from(self, key)[0]


def reach_from(facts: Facts, start: str) -> tuple[Mapping[str, int], set[str]]:
    """Returns what `Facts.reach` says, and the keys of all facts that it follows from."""
    waiting, seen = [start], {start}
    found: list[Mapping[str, Permission]] = []
    for key in waiting:  # grows while it is walked
        record = facts.get(key)
        if not isinstance(record, ObjectRecord):
            continue
        if record.propagating:
            found.append(record.propagating)
        for parent in record.parent_facts:
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
        if len(waiting) > MAX_ANCESTORS:
            raise FactBoundError(
                f"more than {MAX_ANCESTORS} ancestors above `{start.removeprefix('object:')}`"
            )
    if len(found) <= 1:
        return found[0] if found else _NO_ENTRIES, seen
    merged: dict[str, int] = {}
    for entries in found:
        for principal, held in entries.items():
            merged[principal] = merged.get(principal, 0) | int(held)
    return merged, seen


@dataclass(frozen=True, slots=True)
class Grant:
    """Where a permission comes from: the entry's object, its principal, and whether it was inherited."""

    on: ObjectKey
    principal: str
    permissions: Permission
    inherited: bool


class Request:
    """What a policy may ask about the request itself: address, clock, and what its route demands."""

    __slots__ = ("_address", "_anonymous", "_now", "_roles")

    def __init__(
        self, address: IPAddress, now: datetime, *, roles: tuple[str, ...] = (), anonymous: bool = False
    ) -> None:
        """Makes the question's request.

        Args:
            address: the client's address in canonical form.
            now: the time of the decision, with a zone.
            roles: the roles that the route demands, all of them.
            anonymous: whether the route is open to those without a credential.
        """
        self._address, self._now, self._roles, self._anonymous = address, now, roles, anonymous

    @property
    def address(self) -> IPAddress:
        """The client's address; for facts, not for policies."""
        return self._address

    def open_to_all(self) -> bool:
        """Tells whether the route says `anonymous: true`."""
        return self._anonymous

    def roles_held_by(self, subject: "Subject") -> bool:
        """Tells whether the subject holds every role that the route demands."""
        for role in self._roles:  # noqa: SIM110 - the hot path: a generator costs more than the questions
            if not subject.has_role(role):
                return False
        return True

    def from_network(self, cidr: str) -> bool:
        """Tells whether the client's address lies in `cidr`."""
        return self._address in IPNetwork(cidr)

    def time_between(self, start: str, end: str, zone: str) -> bool:
        """Tells whether the clock in `zone` stands in [start, end), `HH:MM`; the span may cross midnight."""
        clock = self._now.astimezone(ZoneInfo(zone)).time()
        first, last = time.fromisoformat(start), time.fromisoformat(end)
        return first <= clock < last if first <= last else clock >= first or clock < last


class Subject:
    """Who asks: a user with the groups and roles that the facts give, or nobody (anonymous).

    Attributes:
        user: the user's record; for facts, not for policies.
        principals: the names under which ACL entries speak of this subject: the user, then the groups.
    """

    __slots__ = ("_facts", "_role_floor", "principals", "user")

    def __init__(self, facts: Facts, user: UserRecord | None, role_floor: Mapping[str, UserType]) -> None:
        """Makes the subject of a question.

        Args:
            facts: where groups and the domain are found.
            user: the user's record; None for an anonymous caller.
            role_floor: the lowest user type that may hold a role; a role that is missing here needs POWER.
        """
        self._facts, self._role_floor = facts, role_floor
        self.user = user
        self.principals: tuple[str, ...] = user.principals if user is not None else ()

    def is_signed_in(self) -> bool:
        """Tells whether a valid credential came with the request."""
        return self.user is not None

    def is_active(self) -> bool:
        """Tells whether the user's status is ACTIVE (seed: "Status")."""
        return self.user is not None and self.user.status is _ACTIVE

    def in_working_domain(self) -> bool:
        """Tells whether the user's system domain is ACTIVE or WARNING."""
        domain = self._facts.get(self.user.domain_fact) if self.user is not None else None
        return isinstance(domain, DomainRecord) and domain.is_working

    def is_admin(self) -> bool:
        """Tells whether the user is a domain owner (admin); only POWER users can be (seed: "Admin users")."""
        return self.user is not None and self.user.is_admin and self.user.type is _POWER

    def is_type(self, name: str) -> bool:
        """Tells whether the user's type is `name` (POWER, STANDARD, BROWSE_ONLY, BROWSE_API_ONLY)."""
        return self.user is not None and self.user.type is UserType(name)

    def in_group(self, group_id: str) -> bool:
        """Tells whether the user is a member of the group with this id."""
        return self.user is not None and group_id in self.user.group_ids

    def has_role(self, role: str) -> bool:
        """Tells whether one of the user's groups gives `role` and the user's type may hold it."""
        user = self.user
        if user is None:
            return False
        if user.rank < RANKS[self._role_floor.get(role, _POWER)]:
            return False
        get = self._facts.get
        for key in user.group_facts:
            group = get(key)
            if isinstance(group, GroupRecord) and role in group.roles:
                return True
        return False

    def admitted_from(self, request: Request) -> bool:
        """Tells whether the allow-lists admit the request's address (seed: "IP Allow List").

        While the domain's switch is on, the most specific list that is not empty decides: the lists of the user's
        groups together, else the domain's; if none has an entry, nobody is restricted.
        """
        if self.user is None:
            return True
        domain = self._facts.get(self.user.domain_fact)
        if not isinstance(domain, DomainRecord):
            return False
        if not domain.allow_list_enabled:
            return True
        groups = (self._facts.get(key) for key in self.user.group_facts)
        lists = [group.networks for group in groups if isinstance(group, GroupRecord) and group.networks]
        lists = lists or [domain.networks]
        return not any(lists) or any(networks.admits(request.address) for networks in lists)


class Resource:
    """What is asked for: an object, or the caller's own domain where the route names none."""

    __slots__ = ("_facts", "_home", "_key", "_record")

    def __init__(self, facts: Facts, key: ObjectKey | None) -> None:
        """Makes the resource of a question; `key` None stands for the caller's own domain."""
        self._facts, self._key = facts, key
        self._record: ObjectRecord | None = None
        self._home: ObjectRecord | None = None

    @property
    def key(self) -> ObjectKey | None:
        """The object's name; for facts, not for policies."""
        return self._key

    def is_domain(self) -> bool:
        """Tells whether the route names no object, so that the caller's own domain is meant."""
        return self._key is None

    def is_type(self, name: str) -> bool:
        """Tells whether the object's type is `name`."""
        return self._key is not None and self._key.type == name

    def exists(self) -> bool:
        """Tells whether the object, or for a path one of its folders, is registered; a domain always exists."""
        return self._key is None or self._found_home() is not None

    def shares_domain_with(self, subject: Subject) -> bool:
        """Tells whether the object belongs to the subject's own system domain."""
        if self._key is None:
            return True
        user, home = subject.user, self._found_home()
        return user is not None and home is not None and home.domain_id == user.domain_id

    def owned_by(self, subject: Subject) -> bool:
        """Tells whether the subject is the object owner: who created it (not the domain owner, who is an admin)."""
        user, record = subject.user, self._record or self._found()
        return user is not None and record is not None and record.owner_id == user.id

    def grants(self, permission: str, subject: Subject) -> bool:
        """Tells whether an entry on the object itself grants `permission` to the subject or one of its groups."""
        record = self._record or self._found()
        wanted = _WANTED.get(permission) or Permission.named(permission)
        if record is None:
            return False
        principals = subject.principals
        return (bool(record.direct) and _granted(record.direct, wanted, principals)) or (
            bool(record.propagating) and _granted(record.propagating, wanted, principals)
        )

    def inherits(self, permission: str, subject: Subject) -> bool:
        """Tells whether a propagating entry on something that contains the object, at any depth, grants `permission`."""
        wanted, principals = _WANTED.get(permission) or Permission.named(permission), subject.principals
        record = self._record or self._found()
        if record is None:
            return False
        for parent in record.parent_facts:
            reach = self._facts.reach(parent)
            if reach and _granted(reach, wanted, principals):
                return True
        return False

    def is_held(self) -> bool:
        """Tells whether a deletion in progress closes the object or one of the folders of its path."""
        if self._key is not None and not self._key.id.startswith("/"):
            record = self._record or self._found()
            return record is not None and record.held
        for record in self._path():  # noqa: SIM110 - the hot path
            if record.held:
                return True
        return False

    def grants_of(self, permission: str, subject: Subject) -> tuple[Grant, ...]:
        """Returns every entry that grants `permission`, own before inherited; for `explain`, not for policies."""
        wanted = Permission.named(permission)
        found = (*self._own(subject), *self._inherited(subject))
        return tuple(grant for grant in found if grant.permissions & wanted)

    def _found(self) -> ObjectRecord | None:
        """Returns the object's record; looked up once."""
        if self._record is None and self._key is not None:
            type_, id_ = self._key
            record = self._facts.get(f"object:{type_}:{id_}")  # as `ObjectKey.fact` says, on the hot path
            self._record = record if isinstance(record, ObjectRecord) else None
        return self._record

    def _found_home(self) -> ObjectRecord | None:
        """Returns the record through which the object exists and has a domain; looked up once (rule 2)."""
        if self._home is None:
            record = self._record or self._found()
            self._home = (
                record
                if record is not None and record.registered
                else next((above for above in self._path() if above.registered), None)
            )
        return self._home

    def _path(self) -> Iterator[ObjectRecord]:
        """Yields the object's record, then for a path those of its folders up to `/`."""
        key = self._key
        while key is not None:
            record = self._facts.get(key.fact)
            if isinstance(record, ObjectRecord):
                yield record
            key = key.folder()

    def _own(self, subject: Subject) -> Iterator[Grant]:
        record = self._found()
        if record is None:
            return
        for principal in subject.principals:
            permissions = record.direct.get(principal, Permission.NONE)
            if both := permissions | record.propagating.get(principal, Permission.NONE):
                yield Grant(record.key, principal, both, inherited=False)

    def _inherited(self, subject: Subject) -> Iterator[Grant]:
        record = self._found()
        for above in self._ancestors(record) if record is not None else ():
            for principal in subject.principals:
                if permissions := above.propagating.get(principal, Permission.NONE):
                    yield Grant(above.key, principal, permissions, inherited=True)

    def _ancestors(self, record: ObjectRecord) -> Iterator[ObjectRecord]:
        """Yields what contains the object of `record`, nearest first, each once (several ways may lead there)."""
        waiting = list(record.parent_facts)
        seen = set(waiting)
        get = self._facts.get
        for key in waiting:  # grows while it is walked
            above = get(key)
            if not isinstance(above, ObjectRecord):
                continue
            yield above
            for parent in above.parent_facts:
                if parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
            if len(waiting) > MAX_ANCESTORS:
                raise FactBoundError(f"more than {MAX_ANCESTORS} ancestors above `{self._key}`")


def _shared(entries: Mapping[str, Permission]) -> Mapping[str, Permission]:
    """Returns the same entries with the principals' one text in memory (rule 2)."""
    return {sys.intern(name): held for name, held in entries.items()} if entries else _NO_ENTRIES


def _granted(entries: Mapping[str, int], wanted: int, principals: tuple[str, ...]) -> bool:
    """Tells whether an entry of one of the principals has the permission."""
    if entries.keys().isdisjoint(principals):
        return False
    for principal in principals:
        held = entries.get(principal)
        if held is not None and int.__and__(held, wanted):
            return True
    return False
