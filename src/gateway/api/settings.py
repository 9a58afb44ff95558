"""Settings of a domain that bear on access: told to its users, changed by its admins.

Rules, for settings of all levels:

1. What bears on access is changed by admins alone, whatever roles others hold: a list of addresses, a template or the domain's switches open things.
   Users change the rest of their own settings.
2. A domain's settings are told to its users, a group's to its members, a user's to the user; lists of addresses and support to admins alone.
3. PATCH and PUT change what is sent. DELETE empties what a group or user has.

Not served: origins of scripts, Kubernetes, and `user/attributes/`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy.orm import Session

from gateway.api.allow_lists import lines_of, nobody_locked_out, set_addresses
from gateway.api.call import Call
from gateway.api.operations import Service, bad_value, told
from gateway.api.setting_values import (
    DAY,
    SystemChange,
    SystemSettings,
    addresses_of,
    options_of,
    refuse_fixed,
    terms_from,
)
from gateway.reasons import Reason
from models import changes, directory
from models.changes import MAX_SUPPORT, TemplateLevel
from models.door import WriteSession
from models.tables import SystemDomain

SERVICE: Final = Service("settings")
UNSET: Final = msgspec.UNSET


@SERVICE.operation(tagged=True)
def get_system(call: Call) -> SystemSettings:
    """The settings of the domain."""
    with call.read() as session:
        return system_of(session, call)


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


def system_of(session: Session, call: Call) -> SystemSettings:
    """Returns the settings of the caller's domain as it is told them."""
    domain = session.get_one(SystemDomain, call.domain_id)
    terms = changes.share_terms_of(session, domain.id)
    open_to_support = domain.support_until is not None and domain.support_until > datetime.now(UTC)
    template = directory.template_set_for(session, TemplateLevel.DOMAIN, domain.id)
    return SystemSettings(
        system_domain_id=domain.id,
        system_domain_name=domain.name,
        client_ip=str(call.case.inbound.client),
        acl_template_id=template,
        allowed_ips=addresses_of(lines_of(session, domain.id, {})) if call.is_admin else None,
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
        before = system_of(session, call)
        call.unchanged(before)
        refuse_fixed(
            body, system_domain_id=before.system_domain_id, system_domain_name=before.system_domain_name
        )
        with nobody_locked_out(session, call):
            set_addresses(session, call, {}, body.allowed_ips)
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
        return system_of(session, call)


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


def _check_domain(call: Call) -> None:
    if call.parameter("system_domain_id") != call.domain_id:
        raise told(Reason.NOT_FOUND, "there is no domain with this id")
