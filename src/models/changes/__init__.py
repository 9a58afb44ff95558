"""The rules of every write, and the only functions that change what is stored.

Each takes the session of an open write first (`Store.write`), checks before it changes, and raises a ChangeError whose
message says what to do; what it was asked to do is then not done, not even in part.

| file | what it changes |
|---|---|
| domains, users, groups, members | who there is, in which groups, and which roles these give or leave |
| applications, tokens | programs, and the credentials that users have for them |
| shares, share_terms, visits | what users share with visitors, what a domain says of that, and the links by which visitors come |
| support | credentials of support, and which domains let it in |
| objects, owners, placements | what there is, whose it is, and in which collections it stands |
| templates, ingest | entries that a new object gets, once, and taking up what a storage brings |
| acl, bulk, propagation, jobs | who may do what with an object, with many at once, how far that reaches, and applying it to content |
| networks, lockout | from where, and that whoever says so is not locked out |
| policies | which bundle of policies is live, where the store keeps them |
| effects | what a forwarded request makes true |
| names, rows, errors | the forms of names, finding rows, the reasons for refusing |
"""

from models.changes.acl import check_principal, grant, parse_principal, revoke
from models.changes.applications import create_application, delete_application, update_application
from models.changes.bulk import Terms, set_entries
from models.changes.domains import create_domain, set_domain_status, set_external_share, set_role_model
from models.changes.effects import (
    Created,
    Lock,
    Settled,
    abandon_intent,
    mark_unknown,
    open_intent,
    settle_create,
    settle_delete,
)
from models.changes.errors import (
    BusyError,
    ChangeError,
    ConflictError,
    CycleError,
    ForeignError,
    InvalidError,
    UnknownError,
)
from models.changes.groups import (
    create_group,
    delete_group,
    give_role,
    set_roles,
    take_role,
    update_group,
)
from models.changes.ingest import Ingested, ingest
from models.changes.jobs import advance_job, open_jobs, start_job
from models.changes.lockout import ANY_ADMIN, Guard, no_lockout
from models.changes.members import add_member, remove_member
from models.changes.networks import (
    Line,
    allow_network,
    disallow_network,
    set_allow_list,
    set_allow_list_rule,
)
from models.changes.objects import delete_object, register_object
from models.changes.owners import change_owner, count_owned, transfer_objects
from models.changes.placements import place, unplace
from models.changes.policies import publish_policies
from models.changes.propagation import far_reaching, set_propagation_bounds
from models.changes.rows import (
    the_application,
    the_group,
    the_recipient,
    the_share,
    the_share_of,
    the_template,
    the_token,
    the_user,
    unknown_share,
)
from models.changes.share_terms import OPTIONS as SHARE_OPTIONS
from models.changes.share_terms import set_share_terms, share_terms_of
from models.changes.shares import (
    create_share,
    remove_recipient,
    remove_share,
    remove_shares,
    remove_shares_in,
    remove_shares_of,
    update_share,
)
from models.changes.support import MAX_SUPPORT, issue_support_token, let_support_in
from models.changes.templates import (
    Applied,
    apply_template,
    create_template,
    delete_template,
    give_in_template,
    map_folder,
    rename_template,
    set_template,
    take_from_template,
)
from models.changes.tokens import (
    MAX_LIFETIME,
    issue_token,
    revoke_token,
    rotate_token,
    set_token_lifetime,
    token_digest,
)
from models.changes.users import UserAttributes, create_user, set_password, update_user
from models.changes.visits import LinkError, add_recipient, prolong_visit, readdress, the_visit, visit
from models.tables import AclMode, IntentKind, TemplateLevel

__all__ = [
    "ANY_ADMIN",
    "MAX_LIFETIME",
    "MAX_SUPPORT",
    "SHARE_OPTIONS",
    "AclMode",
    "Applied",
    "BusyError",
    "ChangeError",
    "ConflictError",
    "Created",
    "CycleError",
    "ForeignError",
    "Guard",
    "Ingested",
    "IntentKind",
    "InvalidError",
    "Line",
    "LinkError",
    "Lock",
    "Settled",
    "TemplateLevel",
    "Terms",
    "UnknownError",
    "UserAttributes",
    "abandon_intent",
    "add_member",
    "add_recipient",
    "advance_job",
    "allow_network",
    "apply_template",
    "change_owner",
    "check_principal",
    "count_owned",
    "create_application",
    "create_domain",
    "create_group",
    "create_share",
    "create_template",
    "create_user",
    "delete_application",
    "delete_group",
    "delete_object",
    "delete_template",
    "disallow_network",
    "far_reaching",
    "give_in_template",
    "give_role",
    "grant",
    "ingest",
    "issue_support_token",
    "issue_token",
    "let_support_in",
    "map_folder",
    "mark_unknown",
    "no_lockout",
    "open_intent",
    "open_jobs",
    "parse_principal",
    "place",
    "prolong_visit",
    "publish_policies",
    "readdress",
    "register_object",
    "remove_member",
    "remove_recipient",
    "remove_share",
    "remove_shares",
    "remove_shares_in",
    "remove_shares_of",
    "rename_template",
    "revoke",
    "revoke_token",
    "rotate_token",
    "set_allow_list",
    "set_allow_list_rule",
    "set_domain_status",
    "set_entries",
    "set_external_share",
    "set_password",
    "set_propagation_bounds",
    "set_role_model",
    "set_roles",
    "set_share_terms",
    "set_template",
    "set_token_lifetime",
    "settle_create",
    "settle_delete",
    "share_terms_of",
    "start_job",
    "take_from_template",
    "take_role",
    "the_application",
    "the_group",
    "the_recipient",
    "the_share",
    "the_share_of",
    "the_template",
    "the_token",
    "the_user",
    "the_visit",
    "token_digest",
    "transfer_objects",
    "unknown_share",
    "unplace",
    "update_application",
    "update_group",
    "update_share",
    "update_user",
    "visit",
]
