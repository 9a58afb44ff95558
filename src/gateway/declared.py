"""A declared state of the model: read from a file, and brought about in one commit.

Rules:

1. What is named is made so; what is not named stays as it is. A list that is named (roles, members, networks, entries) is meant as a whole:
   who is not in it goes. Nothing that is not in such a list is removed.
2. Domains, groups and templates that are not there are made. Users and objects must be there: a declared state says who may do what, not who exists.
3. A file is read as a whole before anything is changed, and each mistake in it told with its line. What the model refuses ends it, and
   nothing of it is done.
4. Whether somebody is locked out is judged at the end and not on the way (`models.changes.no_lockout`).
5. The same file again changes nothing.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import PolicyFileError
from gateway.routes.sheets import Entry, Sheet
from gateway.routes.templates import nearest
from models import changes, directory
from models.changes import ChangeError, ConflictError, Guard, TemplateLevel, Terms
from models.networks import AddressError, canonical_network
from models.records import AllowListRule, DomainStatus, GroupKind, ObjectKey, Permission, RoleModel
from models.tables import AclTemplate, Group, Network, SystemDomain

_DOMAIN: Final = (
    "status",
    "role_model",
    "external_share",
    "allow_list",
    "groups",
    "templates",
    "template",
    "acl",
)
_LIST: Final = ("enabled", "rule", "networks")
_GROUP: Final = ("kind", "description", "roles", "members", "networks", "template")
_TEMPLATE: Final = ("entries",)
_ENTRY: Final = ("to", "may", "propagates", "until")
_LINE: Final = ("cidr", "app", "note")
NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class Grant:
    """An entry: who may do what, whether on content too, and until when."""

    place: str
    to: str
    may: Permission
    propagates: bool = False
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an allow-list."""

    place: str
    cidr: str
    app: str | None = None
    note: str = ""


@dataclass(slots=True)
class GroupState:
    """What is said of a group; None is nothing."""

    place: str
    kind: GroupKind | None = None
    description: str | None = None
    roles: list[str] | None = None
    members: list[str] | None = None
    networks: list[Line] | None = None
    template: str | None = None


@dataclass(slots=True)
class DomainState:
    """What is said of a domain; None is nothing."""

    place: str
    status: DomainStatus | None = None
    role_model: RoleModel | None = None
    external_share: bool | None = None
    enabled: bool | None = None
    rule: AllowListRule | None = None
    networks: list[Line] | None = None
    template: str | None = None
    groups: dict[str, GroupState] = field(default_factory=dict)
    templates: dict[str, list[Grant] | None] = field(default_factory=dict)
    acl: dict[ObjectKey, list[Grant]] = field(default_factory=dict)


Declared = Mapping[str, DomainState]
"""Domains by name."""


def read_declared(path: Path, known_roles: Collection[str] | None) -> Declared:
    """Returns what a file declares.

    Args:
        path: of the file.
        known_roles: the catalogue; None to take any role.

    Raises:
        PolicyFileError: it is not sound; carries every problem, each with its line (rule 3).
    """
    sheet = Sheet(path.name)
    try:
        top = sheet.read(path.read_bytes())
    except OSError as error:
        raise PolicyFileError([f"`{path}` cannot be read: {error.strerror}"]) from None
    found: dict[str, DomainState] = {}
    if top is not None:
        domains = top.as_fields("the file", ("domains",)).get("domains")
        for name, entry in domains.as_pairs("`domains`") if domains is not None else ():
            found[name] = _domain(entry, known_roles)
        if domains is None and not sheet.problems:
            top.report("the file names no `domains`")
    if sheet.problems:
        raise PolicyFileError(sheet.problems)
    return found


def bring_about(session: Session, declared: Declared, guard: Guard | None) -> None:
    """Makes the model as it is declared.

    Args:
        session: of the write door.
        declared: what `read_declared` returned.
        guard: whom no domain may lock out (rule 4).

    Raises:
        ChangeError: the model refuses something; the message begins with the line that asked for it.
    """
    for name, state in declared.items():
        with _at(state.place):
            there = session.scalar(select(SystemDomain).where(SystemDomain.name == name))
            domain = there or changes.create_domain(session, name)
            with changes.no_lockout(session, domain.id, guard):
                _bring_domain(session, domain, state)


def _bring_domain(session: Session, domain: SystemDomain, state: DomainState) -> None:
    if state.status is not None and state.status is not domain.status:
        changes.set_domain_status(session, domain.id, state.status)
    if state.role_model is not None and state.role_model is not domain.role_model:
        changes.set_role_model(session, domain.id, state.role_model)
    if state.external_share is not None and state.external_share is not domain.external_share:
        changes.set_external_share(session, domain.id, on=state.external_share)
    groups = {name: _bring_group(session, domain, name, said) for name, said in state.groups.items()}
    for name, entries in state.templates.items():
        _bring_template(session, domain, name, entries)
    _bring_use(session, domain, TemplateLevel.DOMAIN, domain.id, state.template)
    for name, said in state.groups.items():
        with _at(said.place):
            _bring_use(session, domain, TemplateLevel.GROUP, groups[name].id, said.template)
    for key, entries in state.acl.items():
        _bring_entries(session, domain, key, entries)
    if state.networks is not None:
        _bring_networks(session, domain, state.networks, None)
    if state.rule is not None and state.rule is not domain.allow_list_rule:
        changes.set_allow_list_rule(session, domain.id, state.rule, guard=None)
    if state.enabled is not None and state.enabled is not domain.allow_list_enabled:
        changes.set_allow_list(session, domain.id, enabled=state.enabled, guard=None)


def _bring_group(session: Session, domain: SystemDomain, name: str, state: GroupState) -> Group:
    with _at(state.place):
        group = session.scalar(select(Group).where(Group.domain_id == domain.id, Group.name == name))
        if group is None:
            group = changes.create_group(session, domain.id, name, kind=state.kind or GroupKind.GROUP)
        elif state.kind is not None and state.kind is not group.kind:
            raise ConflictError(f"`{name}` is a {group.kind}, and stays one: give a new group another name")
        if state.description is not None and state.description != group.description:
            changes.update_group(session, group.id, description=state.description)
        if state.roles is not None and sorted(set(state.roles)) != list(
            directory.list_roles(session, group.id)
        ):
            changes.set_roles(session, group.id, state.roles)
        if state.members is not None:
            wanted = {directory.find_user(session, domain.id, each).id for each in state.members}
            there = {user.id for user in directory.list_members(session, group.id)}
            for user_id in sorted(wanted - there):
                changes.add_member(session, group.id, user_id, guard=None)
            for user_id in sorted(there - wanted):
                changes.remove_member(session, group.id, user_id, guard=None)
        if state.networks is not None:
            _bring_networks(session, domain, state.networks, group.id)
        return group


def _bring_networks(session: Session, domain: SystemDomain, lines: list[Line], group_id: str | None) -> None:
    wanted = {}
    for line in lines:
        with _at(line.place):
            app = (
                directory.find_application(session, domain.id, line.app).id if line.app is not None else None
            )
            wanted[canonical_network(line.cidr), app] = line
    rows = select(Network).where(
        Network.domain_id == domain.id, Network.group_id == group_id, Network.user_id.is_(None)
    )
    there = {(row.cidr, row.application_id): row.note for row in session.scalars(rows)}
    for (cidr, app), line in wanted.items():
        if (cidr, app) not in there or there[cidr, app] != line.note:
            if (cidr, app) in there:
                changes.disallow_network(
                    session, domain.id, cidr, group_id=group_id, application_id=app, guard=None
                )
            with _at(line.place):
                changes.allow_network(
                    session,
                    domain.id,
                    cidr,
                    note=line.note,
                    group_id=group_id,
                    application_id=app,
                    guard=None,
                )
    for cidr, app in there.keys() - wanted.keys():
        changes.disallow_network(session, domain.id, cidr, group_id=group_id, application_id=app, guard=None)


def _bring_template(session: Session, domain: SystemDomain, name: str, entries: list[Grant] | None) -> None:
    found = session.scalar(
        select(AclTemplate).where(AclTemplate.domain_id == domain.id, AclTemplate.name == name)
    )
    template = found or changes.create_template(session, domain.id, name)
    if entries is None:
        return
    wanted = _by_principal(session, domain, entries)
    there = {
        (each.principal, each.propagates): each.permissions
        for each in directory.list_template_entries(session, template.id)
    }
    if {who: entry.may for who, entry in wanted.items()} == there:
        return
    for who in {principal for principal, _ in there}:
        changes.take_from_template(session, template.id, who)
    for (who, propagates), entry in wanted.items():
        with _at(entry.place):
            changes.give_in_template(session, template.id, who, entry.may, propagates=propagates)


def _bring_use(
    session: Session, domain: SystemDomain, level: TemplateLevel, subject: str, name: str | None
) -> None:
    if name is None:
        return
    template = directory.find_template(session, domain.id, name) if name != NONE else None
    if directory.template_set_for(session, level, subject) != (template.id if template else None):
        changes.set_template(session, level, subject, template.id if template else None)


def _bring_entries(session: Session, domain: SystemDomain, key: ObjectKey, entries: list[Grant]) -> None:
    wanted = _by_principal(session, domain, entries)
    there = {(each.principal, each.propagates) for each in directory.list_entries(session, key)}
    for (who, propagates), entry in wanted.items():
        with _at(entry.place):
            terms = Terms(entry.may, propagates, entry.until)
            changes.set_entries(session, [key], [who], terms, changes.AclMode.OVERWRITE)
    for who, propagates in sorted(there - wanted.keys()):
        changes.revoke(session, key, who, propagates=propagates)


def _by_principal(
    session: Session, domain: SystemDomain, entries: list[Grant]
) -> dict[tuple[str, bool], Grant]:
    found: dict[tuple[str, bool], Grant] = {}
    for entry in entries:
        with _at(entry.place):
            kind, _, name = entry.to.partition(":")
            if kind == "user":
                who = f"user:{directory.find_user(session, domain.id, name).id}"
            else:
                who = f"group:{directory.find_group(session, domain.id, name).id}"
            if (who, entry.propagates) in found:
                raise ConflictError(f"`{entry.to}` has two entries here: write one with all permissions")
            found[who, entry.propagates] = entry
    return found


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Lets what the model refuses begin with the line that asked for it, the innermost."""
    try:
        yield
    except ChangeError as error:
        if not str(error).startswith(place.partition(":")[0] + ":"):
            error.args = (f"{place}: {error}",)
        raise
    except AddressError as error:
        raise ConflictError(f"{place}: {error}") from None


def _domain(entry: Entry, known_roles: Collection[str] | None) -> DomainState:
    fields = entry.as_fields("a domain", _DOMAIN)
    state = DomainState(entry.place)
    state.status = _choice(fields.get("status"), "`status`", DomainStatus)
    state.role_model = _choice(fields.get("role_model"), "`role_model`", RoleModel)
    state.template = _text(fields.get("template"), "`template`")
    if (share := fields.get("external_share")) is not None:
        state.external_share = share.as_flag("`external_share`")
    if (lists := fields.get("allow_list")) is not None:
        said = lists.as_fields("`allow_list`", _LIST)
        state.enabled = said["enabled"].as_flag("`enabled`") if "enabled" in said else None
        state.rule = _choice(said.get("rule"), "`rule`", AllowListRule)
        state.networks = _lines(said.get("networks"))
    for name, each in fields["groups"].as_pairs("`groups`") if "groups" in fields else ():
        state.groups[name] = _group(each, known_roles)
    for name, each in fields["templates"].as_pairs("`templates`") if "templates" in fields else ():
        entries = each.as_fields("a template", _TEMPLATE).get("entries")
        state.templates[name] = _grants(entries, ends=False) if entries is not None else None
    for name, each in fields["acl"].as_pairs("`acl`") if "acl" in fields else ():
        try:
            state.acl[ObjectKey.parse(name)] = _grants(each, ends=True)
        except ValueError as error:
            each.report(str(error))
    return state


def _group(entry: Entry, known_roles: Collection[str] | None) -> GroupState:
    fields = entry.as_fields("a group", _GROUP)
    state = GroupState(entry.place)
    state.kind = _choice(fields.get("kind"), "`kind`", GroupKind)
    state.description = _text(fields.get("description"), "`description`")
    state.template = _text(fields.get("template"), "`template`")
    state.networks = _lines(fields.get("networks"))
    if "members" in fields:
        state.members = fields["members"].as_texts("`members`", may_be_empty=True)
    if "roles" in fields:
        state.roles = fields["roles"].as_texts("`roles`", may_be_empty=True)
        for role in state.roles:
            if known_roles is not None and role not in known_roles:
                fields["roles"].report(f"the catalogue has no role `{role}`{nearest(role, known_roles)}")
    return state


def _grants(entry: Entry, *, ends: bool) -> list[Grant]:
    found = []
    for each in entry.as_list("entries"):
        fields = each.as_fields("an entry", _ENTRY if ends else _ENTRY[:-1])
        to = _text(fields.get("to"), "`to`") or ""
        may = Permission.NONE
        for name in fields["may"].as_texts("`may`") if "may" in fields else ():
            try:
                may |= Permission.named(name)
            except ValueError as error:
                fields["may"].report(str(error))
        if to.partition(":")[0] not in ("user", "group") or not may:
            each.report(
                "an entry says `to`, as in group:editors or user:ann@example.org, and `may`, as in [read]"
            )
        propagates = fields["propagates"].as_flag("`propagates`") if "propagates" in fields else False
        found.append(Grant(each.place, to, may, bool(propagates), _time(fields.get("until"))))
    return found


def _lines(entry: Entry | None) -> list[Line] | None:
    if entry is None:
        return None
    found = []
    for each in entry.as_list("`networks`"):
        if each.text is not None:
            found.append(Line(each.place, each.as_text("a network") or ""))
            continue
        fields = each.as_fields("a network", _LINE)
        cidr = _text(fields.get("cidr"), "`cidr`")
        if cidr is None:
            each.report("a network says `cidr`, as in 10.0.0.0/8")
        found.append(
            Line(
                each.place,
                cidr or "",
                _text(fields.get("app"), "`app`"),
                _text(fields.get("note"), "`note`") or "",
            )
        )
    return found


def _time(entry: Entry | None) -> datetime | None:
    if entry is None:
        return None
    try:
        time = datetime.fromisoformat(entry.text or "")
    except ValueError:
        time = None
    if time is None or time.utcoffset() is None:
        entry.report("`until` is a time with a zone, as in 2030-01-31T18:00:00+01:00")
    return time


def _choice(entry: Entry | None, what: str, kind: Any) -> Any:  # noqa: ANN401 - an Enum's class and a member of it
    text = entry.as_choice(what, tuple(kind)) if entry is not None else None
    return kind(text) if text is not None else None


def _text(entry: Entry | None, what: str) -> str | None:
    return entry.as_text(what) if entry is not None else None
