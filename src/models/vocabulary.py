"""The words of a policy: the yes/no questions that it may ask of who asks, what is asked for and the request.

Rules:

1. `Subject`, `Resource` and `Request` are the vocabulary: each public method answers True or False, does no I/O and
   changes nothing. A new word for policy authors appears here first.
2. The answers follow from records of one revision (`models.records`); one that is not at hand leaves as `MissingFactError`.
3. What is shown of the three, in an error that Oso raises say, holds no fact.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, time
from zoneinfo import ZoneInfo

import msgspec
from netaddr import IPAddress, IPNetwork

from models.records import (
    MAX_ANCESTORS,
    PERMISSION_NAMES,
    DomainRecord,
    DomainStatus,
    Expiring,
    FactBoundError,
    Facts,
    Grant,
    GroupRecord,
    ObjectKey,
    ObjectRecord,
    Permission,
    Right,
    ShareRecord,
    UserRecord,
    UserStatus,
    UserType,
)

_WANTED: Mapping[str, int] = {name: int(flag) for name, flag in PERMISSION_NAMES.items()}
"""Permissions as bare numbers: an IntFlag's own `&` makes a new member each time."""

_NOWHERE = DomainRecord("", DomainStatus.DEACTIVATED)
"""Where those are who belong to no domain."""

_ACTIVE, _POWER = UserStatus.ACTIVE, UserType.POWER  # a member of an Enum is found more slowly than a name


class Request(msgspec.Struct, eq=False, gc=False):
    """What a policy may ask about the request itself: address, clock, and what its route demands.

    Attributes:
        address: the client's address in canonical form; for facts, not for policies.
        now: the time of the decision, with a zone.
        roles: the roles that the route demands, all of them.
        anonymous: whether the route is open to those without a credential.
        application: the id of the application whose token came; for facts, not for policies.
    """

    address: IPAddress
    now: datetime
    roles: tuple[str, ...] = ()
    anonymous: bool = False
    application: str = ""

    __repr__ = object.__repr__  # rule 3

    def open_to_all(self) -> bool:
        """Tells whether the route says `anonymous: true`."""
        return self.anonymous

    def roles_held_by(self, subject: "Subject") -> bool:
        """Tells whether the subject holds every role that the route demands."""
        for role in self.roles:  # noqa: SIM110 - the hot path: a generator costs more than the questions
            if not subject.has_role(role):
                return False
        return True

    def demands_only(self, roles: list[str]) -> bool:
        """Tells whether the route demands no role but some of `roles`."""
        return all(role in roles for role in self.roles)

    def from_network(self, cidr: str) -> bool:
        """Tells whether the client's address lies in `cidr`."""
        return self.address in IPNetwork(cidr)

    def time_between(self, start: str, end: str, zone: str) -> bool:
        """Tells whether the clock in `zone` stands in [start, end), `HH:MM`; the span may cross midnight."""
        clock = self.now.astimezone(ZoneInfo(zone)).time()
        first, last = time.fromisoformat(start), time.fromisoformat(end)
        return first <= clock < last if first <= last else clock >= first or clock < last


class Subject(msgspec.Struct, eq=False, gc=False):
    """Who asks: a user with the groups and roles that the facts give, support, a visitor of a share, or nobody (anonymous).

    It is of one revision.

    Attributes:
        facts: where groups and the domain are found.
        user: the user's record, for facts, not for policies; None for all who have no account.
        role_floor: the lowest user type that may hold a role; a role that is missing here needs POWER.
        support: who of support asks, which stands outside all domains; empty for everybody else.
        share: the share that a visitor has come by; None for everybody else.
        is_absent: whether somebody else comes with what this user has shared, so that it is not from here that the user comes.
    """

    facts: Facts
    user: UserRecord | None
    role_floor: Mapping[str, UserType]
    support: str = ""
    share: ShareRecord | None = None
    is_absent: bool = False
    _domain: DomainRecord | None = None

    __repr__ = object.__repr__  # rule 3

    @property
    def principals(self) -> tuple[str, ...]:
        """The names under which ACL entries speak of this subject: the user, then the groups; a visitor's share."""
        if self.user is None:
            return self.share.principals if self.share is not None else ()
        return self.user.principals

    def is_signed_in(self) -> bool:
        """Tells whether a valid credential came with the request."""
        return self.user is not None or self.support != "" or self.share is not None

    def has_account(self) -> bool:
        """Tells whether the caller is a user of a system domain."""
        return self.user is not None

    def is_support(self) -> bool:
        """Tells whether the caller is support, which has no account and belongs to no domain (seed: "Support access")."""
        return self.support != ""

    def is_visitor(self) -> bool:
        """Tells whether the caller has no account and was let in by a share (seed: "Non-paid Users")."""
        return self.share is not None

    def has_right(self, right: str) -> bool:
        """Tells whether the share that let the caller in gives `right` (view, download, comment, upload, ...)."""
        return self.share is not None and Right(right) in self.share.rights

    def in_open_share(self, request: Request) -> bool:
        """Tells whether the caller's share has not ended at the time of the request, in a domain that lets users share with visitors."""
        share = self.share
        if share is None or request.now >= share.expires:
            return False
        domain = self.facts.get(f"domain:{share.domain_id}")
        return isinstance(domain, DomainRecord) and domain.external_share

    def is_active(self) -> bool:
        """Tells whether the user's status is ACTIVE (seed: "Status")."""
        return self.user is not None and self.user.status is _ACTIVE

    def in_working_domain(self) -> bool:
        """Tells whether the user's system domain is ACTIVE or WARNING."""
        return (self._domain or self._found_domain() or _NOWHERE).is_working

    def in_frozen_domain(self) -> bool:
        """Tells whether the user's system domain is FROZEN, so that its content may be read and not changed."""
        return (self._domain or self._found_domain() or _NOWHERE).is_frozen

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
        """Tells whether the user holds `role`: the type may hold it, and it comes to the user as the domain's roles do.

        Where groups give roles, one of the user's gives it. Where role groups narrow what the type may hold, the user is in
        none that names roles, or in one that names it.
        """
        user, domain = self.user, self._domain or self._found_domain()
        if user is None or domain is None:
            return False
        if user.type.rank < self.role_floor.get(role, _POWER).rank:
            return False
        get = self.facts.get
        if domain.roles_narrow:
            groups = [group for key in user.group_facts if isinstance(group := get(key), GroupRecord)]
            narrowing = [group.narrows_to for group in groups if group.narrows_to]
            return not narrowing or any(role in names for names in narrowing)
        for key in user.group_facts:
            group = get(key)
            if isinstance(group, GroupRecord) and role in group.roles:
                return True
        return False

    def admitted_from(self, request: Request) -> bool:
        """Tells whether the allow-lists admit the request's address (seed: "IP Allow List").

        While the domain's switch is on, three levels may restrict: the user's own list, those of the groups together, the
        domain's. Of those that have a line for the request's application the most specific decides, or each must admit,
        as the domain says; if none has, nobody is restricted. A visitor is bound by the share's own list and by no other.
        """
        user = self.user
        if user is None or self.is_absent:
            share = self.share
            return share is None or not share.networks or share.networks.admits(request.address)
        domain = self._domain or self._found_domain()
        if domain is None or not domain.allow_list_enabled:
            return domain is not None
        groups = [group for key in user.group_facts if isinstance(group := self.facts.get(key), GroupRecord)]
        levels = ([user.networks], [group.networks for group in groups], [domain.networks])
        named = ([each.networks_for(request.application) for each in level] for level in levels)
        binding = [level for level in named if any(level)]
        if not domain.every_level_binds:
            binding = binding[:1]
        return all(any(networks.admits(request.address) for networks in level) for level in binding)

    def _found_domain(self) -> DomainRecord | None:
        """Returns the record of the user's domain; looked up once."""
        if self.user is not None:
            domain = self.facts.get(self.user.domain_fact)
            self._domain = domain if isinstance(domain, DomainRecord) else None
        return self._domain


class Resource(msgspec.Struct, eq=False, gc=False):
    """What is asked for: an object, or the caller's own domain where the route names none.

    Attributes:
        facts: where records are found.
        key: the object's name, for facts, not for policies; None stands for the caller's own domain.
        now: the time of the decision, at which an entry has expired or not; with a zone.
    """

    facts: Facts
    key: ObjectKey | None
    now: datetime
    _record: ObjectRecord | None = None
    _home: ObjectRecord | None = None

    __repr__ = object.__repr__  # rule 3

    def is_domain(self) -> bool:
        """Tells whether the route names no object, so that the caller's own domain is meant."""
        return self.key is None

    def is_type(self, name: str) -> bool:
        """Tells whether the object's type is `name`."""
        return self.key is not None and self.key.type == name

    def exists(self) -> bool:
        """Tells whether the object, or for a path one of its folders, is registered; a domain always exists."""
        return self.key is None or (self._home or self._found_home()) is not None

    def shares_domain_with(self, subject: Subject) -> bool:
        """Tells whether the object belongs to the subject's own system domain."""
        if self.key is None:
            return True
        whose, home = subject.user or subject.share, self._home or self._found_home()
        return whose is not None and home is not None and home.domain_id == whose.domain_id

    def shared_with(self, subject: Subject) -> bool:
        """Tells whether the object is what the subject's share is of, or stands in that at any depth."""
        share = subject.share
        if share is None or self.key is None:
            return False
        record = self._record or self._found()
        if self.key == share.key or record is None:
            return self.key == share.key
        return any(above.key == share.key for above in self._ancestors(record))

    def is_view_of(self, subject: Subject) -> bool:
        """Tells whether the object is a metadata view by which the subject's share lets visitors read metadata."""
        share = subject.share
        return (
            share is not None
            and self.key is not None
            and self.key.type == "metadata_view"
            and self.key.id in share.views
        )

    def open_to_support(self, request: Request) -> bool:
        """Tells whether the object's domain has support access switched on at the time of the request, and is not DEACTIVATED."""
        home = self._home or self._found_home() if self.key is not None else None
        domain = self.facts.get(f"domain:{home.domain_id}") if home is not None else None
        if not isinstance(domain, DomainRecord) or domain.status is DomainStatus.DEACTIVATED:
            return False
        return domain.support_until is not None and request.now < domain.support_until

    def owned_by(self, subject: Subject) -> bool:
        """Tells whether the subject is the object owner: who created it (not the domain owner, who is an admin)."""
        user, record = subject.user, self._record or self._found()
        return user is not None and record is not None and record.owner_id == user.id

    def grants(self, permission: str, subject: Subject) -> bool:
        """Tells whether an entry on the object itself grants `permission` to the subject or one of its groups."""
        wanted = _WANTED.get(permission) or Permission.named(permission)
        return subject.user is not None and self._own_entry(wanted, subject.user.principals)

    def inherits(self, permission: str, subject: Subject) -> bool:
        """Tells whether a propagating entry on something that contains the object, at any depth, grants `permission`."""
        wanted = _WANTED.get(permission) or Permission.named(permission)
        return subject.user is not None and self._entry_above(wanted, subject.user.principals)

    def given_to_share(self, permission: str, subject: Subject) -> bool:
        """Tells whether an entry, on the object itself or inherited, grants `permission` to visitors of the subject's share."""
        wanted, share = _WANTED.get(permission) or Permission.named(permission), subject.share
        if share is None:
            return False
        return self._own_entry(wanted, share.principals) or self._entry_above(wanted, share.principals)

    def is_held(self) -> bool:
        """Tells whether a deletion in progress closes the object or one of the folders of its path."""
        if self.key is not None and self.key.id[:1] != "/":
            record = self._record or self._found()
            return record is not None and record.held
        for record in self._path():  # noqa: SIM110 - the hot path
            if record.held:
                return True
        return False

    def grants_of(self, permission: str, subject: Subject) -> tuple[Grant, ...]:
        """Returns every entry that grants `permission` now, own before inherited; for `explain`, not for policies."""
        wanted = Permission.named(permission)
        found = (*self._own(subject), *self._inherited(subject))
        return tuple(grant for grant in found if grant.permissions & wanted)

    def _own_entry(self, wanted: int, principals: tuple[str, ...]) -> bool:
        """Tells whether an entry on the object itself grants one of the principals the permission."""
        record = self._record or self._found()
        if record is None:
            return False
        return (
            (bool(record.direct) and _granted(record.direct, wanted, principals))
            or (bool(record.propagating) and _granted(record.propagating, wanted, principals))
            or (bool(record.expiring) and _granted_at(self.now, record.expiring, wanted, principals))
        )

    def _entry_above(self, wanted: int, principals: tuple[str, ...]) -> bool:
        """Tells whether a propagating entry above the object grants one of the principals the permission."""
        record = self._record or self._found()
        if record is None:
            return False
        for parent in record.parent_facts:
            reach = self.facts.reach(parent)
            if reach.lasting and _granted(reach.lasting, wanted, principals):
                return True
            if reach.expiring and _granted_at(self.now, reach.expiring, wanted, principals):
                return True
        return False

    def _found(self) -> ObjectRecord | None:
        """Returns the object's record; looked up once."""
        if self._record is None and self.key is not None:
            type_, id_ = self.key
            record = self.facts.get(f"object:{type_}:{id_}")  # as `ObjectKey.fact` says, on the hot path
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
        key = self.key
        while key is not None:
            record = self.facts.get(key.fact)
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
            for each in record.expiring.get(principal, ()):
                if self.now < each.expires:
                    yield Grant(record.key, principal, each.permissions, False, each.expires)

    def _inherited(self, subject: Subject) -> Iterator[Grant]:
        record = self._found()
        for above in self._ancestors(record) if record is not None else ():
            for principal in subject.principals:
                if permissions := above.propagating.get(principal, Permission.NONE):
                    yield Grant(above.key, principal, permissions, inherited=True)
                for each in above.expiring.get(principal, ()):
                    if each.propagates and self.now < each.expires:
                        yield Grant(above.key, principal, each.permissions, True, each.expires)

    def _ancestors(self, record: ObjectRecord) -> Iterator[ObjectRecord]:
        """Yields what contains the object of `record`, nearest first, each once (several ways may lead there)."""
        waiting = list(record.parent_facts)
        seen = set(waiting)
        get = self.facts.get
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
                raise FactBoundError(f"more than {MAX_ANCESTORS} ancestors above `{self.key}`")


def _granted(entries: Mapping[str, int], wanted: int, principals: tuple[str, ...]) -> bool:
    """Tells whether an entry of one of the principals has the permission."""
    if entries.keys().isdisjoint(principals):
        return False
    for principal in principals:
        held = entries.get(principal)
        if held is not None and int.__and__(held, wanted):
            return True
    return False


def _granted_at(
    now: datetime, entries: Mapping[str, tuple[Expiring, ...]], wanted: int, principals: tuple[str, ...]
) -> bool:
    """Tells whether an entry of one of the principals has the permission and has not expired."""
    if entries.keys().isdisjoint(principals):
        return False
    for principal in principals:
        for expires, held, _ in entries.get(principal, ()):
            if now < expires and int.__and__(held, wanted):
                return True
    return False
