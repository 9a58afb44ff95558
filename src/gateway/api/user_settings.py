"""Settings of users, and what is set for a user by whichever level says it (`gateway.api.settings`, rules).

Merged, the user's own setting wins over that of the primary group, and that over the domain's; of lists the most specific one that is not empty is
told, whatever the domain says of how they combine and which lines are for one application. So they say what binds a user, its list too.
"""

from typing import Any

import msgspec
from sqlalchemy.orm import Session

from gateway.api.allow_lists import lines_of, nobody_locked_out, set_addresses
from gateway.api.call import Call
from gateway.api.setting_values import addresses_of, refuse_fixed, split
from gateway.api.settings import SERVICE, UNSET, system_of
from gateway.errors import GatewayError
from gateway.reasons import Reason
from models import changes, directory
from models.changes import TemplateLevel
from models.tables import Network, User

Settings = dict[str, Any]
"""Settings of a user: those that bear on access, and whatever interfaces keep there."""


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


def _change_user(call: Call, body: Settings, *, replaces: bool) -> Settings:
    said, others = split(body)
    with call.write() as session:
        user = _the_user(session, call)
        before = _of_user(session, call, user)
        call.unchanged(before)
        refuse_fixed(said, user_id=user.id, system_domain_id=user.domain_id)
        has_other_template = said.acl_template_id not in (UNSET, before["acl_template_id"])
        if has_other_template or said.allowed_ips not in (UNSET, before["allowed_ips"]):
            call.admins_only("what bears on access")
            with nobody_locked_out(session, call):
                set_addresses(session, call, {"user_id": user.id}, said.allowed_ips)
            if said.acl_template_id is not UNSET:
                changes.set_template(session, TemplateLevel.USER, user.id, said.acl_template_id)
        kept = others if replaces else {**user.settings, **others}
        kept = {name: value for name, value in kept.items() if value is not None}
        if kept != user.settings:
            changes.update_user(session, user.id, settings=kept)
        return _of_user(session, call, user)


def _of_user(session: Session, call: Call, user: User) -> Settings:
    lines = addresses_of(lines_of(session, user.domain_id, {"user_id": user.id})) if call.is_admin else None
    return {
        **user.settings,
        "user_id": user.id,
        "system_domain_id": user.domain_id,
        "client_ip": str(call.case.inbound.client),
        "acl_template_id": directory.template_set_for(session, TemplateLevel.USER, user.id),
        "allowed_ips": lines,
    }


def _merged(session: Session, call: Call, user: User) -> Settings:
    """Returns what is set for a user."""
    system = msgspec.to_builtins(system_of(session, call))
    template = directory.template_set_for(session, TemplateLevel.USER, user.id)
    if template is None and user.primary_group_id is not None:
        template = directory.template_set_for(session, TemplateLevel.GROUP, user.primary_group_id)
    levels: list[list[Network]] = [lines_of(session, user.domain_id, {"user_id": user.id})]
    groups = directory.list_groups_of(session, user.id)
    levels.append(
        [line for group in groups for line in lines_of(session, user.domain_id, {"group_id": group.id})]
    )
    levels.append(lines_of(session, user.domain_id, {}))
    binding = next((level for level in levels if level), [])
    return {
        **user.settings,
        **system,
        "user_id": user.id,
        "group_id": user.primary_group_id,
        "acl_template_id": template or system["acl_template_id"],
        "allowed_ips": msgspec.to_builtins(addresses_of(binding)),
    }


def _the_user(session: Session, call: Call) -> User:
    """Returns the user that the path names: the caller, or for an admin anybody of the domain (rule 2)."""
    user_id = call.parameter("user_id")
    if user_id != call.user.id and not call.is_admin:
        raise GatewayError(Reason.ROLE, "the settings of another user")
    return changes.the_user(session, user_id, call.domain_id)
