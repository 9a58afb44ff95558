"""All operations that can be served here, by service: importing this is what registers them."""

from collections.abc import Mapping
from typing import Final

from gateway.api import (
    acl_content,
    acl_entries,
    acl_templates,
    acls,
    applications,
    group_settings,
    groups,
    own,
    settings,
    share_tokens,
    share_users,
    shares,
    tokens,
    user_settings,
    users,
)
from gateway.api.operations import Service

PARTS: Final = (
    acl_content,
    acl_entries,
    acl_templates,
    acls,
    applications,
    group_settings,
    groups,
    own,
    settings,
    share_tokens,
    share_users,
    shares,
    tokens,
    user_settings,
    users,
)
"""Where operations stand."""
SERVICES: Final[Mapping[str, Service]] = {part.SERVICE.name: part.SERVICE for part in PARTS}
"""Service → its operations."""
