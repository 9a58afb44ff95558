"""What is true, as frozen values: the records that decisions read, the keys under which they are found, and what is above an object.

Rules:

1. Records are plain values at one revision. An object's record names its parents and does not copy their grants, so
   a changed entry on a collection touches one record however many objects inherit it.
2. An id that starts with `/` is a path: its folder is its parent, whether or not anyone registered the id. A path
   exists, and has a domain, through its nearest registered folder. What many records name (a group, a domain, a
   collection, no entry at all) is one value in memory for all of them: a decision about a record that no cache of the
   processor holds waits for each value that it touches.
3. Entries only grant; there is no negative entry (seed: "Negative ACLs"). An entry that propagates holds on the object
   itself and on its content at any depth; one that does not, on the object alone (seed: "Inherited Access Control").
   An entry that expires stands apart from those that last, with its end: whether it still holds is asked with the
   clock of the question, and so no record and nothing remembered depends on the time.
4. A fact that is not at hand raises `MissingFactError`; whoever asked loads it and asks again. A fact known not to exist is None.

What may be asked of them stands in `models.vocabulary`.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntFlag, StrEnum
from typing import NamedTuple, Protocol

from models.networks import ANYWHERE, UNRESTRICTED, AllowList, NetworkSet

MAX_ANCESTORS = 10_000
"""Ancestors one question may visit; a tree beyond it is a policy error, not a slow answer (law 10)."""


MAX_WORD = 64
"""Characters of an object's type or a role's name."""

WORD_FORM = f"use up to {MAX_WORD} lower-case letters, digits and `_`"

_WORD = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


def is_word(text: str) -> bool:
    """Tells whether `text` may be an object's type or a role's name."""
    return len(text) <= MAX_WORD and _WORD.fullmatch(text) is not None


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


class UserType(StrEnum):
    """The kinds of user with an account (seed: "User Types"); each may hold the roles of those below it."""

    rank: int
    """Order of the cap: a role may be held from its lowest type's rank upwards."""

    POWER = "POWER"
    STANDARD = "STANDARD"
    BROWSE_ONLY = "BROWSE_ONLY"
    BROWSE_API_ONLY = "BROWSE_API_ONLY"


UserType.POWER.rank = 2
UserType.STANDARD.rank = 1
UserType.BROWSE_ONLY.rank = UserType.BROWSE_API_ONLY.rank = 0


class UserStatus(StrEnum):
    """Whether a user may sign in (seed: "Status"); only ACTIVE may."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    BLOCKED = "BLOCKED"
    DELETED = "DELETED"


class DomainStatus(StrEnum):
    """Whether a system domain works: in a FROZEN one members only read, in a DEACTIVATED one they do nothing."""

    ACTIVE = "ACTIVE"
    WARNING = "WARNING"
    FROZEN = "FROZEN"
    DEACTIVATED = "DEACTIVATED"


class RoleModel(StrEnum):
    """How a domain's users come by their roles; the user type caps them in both.

    GROUPS: from their groups, added up. ROLE_GROUPS: all that the type may hold, unless role groups narrow it.
    """

    GROUPS = "GROUPS"
    ROLE_GROUPS = "ROLE_GROUPS"


class AllowListRule(StrEnum):
    """How the allow-lists that speak of a user combine: the user's own, those of the groups together, the domain's.

    MOST_SPECIFIC: the first of them that has a line decides. EVERY_LEVEL: each of them that has a line must admit.
    """

    MOST_SPECIFIC = "MOST_SPECIFIC"
    EVERY_LEVEL = "EVERY_LEVEL"


class GroupKind(StrEnum):
    """What a group is for. GROUP: roles and access. TEAM: access alone. ROLE_GROUP: roles alone, in domains that take them there."""

    GROUP = "GROUP"
    TEAM = "TEAM"
    ROLE_GROUP = "ROLE_GROUP"


class Right(StrEnum):
    """What a share may let its visitors do; which action and roles each stands for is said in the policies."""

    VIEW = "view"
    DOWNLOAD = "download"
    DOWNLOAD_PROXY = "download-proxy"
    COMMENT = "comment"
    APPROVE = "approve"
    UPLOAD = "upload"
    VERSIONS = "versions"
    TRANSCRIPTIONS = "transcriptions"
    CUSTOM_ACTIONS = "custom-actions"


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
    """A system domain: a hard wall.

    Attributes:
        networks: bind everyone while `allow_list_enabled`.
        every_level_binds: whether each allow-list must admit, not only the most specific (`AllowListRule`).
        roles_narrow: whether roles are those of the user type, narrowed by role groups (`RoleModel.ROLE_GROUPS`).
        support_until: when support access ends; None while it is off.
        external_share: whether what is shared with those who have no account is open to them.
        is_working: whether members may do what they otherwise may.
        is_frozen: whether they may still read.
    """

    id: str
    status: DomainStatus = DomainStatus.ACTIVE
    allow_list_enabled: bool = False
    networks: AllowList = UNRESTRICTED
    roles_narrow: bool = False
    every_level_binds: bool = False
    support_until: datetime | None = None
    external_share: bool = True
    is_working: bool = field(init=False, compare=False, repr=False)
    is_frozen: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_working", self.status in (DomainStatus.ACTIVE, DomainStatus.WARNING))
        object.__setattr__(self, "is_frozen", self.status is DomainStatus.FROZEN)


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """A group, team or role group.

    Attributes:
        roles: what it gives its members where groups do; none if it is a team or role group.
        networks: where its members may come from.
        narrows_to: the roles that a role group leaves its members; empty if it narrows nothing.
    """

    id: str
    domain_id: str
    roles: frozenset[str] = frozenset()
    networks: AllowList = UNRESTRICTED
    narrows_to: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class UserRecord:
    """What decisions need of a user.

    Attributes:
        principals: the names under which ACL entries speak of the user: `user:ID`, then `group:ID` of each group, which
            is also the key of the group's record.
        networks: the user's own allow-list.
        group_facts: the keys of the groups' records.
        domain_fact: the key of the domain's record.
    """

    id: str
    domain_id: str
    type: UserType = UserType.STANDARD
    status: UserStatus = UserStatus.ACTIVE
    is_admin: bool = False
    group_ids: tuple[str, ...] = ()
    networks: AllowList = UNRESTRICTED
    principals: tuple[str, ...] = field(init=False, compare=False, repr=False)
    group_facts: tuple[str, ...] = field(init=False, compare=False, repr=False)
    domain_fact: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        groups = tuple(sys.intern(f"group:{id_}") for id_ in self.group_ids)
        object.__setattr__(self, "principals", (f"user:{self.id}", *groups))
        object.__setattr__(self, "group_facts", groups)
        object.__setattr__(self, "domain_fact", sys.intern(f"domain:{self.domain_id}"))
        object.__setattr__(self, "domain_id", sys.intern(self.domain_id))


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A credential: whose, for which application, until when. The text of the token is nowhere.

    Attributes:
        user_id: whose it is; empty for one of support.
        application_id: which program presents it; empty for one of support, which has none.
        support: who of support holds it; empty for a user's.
        share_id: the share to which a visitor's belongs; empty for all others.
        recipient_id: to whom of the share it was given.
        scope: the roles that it is good for; None for all that its user holds.
        user_fact: the key of the user's record.
    """

    id: str
    user_id: str
    application_id: str
    expires: datetime | None
    revoked: bool
    support: str = ""
    share_id: str = ""
    recipient_id: str = ""
    scope: frozenset[str] | None = None
    user_fact: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "user_fact", f"user:{self.user_id}")


@dataclass(frozen=True, slots=True)
class ShareRecord:
    """What a user has shared with visitors, who have no account: an object and, if others stand in it, all its content.

    Attributes:
        owner_id: who shared it, and can give no more than that user may do at the moment of asking.
        key: what is shared.
        rights: what visitors may do with it (`Right`).
        expires: when it ends.
        networks: where visitors may come from; without any, from anywhere.
        views: ids of the metadata views by which visitors may read metadata.
        watermark: whether the backend is to mark what it shows visitors.
        owner_fact: the key of the sharer's record.
        principals: the name under which ACL entries speak of its visitors.
    """

    id: str
    domain_id: str
    owner_id: str
    key: ObjectKey
    rights: frozenset[str]
    expires: datetime
    networks: NetworkSet = ANYWHERE
    views: frozenset[str] = frozenset()
    watermark: bool = False
    owner_fact: str = field(init=False, compare=False, repr=False)
    principals: tuple[str, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "owner_fact", f"user:{self.owner_id}")
        object.__setattr__(self, "principals", (f"share:{self.id}",))


class Expiring(NamedTuple):
    """An entry with an end: it holds before `expires`, and from then on no longer."""

    expires: datetime
    permissions: Permission
    propagates: bool


_NO_ENTRIES: Mapping[str, Permission] = {}
_NONE_EXPIRES: Mapping[str, tuple[Expiring, ...]] = {}


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """An object's own facts (rule 1).

    Attributes:
        registered: whether the store knows it, or it is only a path below something known (rule 2).
        parents: collections and folder that it stands in, one level up.
        direct: principal (`user:ID`, `group:ID`) → permissions of entries that stay here.
        propagating: the same for entries that hold here and on all content.
        expiring: principal → its entries of both kinds that have an end (rule 3); they are in neither of the two above.
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
    expiring: Mapping[str, tuple[Expiring, ...]] = field(default_factory=dict)
    parent_facts: tuple[str, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parent_facts", tuple(sys.intern(parent.fact) for parent in self.parents))
        if self.domain_id is not None:
            object.__setattr__(self, "domain_id", sys.intern(self.domain_id))
        object.__setattr__(self, "direct", _shared(self.direct))
        object.__setattr__(self, "propagating", _shared(self.propagating))
        ending = {sys.intern(name): held for name, held in self.expiring.items()}
        object.__setattr__(self, "expiring", ending or _NONE_EXPIRES)


Record = DomainRecord | GroupRecord | UserRecord | TokenRecord | ShareRecord | ObjectRecord


class MissingFactError(LookupError):
    """The fact `key` is not at hand; load it and ask again. Never means that it does not exist."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class FactBoundError(Exception):
    """A question met a bound on hostile structure; the decision is refused as a policy error."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a collection and all above it grant to their content, by principal.

    Attributes:
        lasting: permissions without an end.
        expiring: entries with one.
    """

    lasting: Mapping[str, int]
    expiring: Mapping[str, tuple[Expiring, ...]]


class Facts(Protocol):
    """Records of one revision, by key."""

    def get(self, key: str, /) -> Record | None:
        """Returns the record, None if it is known not to exist.

        Raises:
            MissingFactError: it is not at hand.
        """
        ...

    def reach(self, key: str, /) -> Reach:
        """Returns what the object with this key and everything above it grant to their content.

        Whoever keeps facts may remember it for as long as none of them changes, whatever time it is (rule 3).

        Raises:
            MissingFactError: a fact above is not at hand.
            FactBoundError: more than `MAX_ANCESTORS` are above.
        """
        return reach_from(self, key)[0]


def reach_from(facts: Facts, start: str) -> tuple[Reach, set[str]]:
    """Returns what `Facts.reach` says, and the keys of all facts that it follows from."""
    waiting, seen = [start], {start}
    found: list[Mapping[str, Permission]] = []
    ending: list[Mapping[str, tuple[Expiring, ...]]] = []
    for key in waiting:  # grows while it is walked
        record = facts.get(key)
        if not isinstance(record, ObjectRecord):
            continue
        if record.propagating:
            found.append(record.propagating)
        if record.expiring:
            ending.append(record.expiring)
        for parent in record.parent_facts:
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
        if len(waiting) > MAX_ANCESTORS:
            raise FactBoundError(
                f"more than {MAX_ANCESTORS} ancestors above `{start.removeprefix('object:')}`"
            )
    return Reach(_added_up(found), _passed_on(ending)), seen


def _added_up(found: list[Mapping[str, Permission]]) -> Mapping[str, int]:
    if len(found) <= 1:
        return found[0] if found else _NO_ENTRIES
    merged: dict[str, int] = {}
    for entries in found:
        for principal, held in entries.items():
            merged[principal] = merged.get(principal, 0) | int(held)
    return merged


def _passed_on(found: list[Mapping[str, tuple[Expiring, ...]]]) -> Mapping[str, tuple[Expiring, ...]]:
    """Returns those of the entries with an end that propagate."""
    merged: dict[str, tuple[Expiring, ...]] = {}
    for entries in found:
        for principal, some in entries.items():
            if passed := tuple(each for each in some if each.propagates):
                merged[principal] = merged.get(principal, ()) + passed
    return merged or _NONE_EXPIRES


@dataclass(frozen=True, slots=True)
class Grant:
    """Where a permission comes from: the entry's object, its principal, whether it was inherited, and its end if it has one."""

    on: ObjectKey
    principal: str
    permissions: Permission
    inherited: bool
    expires: datetime | None = None


def _shared(entries: Mapping[str, Permission]) -> Mapping[str, Permission]:
    """Returns the same entries with the principals' one text in memory (rule 2)."""
    return {sys.intern(name): held for name, held in entries.items()} if entries else _NO_ENTRIES
