"""Looking things up by what people call them, and listing them; for the command line, on any session."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from models.changes import ConflictError, InvalidError, UnknownError
from models.changes.names import shown
from models.changes.rows import chunks, named
from models.columns import is_storable
from models.records import MAX_ANCESTORS, GroupKind, ObjectKey, RoleModel
from models.tables import (
    AclEntry,
    AclJob,
    AclTemplate,
    AclTemplateEntry,
    AclTemplateUse,
    Application,
    ChangeEntry,
    Group,
    GroupRole,
    Hold,
    Intent,
    Membership,
    Network,
    Object,
    Placement,
    Share,
    ShareRecipient,
    StorageFolder,
    SystemDomain,
    TemplateLevel,
    Token,
    User,
)

Owned = TypeVar("Owned", User, Group, Application, AclTemplate)


def find_domain(session: Session, name_or_id: str | None) -> SystemDomain:
    """Returns the domain with this id or name; for None the only one there is.

    Raises:
        ConflictError: None is given and there are several.
        UnknownError: there is none.
    """
    if name_or_id is not None:
        named = select(SystemDomain).where(
            or_(SystemDomain.id == name_or_id, SystemDomain.name == name_or_id)
        )
        matching = session.scalars(named).all() if is_storable(name_or_id) else []
        if not matching:
            raise UnknownError(f"there is no domain {shown(name_or_id)}")
        return next((domain for domain in matching if domain.id == name_or_id), matching[0])
    domains = session.scalars(select(SystemDomain).limit(2)).all()
    if not domains:
        raise UnknownError("there is no domain: run `mediagate init`")
    if len(domains) > 1:
        raise ConflictError("there are several domains: name one")
    return domains[0]


def find_user(session: Session, domain_id: str | None, email_or_id: str) -> User:
    """Returns the user with this id or e-mail, of one domain or of any.

    Raises:
        ConflictError: several domains have a user with this e-mail.
        UnknownError: there is none.
    """
    by_name = select(User).where(or_(User.id == email_or_id, User.email == email_or_id.lower()))
    return _only(session, User, by_name, domain_id, email_or_id)


def find_group(session: Session, domain_id: str | None, name_or_id: str) -> Group:
    """Returns the group with this id or name, of one domain or of any.

    Raises:
        ConflictError: several domains have a group with this name.
        UnknownError: there is none.
    """
    by_name = select(Group).where(or_(Group.id == name_or_id, Group.name == name_or_id))
    return _only(session, Group, by_name, domain_id, name_or_id)


def find_application(session: Session, domain_id: str | None, name_or_id: str) -> Application:
    """Returns the application with this id or name, of one domain or of any.

    Raises:
        ConflictError: several domains have an application with this name.
        UnknownError: there is none.
    """
    by_name = select(Application).where(or_(Application.id == name_or_id, Application.name == name_or_id))
    return _only(session, Application, by_name, domain_id, name_or_id)


def find_object(session: Session, key: ObjectKey) -> Object | None:
    """Returns the registered object with this key; None if it is not registered."""
    return session.get(Object, tuple(key)) if is_storable(str(key)) else None


def find_share(session: Session, share_id: str) -> Share:
    """Returns the share with this id.

    Raises:
        UnknownError: there is none.
    """
    found = session.get(Share, share_id) if is_storable(share_id) else None
    if found is None:
        raise UnknownError(f"there is no share {shown(share_id)}")
    return found


def list_domains(session: Session) -> Sequence[SystemDomain]:
    """Returns all domains by name."""
    return session.scalars(select(SystemDomain).order_by(SystemDomain.name)).all()


def list_domains_of(session: Session, email: str) -> Sequence[SystemDomain]:
    """Returns the domains that have a user with this e-mail, by name."""
    homes = select(User.domain_id).where(User.email == email)
    found = select(SystemDomain).where(SystemDomain.id.in_(homes)).order_by(SystemDomain.name)
    return session.scalars(found).all()


def list_users(session: Session, domain_id: str | None = None) -> Sequence[User]:
    """Returns the users of a domain, or all, by e-mail."""
    return session.scalars(_within(select(User), User, domain_id).order_by(User.email, User.id)).all()


def list_groups(session: Session, domain_id: str | None = None) -> Sequence[Group]:
    """Returns the groups of a domain, or all, by name."""
    return session.scalars(_within(select(Group), Group, domain_id).order_by(Group.name, Group.id)).all()


def list_roles(session: Session, group_id: str) -> Sequence[str]:
    """Returns the roles that a group gives, sorted."""
    roles = select(GroupRole.role).where(GroupRole.group_id == group_id)
    return session.scalars(roles.order_by(GroupRole.role)).all()


def list_roles_of(session: Session, user: User) -> Sequence[str] | None:
    """Returns the roles that come to a user as the domain's do, sorted and without the cap of the type; None for all."""
    domain = session.get_one(SystemDomain, user.domain_id)
    narrows = domain.role_model is RoleModel.ROLE_GROUPS
    kind = GroupKind.ROLE_GROUP if narrows else GroupKind.GROUP
    roles = (
        select(GroupRole.role)
        .distinct()
        .join(Group, Group.id == GroupRole.group_id)
        .join(Membership, Membership.group_id == Group.id)
        .where(Membership.user_id == user.id, Group.kind == kind)
    )
    found = session.scalars(roles.order_by(GroupRole.role)).all()
    return None if narrows and not found else found


def list_members(session: Session, group_id: str) -> Sequence[User]:
    """Returns the members of a group by e-mail."""
    members = (
        select(User).join(Membership, Membership.user_id == User.id).where(Membership.group_id == group_id)
    )
    return session.scalars(members.order_by(User.email)).all()


def list_groups_of(session: Session, user_id: str) -> Sequence[Group]:
    """Returns the groups that a user is in, by name."""
    groups = (
        select(Group).join(Membership, Membership.group_id == Group.id).where(Membership.user_id == user_id)
    )
    return session.scalars(groups.order_by(Group.name)).all()


def list_applications(session: Session, domain_id: str | None = None) -> Sequence[Application]:
    """Returns the applications of a domain, or all, by name."""
    query = _within(select(Application), Application, domain_id)
    return session.scalars(query.order_by(Application.name, Application.id)).all()


def list_tokens(session: Session, user_id: str | None = None) -> Sequence[Token]:
    """Returns the tokens of a user, or all, oldest first; revoked ones included."""
    query = select(Token) if user_id is None else select(Token).where(Token.user_id == user_id)
    return session.scalars(query.order_by(Token.created, Token.id)).all()


def list_support_tokens(session: Session) -> Sequence[Token]:
    """Returns the tokens of support, oldest first; revoked ones included."""
    query = select(Token).where(Token.support.is_not(None))
    return session.scalars(query.order_by(Token.created, Token.id)).all()


def list_shares(
    session: Session,
    domain_id: str | None = None,
    owner_id: str | None = None,
    key: ObjectKey | None = None,
) -> Sequence[Share]:
    """Returns the shares of a domain, user and object, or all, oldest first; those that are over too, until they are removed."""
    query = _within(select(Share), Share, domain_id)
    if owner_id is not None:
        query = query.where(Share.owner_id == owner_id)
    if key is not None:
        query = query.where(Share.object_type == key.type, Share.object_id == key.id)
    return session.scalars(query.order_by(Share.created, Share.id)).all()


def list_recipients(session: Session, share_id: str) -> Sequence[ShareRecipient]:
    """Returns the links to a share: those that are for whoever has them first, then by e-mail."""
    links = session.scalars(select(ShareRecipient).where(ShareRecipient.share_id == share_id))
    return sorted(links, key=lambda link: (link.email or "", link.id))


def list_objects(
    session: Session, domain_id: str | None = None, type_: str | None = None
) -> Sequence[Object]:
    """Returns the registered objects of a domain and type, or all, by key."""
    query = _within(select(Object), Object, domain_id)
    if type_ is not None:
        query = query.where(Object.type == type_)
    return session.scalars(query.order_by(Object.type, Object.id)).all()


def list_content(session: Session, key: ObjectKey) -> Sequence[ObjectKey]:
    """Returns what is placed in an object, by key."""
    inside = select(Placement).where(Placement.parent_type == key.type, Placement.parent_id == key.id)
    return [row.child for row in session.scalars(inside.order_by(Placement.child_type, Placement.child_id))]


def list_parents(session: Session, key: ObjectKey) -> Sequence[ObjectKey]:
    """Returns the collections that an object is placed in, by key; a path's folder is not among them."""
    around = select(Placement).where(Placement.child_type == key.type, Placement.child_id == key.id)
    return [
        row.parent for row in session.scalars(around.order_by(Placement.parent_type, Placement.parent_id))
    ]


def list_entries(session: Session, key: ObjectKey) -> Sequence[AclEntry]:
    """Returns the ACL entries on an object itself, by principal; those that expired too, while nobody has cleared them away."""
    entries = select(AclEntry).where(AclEntry.object_type == key.type, AclEntry.object_id == key.id)
    order = (AclEntry.principal_kind, AclEntry.principal_id, AclEntry.propagates, AclEntry.expires.desc())
    return session.scalars(entries.order_by(*order)).all()


def list_inherited_entries(session: Session, key: ObjectKey) -> Sequence[AclEntry]:
    """Returns the entries that an object inherits: those that propagate, on whatever it stands in at any depth; nearest first.

    Raises:
        InvalidError: it stands in more than `MAX_ANCESTORS` objects.
    """
    found: list[AclEntry] = []
    level, seen = [key], {key}
    while level:
        around: list[ObjectKey] = [folder for each in level if (folder := each.folder()) is not None]
        for some in chunks(level):
            above = select(Placement).where(named(Placement.child_type, Placement.child_id, some))
            around += [row.parent for row in session.scalars(above)]
        level = [each for each in dict.fromkeys(around) if each not in seen]
        seen.update(level)
        if len(seen) > MAX_ANCESTORS:
            raise InvalidError(f"{shown(str(key))} stands in more than {MAX_ANCESTORS} objects")
        for some in chunks(level):
            on = named(AclEntry.object_type, AclEntry.object_id, some)
            entries = select(AclEntry).where(AclEntry.propagates, on)
            order = (AclEntry.object_type, AclEntry.object_id, AclEntry.principal_kind, AclEntry.principal_id)
            found += session.scalars(entries.order_by(*order)).all()
    return found


def find_template(session: Session, domain_id: str | None, name_or_id: str) -> AclTemplate:
    """Returns the ACL template with this id or name, of one domain or of any.

    Raises:
        ConflictError: several domains have a template with this name.
        UnknownError: there is none.
    """
    by_name = select(AclTemplate).where(or_(AclTemplate.id == name_or_id, AclTemplate.name == name_or_id))
    return _only(session, AclTemplate, by_name, domain_id, name_or_id)


def list_templates(session: Session, domain_id: str | None = None) -> Sequence[AclTemplate]:
    """Returns the ACL templates of a domain, or all, by name."""
    found = _within(select(AclTemplate), AclTemplate, domain_id)
    return session.scalars(found.order_by(AclTemplate.name, AclTemplate.id)).all()


def list_template_entries(session: Session, template_id: str) -> Sequence[AclTemplateEntry]:
    """Returns the entries of a template by principal."""
    found = select(AclTemplateEntry).where(AclTemplateEntry.template_id == template_id)
    order = (AclTemplateEntry.principal_kind, AclTemplateEntry.principal_id, AclTemplateEntry.propagates)
    return session.scalars(found.order_by(*order)).all()


def list_template_uses(session: Session, template_id: str) -> Sequence[AclTemplateUse]:
    """Returns for whom a template is set."""
    found = select(AclTemplateUse).where(AclTemplateUse.template_id == template_id)
    return session.scalars(found.order_by(AclTemplateUse.level, AclTemplateUse.subject_id)).all()


def template_set_for(session: Session, level: TemplateLevel, subject_id: str) -> str | None:
    """Returns the id of the template that is set for a domain, group or user; None if none is."""
    use = session.get(AclTemplateUse, (level, "", subject_id))
    return use.template_id if use is not None else None


def list_storage_folders(session: Session) -> Sequence[StorageFolder]:
    """Returns the folders that belong to storages, by name."""
    return session.scalars(
        select(StorageFolder).order_by(StorageFolder.object_type, StorageFolder.object_id)
    ).all()


def list_changes(
    session: Session, *, key: str | None = None, author: str | None = None, limit: int = 50
) -> Sequence[ChangeEntry]:
    """Returns what commits did, the latest first.

    Args:
        session: a snapshot.
        key: only what was done to rows in whose names this stands.
        author: only what this author did.
        limit: at most so many.
    """
    found = select(ChangeEntry).order_by(ChangeEntry.revision.desc(), ChangeEntry.position)
    if key is not None:
        found = found.where(ChangeEntry.key.contains(key, autoescape=True))
    if author is not None:
        found = found.where(ChangeEntry.author == author)
    return session.scalars(found.limit(limit)).all()


def list_jobs(session: Session) -> Sequence[AclJob]:
    """Returns the jobs that apply entries to content, newest first, those that have ended too."""
    return session.scalars(select(AclJob).order_by(AclJob.created.desc(), AclJob.id)).all()


def list_networks(session: Session, domain_id: str) -> Sequence[Network]:
    """Returns the allow-lists of a domain: its own lines first, then those of its groups, then of its users."""
    lines = session.scalars(select(Network).where(Network.domain_id == domain_id))
    return sorted(
        lines,
        key=lambda line: (
            *(line.user_id or "", line.group_id or ""),
            *(line.cidr, line.application_id or ""),
        ),
    )


def list_intents(session: Session) -> Sequence[tuple[Intent, tuple[Hold, ...]]]:
    """Returns the intents that are not settled, oldest first, each with its locks."""
    intents = session.scalars(select(Intent).order_by(Intent.created, Intent.id)).all()
    holds = session.scalars(select(Hold).order_by(Hold.object_type, Hold.object_id)).all()
    return [(intent, tuple(hold for hold in holds if hold.intent_id == intent.id)) for intent in intents]


def _within(
    query: Select[Any],
    kind: type[User | Group | Application | Object | Share | AclTemplate],
    domain_id: str | None,
) -> Select[Any]:
    return query if domain_id is None else query.where(kind.domain_id == domain_id)


def _only(session: Session, kind: type[Owned], query: Select[Any], domain_id: str | None, text: str) -> Owned:
    found: Sequence[Owned] = ()
    if is_storable(text) and is_storable(domain_id or ""):
        found = session.scalars(_within(query, kind, domain_id).limit(2)).all()
    what = f"{kind.__name__.lower()} {shown(text)}"
    if not found:
        raise UnknownError(f"there is no {what}")
    exact = [row for row in found if row.id == text]
    if len(found) > 1 and not exact:
        raise ConflictError(f"several domains have a {what}: name the domain")
    return (exact or found)[0]
