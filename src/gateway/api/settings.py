"""Settings that bear on access, of a domain, of groups and teams, and of users; told, changed, and merged for one user.

Rules:

1. What bears on access is changed by admins alone, whatever roles others hold: a list of addresses, a template or the domain's switches open things.
   Users change the rest of their own settings.
2. A domain's settings are told to its users, a group's to its members, a user's to the user; lists of addresses and support to admins alone. A user's
   merged settings say what binds that user, its list too.
3. No change of a list locks out who makes it, from where they make it (`models.changes.lockout`); the operator's command line can.
4. Merged, the user's own setting wins over that of the primary group, and that over the domain's; of lists the most specific one that is not empty is told,
   whatever the domain says of how they combine and which lines are for one application.
5. PATCH and PUT change what is sent. DELETE empties what a group or user has.

Not served: origins of scripts, Kubernetes, and `user/attributes/`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.api.call import Call
from gateway.api.operations import Service, bad_value, told
from gateway.api.setting_values import (
    DAY,
    AllowedIp,
    GroupSettings,
    GroupSettingsChange,
    SystemChange,
    SystemSettings,
    addresses_of,
    options_of,
    refuse_fixed,
    split,
    terms_from,
)
from gateway.errors import GatewayError
from gateway.reasons import Reason
from models import changes, directory
from models.changes import MAX_SUPPORT, Line, TemplateLevel
from models.door import WriteSession
from models.records import GroupKind
from models.tables import Group, Network, SystemDomain, User

SERVICE: Final = Service("settings")
UNSET: Final = msgspec.UNSET
Settings = dict[str, Any]
"""Settings of a user: those that bear on access, and whatever interfaces keep there."""


@SERVICE.operation(tagged=True)
def get_system(call: Call) -> SystemSettings:
    """The settings of the domain."""
    with call.read() as session:
        return _system(session, call)


@SERVICE.operation(tagged=True)
def get_system_by_id(call: Call) -> SystemSettings:
    """The settings of the domain; any other is not there."""
    _check_domain(call)
    return get_system(call)


@SERVICE.operation(tagged=True)
def replace_system(call: Call, body: SystemChange) -> SystemSettings:
    """Changes what is sent of the domain's settings."""
    return _change_system(call, body)


@SERVICE.operation(tagged=True)
def change_system(call: Call, body: SystemChange) -> SystemSettings:
    """Changes what is sent of the domain's settings."""
    return _change_system(call, body)


@SERVICE.operation(tagged=True)
def replace_system_by_id(call: Call, body: SystemChange) -> SystemSettings:
    """Changes what is sent of the domain's settings."""
    _check_domain(call)
    return _change_system(call, body)


@SERVICE.operation(tagged=True)
def change_system_by_id(call: Call, body: SystemChange) -> SystemSettings:
    """Changes what is sent of the domain's settings."""
    _check_domain(call)
    return _change_system(call, body)


@SERVICE.operation(tagged=True)
def get_group_settings(call: Call) -> GroupSettings:
    """The settings of a group."""
    return _get_group(call, None)


@SERVICE.operation(tagged=True)
def get_team_settings(call: Call) -> GroupSettings:
    """The settings of a team."""
    return _get_group(call, GroupKind.TEAM)


@SERVICE.operation(tagged=True)
def replace_group_settings(call: Call, body: GroupSettingsChange) -> GroupSettings:
    """Changes what is sent of a group's settings."""
    return _change_group(call, body, None)


@SERVICE.operation(tagged=True)
def change_group_settings(call: Call, body: GroupSettingsChange) -> GroupSettings:
    """Changes what is sent of a group's settings."""
    return _change_group(call, body, None)


@SERVICE.operation(tagged=True)
def replace_team_settings(call: Call, body: GroupSettingsChange) -> GroupSettings:
    """Changes what is sent of a team's settings."""
    return _change_group(call, body, GroupKind.TEAM)


@SERVICE.operation(tagged=True)
def change_team_settings(call: Call, body: GroupSettingsChange) -> GroupSettings:
    """Changes what is sent of a team's settings."""
    return _change_group(call, body, GroupKind.TEAM)


@SERVICE.operation(204, tagged=True)
def reset_group_settings(call: Call) -> None:
    """Empties a group's settings: it has no template and no list."""
    _change_group(call, GroupSettingsChange(acl_template_id=None, allowed_ips=[]), None)


@SERVICE.operation(204, tagged=True)
def reset_team_settings(call: Call) -> None:
    """Empties a team's settings: it has no template and no list."""
    _change_group(call, GroupSettingsChange(acl_template_id=None, allowed_ips=[]), GroupKind.TEAM)


@SERVICE.operation(tagged=True)
def get_user_settings(call: Call) -> Settings:
    """The settings of a user: of the caller, or for an admin of anybody."""
    with call.read() as session:
        return _of_user(session, call, _the_user(session, call))


@SERVICE.operation(tagged=True, partial=True)
def replace_user_settings(call: Call, body: Settings) -> Settings:
    """Replaces a user's own settings by what is sent; what bears on access changes where it is sent."""
    return _change_user(call, body, replaces=True)


@SERVICE.operation(tagged=True, partial=True)
def change_user_settings(call: Call, body: Settings) -> Settings:
    """Changes what is sent of a user's settings."""
    return _change_user(call, body, replaces=False)


@SERVICE.operation(204, tagged=True)
def reset_user_settings(call: Call) -> None:
    """Empties a user's settings; for an admin also what bears on access."""
    emptied: Settings = {"acl_template_id": None, "allowed_ips": []} if call.is_admin else {}
    _change_user(call, emptied, replaces=True)


@SERVICE.operation()
def get_merged(call: Call) -> Settings:
    """What is set for the caller, by whichever level says it."""
    with call.read() as session:
        return _merged(session, call, changes.the_user(session, call.user.id))


@SERVICE.operation()
def get_merged_of(call: Call) -> Settings:
    """What is set for a user, by whichever level says it: for the caller, or for an admin for anybody."""
    with call.read() as session:
        return _merged(session, call, _the_user(session, call))


def _system(session: Session, call: Call) -> SystemSettings:
    domain = session.get_one(SystemDomain, call.domain_id)
    terms = changes.share_terms_of(session, domain.id)
    open_to_support = domain.support_until is not None and domain.support_until > datetime.now(UTC)
    template = directory.template_set_for(session, TemplateLevel.DOMAIN, domain.id)
    return SystemSettings(
        system_domain_id=domain.id,
        system_domain_name=domain.name,
        client_ip=str(call.case.inbound.client),
        acl_template_id=template,
        allowed_ips=addresses_of(_lines(session, domain.id, {})) if call.is_admin else None,
        enable_shield=domain.allow_list_enabled,
        allow_list_rule=domain.allow_list_rule,
        role_model=domain.role_model,
        external_share=domain.external_share,
        share_expiration_time=-(-terms.life // DAY),
        default_share_options=options_of(terms),
        default_user_token_ttl=domain.token_lifetime,
        default_app_token_ttl=domain.token_lifetime,
        support_access=open_to_support if call.is_admin else None,
        support_access_until=domain.support_until if call.is_admin and open_to_support else None,
    )


def _change_system(call: Call, body: SystemChange) -> SystemSettings:
    call.admins_only("what is set for the domain")
    with call.write() as session:
        before = _system(session, call)
        call.unchanged(before)
        refuse_fixed(body, before, "system_domain_id", "system_domain_name")
        with _nobody_locked_out(session, call):
            _set_addresses(session, call, {}, body.allowed_ips)
            if isinstance(body.enable_shield, bool):
                changes.set_allow_list(session, call.domain_id, enabled=body.enable_shield, guard=None)
            if body.allow_list_rule not in (UNSET, None):
                changes.set_allow_list_rule(session, call.domain_id, body.allow_list_rule, guard=None)
        if body.acl_template_id is not UNSET:
            changes.set_template(session, TemplateLevel.DOMAIN, call.domain_id, body.acl_template_id)
        if body.role_model not in (UNSET, None):
            changes.set_role_model(session, call.domain_id, body.role_model)
        _set_sharing(session, call, body)
        _set_tokens(session, call, body)
        _set_support(session, call, body)
        session.flush()
        return _system(session, call)


def _set_sharing(session: WriteSession, call: Call, body: SystemChange) -> None:
    if isinstance(body.external_share, bool):
        changes.set_external_share(session, call.domain_id, on=body.external_share)
    said: dict[str, Any] = {}
    if body.default_share_options not in (UNSET, None):
        said = terms_from(body.default_share_options, changes.share_terms_of(session, call.domain_id))
    if isinstance(body.share_expiration_time, int):
        said["life"] = timedelta(days=body.share_expiration_time)
    if said:
        changes.set_share_terms(session, call.domain_id, **said)


def _set_tokens(session: WriteSession, call: Call, body: SystemChange) -> None:
    sent = [
        value for value in (body.default_user_token_ttl, body.default_app_token_ttl) if value is not UNSET
    ]
    if len(set(sent)) > 1:
        raise bad_value("tokens of all kinds last equally long here: send one number, or twice the same")
    for value in sent[:1]:
        changes.set_token_lifetime(
            session, call.domain_id, timedelta(seconds=value) if isinstance(value, int) else None
        )


def _set_support(session: WriteSession, call: Call, body: SystemChange) -> None:
    until = body.support_access_until
    if isinstance(until, datetime):
        changes.let_support_in(session, call.domain_id, until)
    elif body.support_access is True:
        domain = session.get_one(SystemDomain, call.domain_id)
        if domain.support_until is None or domain.support_until <= datetime.now(UTC):
            changes.let_support_in(session, call.domain_id, datetime.now(UTC) + MAX_SUPPORT)
    elif body.support_access is False:
        changes.let_support_in(session, call.domain_id, None)


def _get_group(call: Call, kind: GroupKind | None) -> GroupSettings:
    with call.read() as session:
        group = _the_group(session, call, kind)
        if not call.is_admin and group.id not in call.user.group_ids:
            raise told(Reason.ROLE, "a group's settings are told to its members, and to admins")
        return _of_group(session, call, group)


def _change_group(call: Call, body: GroupSettingsChange, kind: GroupKind | None) -> GroupSettings:
    call.admins_only("what is set for a group")
    with call.write() as session:
        group = _the_group(session, call, kind)
        before = _of_group(session, call, group)
        call.unchanged(before)
        refuse_fixed(body, before, "group_id", "system_domain_id")
        with _nobody_locked_out(session, call):
            _set_addresses(session, call, {"group_id": group.id}, body.allowed_ips)
        if body.acl_template_id is not UNSET:
            changes.set_template(session, TemplateLevel.GROUP, group.id, body.acl_template_id)
        return _of_group(session, call, group)


def _of_group(session: Session, call: Call, group: Group) -> GroupSettings:
    lines = addresses_of(_lines(session, call.domain_id, {"group_id": group.id})) if call.is_admin else None
    template = directory.template_set_for(session, TemplateLevel.GROUP, group.id)
    return GroupSettings(
        group_id=group.id,
        system_domain_id=group.domain_id,
        client_ip=str(call.case.inbound.client),
        acl_template_id=template,
        allowed_ips=lines,
    )


def _change_user(call: Call, body: Settings, *, replaces: bool) -> Settings:
    said, others = split(body)
    with call.write() as session:
        user = _the_user(session, call)
        before = _of_user(session, call, user)
        call.unchanged(before)
        for name in ("user_id", "system_domain_id"):
            if getattr(said, name) not in (UNSET, None, before[name]):
                raise bad_value(f"`{name}` cannot be changed")
        same = (UNSET, before["acl_template_id"]), (UNSET, before["allowed_ips"])
        if said.acl_template_id not in same[0] or said.allowed_ips not in same[1]:
            call.admins_only("what bears on access")
            with _nobody_locked_out(session, call):
                _set_addresses(session, call, {"user_id": user.id}, said.allowed_ips)
            if said.acl_template_id is not UNSET:
                changes.set_template(session, TemplateLevel.USER, user.id, said.acl_template_id)
        kept = others if replaces else {**user.settings, **others}
        kept = {name: value for name, value in kept.items() if value is not None}
        if kept != user.settings:
            changes.update_user(session, user.id, settings=kept)
        return _of_user(session, call, user)


def _of_user(session: Session, call: Call, user: User) -> Settings:
    lines = addresses_of(_lines(session, user.domain_id, {"user_id": user.id})) if call.is_admin else None
    return {
        **user.settings,
        "user_id": user.id,
        "system_domain_id": user.domain_id,
        "client_ip": str(call.case.inbound.client),
        "acl_template_id": directory.template_set_for(session, TemplateLevel.USER, user.id),
        "allowed_ips": lines,
    }


def _merged(session: Session, call: Call, user: User) -> Settings:
    """Returns what is set for a user (rule 4)."""
    system = msgspec.to_builtins(_system(session, call))
    template = directory.template_set_for(session, TemplateLevel.USER, user.id)
    if template is None and user.primary_group_id is not None:
        template = directory.template_set_for(session, TemplateLevel.GROUP, user.primary_group_id)
    levels: list[list[Network]] = [_lines(session, user.domain_id, {"user_id": user.id})]
    groups = directory.list_groups_of(session, user.id)
    levels.append(
        [line for group in groups for line in _lines(session, user.domain_id, {"group_id": group.id})]
    )
    levels.append(_lines(session, user.domain_id, {}))
    binding = next((level for level in levels if level), [])
    return {
        **user.settings,
        **system,
        "user_id": user.id,
        "group_id": user.primary_group_id,
        "acl_template_id": template or system["acl_template_id"],
        "allowed_ips": msgspec.to_builtins(addresses_of(binding)),
    }


def _set_addresses(
    session: WriteSession, call: Call, line: Line, wanted: list[AllowedIp] | msgspec.UnsetType | None
) -> None:
    """Makes a list what was sent; lines that stay keep their notes. Whoever calls it looks after who is locked out."""
    if isinstance(wanted, msgspec.UnsetType):
        return
    kept: set[tuple[str, str | None]] = set()
    for each in wanted or ():
        where = Line(**line, application_id=each.app_id)
        present = {(row.cidr, row.application_id): row for row in _lines(session, call.domain_id, line)}
        row = present.get((each.ip, each.app_id)) or changes.allow_network(
            session, call.domain_id, each.ip, guard=None, **where
        )
        kept.add((row.cidr, row.application_id))
    for row in _lines(session, call.domain_id, line):
        if (row.cidr, row.application_id) not in kept:
            gone = Line(**line, application_id=row.application_id)
            changes.disallow_network(session, call.domain_id, row.cidr, guard=None, **gone)


@contextmanager
def _nobody_locked_out(session: WriteSession, call: Call) -> Iterator[None]:
    with session.begin_nested(), changes.no_lockout(session, call.domain_id, call.guard):
        yield


def _lines(session: Session, domain_id: str, line: Line) -> list[Network]:
    """Returns the lines of one list: a group's, a user's, else the domain's."""
    found = select(Network).where(
        Network.domain_id == domain_id,
        Network.group_id.is_not_distinct_from(line.get("group_id")),
        Network.user_id.is_not_distinct_from(line.get("user_id")),
    )
    return list(session.scalars(found))


def _the_group(session: Session, call: Call, kind: GroupKind | None) -> Group:
    group = changes.the_group(session, call.parameter("group_id"), call.domain_id)
    if group.kind is GroupKind.ROLE_GROUP or (kind is not None and group.kind is not kind):
        raise told(Reason.NOT_FOUND, "there is no such group that has settings")
    return group


def _the_user(session: Session, call: Call) -> User:
    """Returns the user that the path names: the caller, or for an admin anybody of the domain (rule 2)."""
    user_id = call.parameter("user_id")
    if user_id != call.user.id and not call.is_admin:
        raise GatewayError(Reason.ROLE, "the settings of another user")
    return changes.the_user(session, user_id, call.domain_id)


def _check_domain(call: Call) -> None:
    if call.parameter("system_domain_id") != call.domain_id:
        raise told(Reason.NOT_FOUND, "there is no domain with this id")
