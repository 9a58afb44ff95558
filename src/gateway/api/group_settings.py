"""Settings of groups and teams that bear on access (`gateway.api.settings`, rules): a template for what members create, and where they come from."""

from sqlalchemy.orm import Session

from gateway.api.allow_lists import lines_of, nobody_locked_out, set_addresses
from gateway.api.call import Call
from gateway.api.operations import told
from gateway.api.setting_values import GroupSettings, GroupSettingsChange, addresses_of, refuse_fixed
from gateway.api.settings import SERVICE, UNSET
from gateway.reasons import Reason
from models import changes, directory
from models.changes import TemplateLevel
from models.records import GroupKind
from models.tables import Group


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
        refuse_fixed(body, group_id=group.id, system_domain_id=group.domain_id)
        with nobody_locked_out(session, call):
            set_addresses(session, call, {"group_id": group.id}, body.allowed_ips)
        if body.acl_template_id is not UNSET:
            changes.set_template(session, TemplateLevel.GROUP, group.id, body.acl_template_id)
        return _of_group(session, call, group)


def _of_group(session: Session, call: Call, group: Group) -> GroupSettings:
    lines = addresses_of(lines_of(session, call.domain_id, {"group_id": group.id})) if call.is_admin else None
    template = directory.template_set_for(session, TemplateLevel.GROUP, group.id)
    return GroupSettings(
        group_id=group.id,
        system_domain_id=group.domain_id,
        client_ip=str(call.case.inbound.client),
        acl_template_id=template,
        allowed_ips=lines,
    )


def _the_group(session: Session, call: Call, kind: GroupKind | None) -> Group:
    group = changes.the_group(session, call.parameter("group_id"), call.domain_id)
    if group.kind is GroupKind.ROLE_GROUP or (kind is not None and group.kind is not kind):
        raise told(Reason.NOT_FOUND, "there is no such group that has settings")
    return group
