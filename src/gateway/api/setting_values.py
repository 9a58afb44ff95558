"""Settings as they are told and taken: their fields, and where each is kept.

Rules:

1. Here are the settings that bear on access. Others are a matter of interfaces: for a user they are kept as they are sent (`settings` of the user), of
   domains and groups they are refused, since nobody here would keep them.
2. A setting that would bear on access and is not known here, or is known of domains only, is refused for users, too: whoever sets it counts on it.
3. Times to live are one number here, for whatever a token is for: both documented fields say it, and where both are sent they say the same.
4. Support is let in for a time that ends by itself: `support_access` switches it on for 30 days, `support_access_until` says until when.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from gateway.api.operations import bad_value, told
from gateway.api.share_documents import RIGHTS
from gateway.api.tokens import Seconds
from gateway.reasons import Reason
from models.changes.share_terms import LIFE, WATERMARK
from models.records import AllowListRule, RoleModel
from models.tables import Network, ShareTerms

DAY: Final = 86_400
"""Seconds."""
MAX_ADDRESSES: Final = 100
"""Lines of one list (documented)."""
NOT_KEPT: Final = frozenset(
    (
        "collections_get_parent_acls",
        "cors_hosts",
        "default_refresh_token_ttl",
        "delete_grace_period",
        "drm",
        "drm_enforce",
        "enforce_magic_link_allowlist",
        "external_share_options",
        "lock_mapped_collections",
        "max_browse_users",
        "max_power_users",
        "max_standard_users",
        "mfa_methods",
        "mfa_required",
        "password_checks",
        "require_limit_download_groups",
        "required_metadata_views",
        "saml_require_groups",
        "search_users_from_share",
        "update_saml_primary_group_on_login",
        "allow_invites_by_link",
        "allow_share_magic_link_creation",
    )
)
"""Documented settings that bear on access and are not known here (rule 2)."""


class AllowedIp(msgspec.Struct):
    """A line of an allow-list: an address or network, for the tokens of one application or of all."""

    ip: str
    app_id: str | None = None


Addresses = Annotated[list[AllowedIp], msgspec.Meta(max_length=MAX_ADDRESSES)]


class ShareOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What shares of the domain are like by default (`allow_...`), and whether whoever shares may say otherwise (`can_change_...`)."""

    allow_download: bool | None = None
    allow_download_proxy: bool | None = None
    allow_comments: bool | None = None
    allow_setting_approve_status: bool | None = None
    allow_upload: bool | None = None
    allow_view_versions: bool | None = None
    allow_view_transcriptions: bool | None = None
    allow_custom_actions: bool | None = None
    can_change_allow_download: bool | None = None
    can_change_allow_download_proxy: bool | None = None
    can_change_allow_comments: bool | None = None
    can_change_allow_setting_approve_status: bool | None = None
    can_change_allow_upload: bool | None = None
    can_change_allow_view_versions: bool | None = None
    can_change_allow_view_transcriptions: bool | None = None
    can_change_allow_custom_actions: bool | None = None
    can_change_share_expiration_time: bool | None = None
    can_change_show_watermark: bool | None = None
    require_password: bool | None = None
    show_watermark: bool | None = None


class SystemSettings(msgspec.Struct, kw_only=True):
    """Settings of a domain. Allow-list and support are told to admins alone; `client_ip` is the address that the caller comes from."""

    system_domain_id: str
    system_domain_name: str
    client_ip: str
    acl_template_id: str | None
    allowed_ips: list[AllowedIp] | None
    enable_shield: bool
    allow_list_rule: AllowListRule
    role_model: RoleModel
    external_share: bool
    share_expiration_time: int
    default_share_options: ShareOptions
    default_user_token_ttl: int | None
    default_app_token_ttl: int | None
    support_access: bool | None
    support_access_until: datetime | None


class SystemChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to change of a domain; null leaves everything as it is but the template, lives of tokens and the list, which it empties."""

    acl_template_id: str | msgspec.UnsetType | None = msgspec.UNSET
    allowed_ips: Addresses | msgspec.UnsetType | None = msgspec.UNSET
    enable_shield: bool | msgspec.UnsetType | None = msgspec.UNSET
    allow_list_rule: AllowListRule | msgspec.UnsetType | None = msgspec.UNSET
    role_model: RoleModel | msgspec.UnsetType | None = msgspec.UNSET
    external_share: bool | msgspec.UnsetType | None = msgspec.UNSET
    share_expiration_time: Annotated[int, msgspec.Meta(ge=1, le=3650)] | msgspec.UnsetType | None = (
        msgspec.UNSET
    )
    default_share_options: ShareOptions | msgspec.UnsetType | None = msgspec.UNSET
    default_user_token_ttl: Seconds | msgspec.UnsetType | None = msgspec.UNSET
    default_app_token_ttl: Seconds | msgspec.UnsetType | None = msgspec.UNSET
    support_access: bool | msgspec.UnsetType | None = msgspec.UNSET
    support_access_until: datetime | msgspec.UnsetType | None = msgspec.UNSET
    system_domain_id: str | msgspec.UnsetType | None = msgspec.UNSET
    system_domain_name: str | msgspec.UnsetType | None = msgspec.UNSET
    client_ip: str | msgspec.UnsetType | None = msgspec.UNSET


class GroupSettings(msgspec.Struct, kw_only=True):
    """Settings of a group or team; the list is told to admins alone."""

    group_id: str
    system_domain_id: str
    client_ip: str
    acl_template_id: str | None
    allowed_ips: list[AllowedIp] | None


class GroupSettingsChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to change of a group; null empties."""

    acl_template_id: str | msgspec.UnsetType | None = msgspec.UNSET
    allowed_ips: Addresses | msgspec.UnsetType | None = msgspec.UNSET
    group_id: str | msgspec.UnsetType | None = msgspec.UNSET
    system_domain_id: str | msgspec.UnsetType | None = msgspec.UNSET
    client_ip: str | msgspec.UnsetType | None = msgspec.UNSET


class UserSettingsChange(msgspec.Struct, kw_only=True):
    """What is to change of a user's settings that bear on access; null empties."""

    acl_template_id: str | msgspec.UnsetType | None = msgspec.UNSET
    allowed_ips: Addresses | msgspec.UnsetType | None = msgspec.UNSET
    user_id: str | msgspec.UnsetType | None = msgspec.UNSET
    system_domain_id: str | msgspec.UnsetType | None = msgspec.UNSET
    client_ip: str | msgspec.UnsetType | None = msgspec.UNSET


OF_DOMAINS: Final = frozenset(SystemSettings.__struct_fields__) - frozenset(
    UserSettingsChange.__struct_fields__
)
"""Settings that a domain has and a user has not: kept for a user they would be told back and bind nobody (rule 2)."""


def split(sent: Mapping[str, Any]) -> tuple["UserSettingsChange", dict[str, Any]]:
    """Returns what was sent of a user's settings that bear on access, read, and the others (rules 1 and 2).

    Raises:
        GatewayError: a value is none of its field's (BAD_VALUE), or a setting bears on access and is not known here, or not of users (NOT_SERVED).
    """
    refused = sorted(name for name in sent if name in NOT_KEPT)
    if refused:
        raise told(
            Reason.NOT_SERVED, f"`{refused[0]}` is not known here, so that nothing would follow from it"
        )
    misplaced = sorted(name for name in sent if name in OF_DOMAINS)
    if misplaced:
        raise told(
            Reason.NOT_SERVED,
            f"`{misplaced[0]}` is set for the domain: for a user nothing would follow from it",
        )
    names = set(UserSettingsChange.__struct_fields__)
    try:
        read = msgspec.convert(
            {name: value for name, value in sent.items() if name in names}, UserSettingsChange
        )
    except msgspec.ValidationError as error:
        raise bad_value(str(error)) from error
    return read, {name: value for name, value in sent.items() if name not in names}


def refuse_fixed(change: msgspec.Struct, **fixed: str) -> None:
    """Refuses what is told only, where it is sent as something else than what it is."""
    for name, value in fixed.items():
        if getattr(change, name) not in (msgspec.UNSET, None, value):
            raise bad_value(f"`{name}` cannot be changed")


def addresses_of(lines: list[Network]) -> list[AllowedIp]:
    """Returns an allow-list as it is told."""
    ordered = sorted(lines, key=lambda line: (line.cidr, line.application_id or ""))
    return [AllowedIp(line.cidr, line.application_id) for line in ordered]


def options_of(terms: ShareTerms) -> ShareOptions:
    """Returns a domain's terms of shares as they are told."""
    said: dict[str, bool] = {}
    for name, right in RIGHTS.items():
        said[name] = str(right) in terms.rights
        said[f"can_change_{name}"] = str(right) not in terms.locked
    return ShareOptions(
        **said,
        can_change_share_expiration_time=LIFE not in terms.locked,
        can_change_show_watermark=WATERMARK not in terms.locked,
        require_password=terms.needs_password,
        show_watermark=terms.watermark,
    )


def terms_from(options: ShareOptions, terms: ShareTerms) -> dict[str, Any]:
    """Returns what `models.changes.set_share_terms` is to set; what is not sent stays."""
    rights, locked = set(terms.rights), set(terms.locked)
    for name, right in RIGHTS.items():
        _put(rights, str(right), is_in=getattr(options, name))
        _lock(locked, str(right), may_change=getattr(options, f"can_change_{name}"))
    _lock(locked, LIFE, may_change=options.can_change_share_expiration_time)
    _lock(locked, WATERMARK, may_change=options.can_change_show_watermark)
    return {
        "rights": rights,
        "locked": locked,
        "needs_password": options.require_password,
        "watermark": options.show_watermark,
    }


def _put(some: set[str], name: str, *, is_in: bool | None) -> None:
    if is_in is not None:
        (some.add if is_in else some.discard)(name)


def _lock(locked: set[str], name: str, *, may_change: bool | None) -> None:
    _put(locked, name, is_in=None if may_change is None else not may_change)
