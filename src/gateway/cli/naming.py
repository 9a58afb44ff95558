"""Users, groups, domains and objects by the names that people type; a name that is not there is answered with the nearest.

A principal is written `user:E-MAIL`, `group:NAME`, `share:ID`, or without the kind where only one is meant.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, TypeVar

import typer
from sqlalchemy.orm import Session

from gateway.cli.failures import CommandError
from gateway.settings.reading import nearest
from models import directory
from models.changes import ConflictError, UnknownError
from models.records import ObjectKey, Permission
from models.tables import AclTemplate, Application, Group, Share, SystemDomain, User

MAX_COMPARED: Final = 5_000
"""Names that a misspelled one is compared with."""

Found = TypeVar("Found")


def the_domain(session: Session, name: str | None) -> SystemDomain:
    """Returns the domain of this name or id; without one the only domain."""

    def names() -> Iterable[str]:
        return (domain.name for domain in directory.list_domains(session))

    try:
        return _found(lambda: directory.find_domain(session, name), name or "", names)
    except ConflictError:
        listed = ", ".join(f"`{one}`" for one in names())
        raise CommandError(f"there are several domains ({listed}): say which with --domain") from None


def the_user(session: Session, name: str, domain: str | None = None) -> User:
    """Returns the user of this e-mail or id, in one domain or in any."""
    domain_id = the_domain(session, domain).id if domain is not None else None

    def names() -> Iterable[str]:
        return (user.email for user in directory.list_users(session, domain_id))

    return _found(lambda: directory.find_user(session, domain_id, name), name, names)


def the_group(session: Session, name: str, domain: str | None = None) -> Group:
    """Returns the group of this name or id, in one domain or in any."""
    domain_id = the_domain(session, domain).id if domain is not None else None

    def names() -> Iterable[str]:
        return (group.name for group in directory.list_groups(session, domain_id))

    return _found(lambda: directory.find_group(session, domain_id, name), name, names)


def the_template(session: Session, name: str, domain: str | None = None) -> AclTemplate:
    """Returns the ACL template of this name or id, in one domain or in any."""
    domain_id = the_domain(session, domain).id if domain is not None else None

    def names() -> Iterable[str]:
        return (template.name for template in directory.list_templates(session, domain_id))

    return _found(lambda: directory.find_template(session, domain_id, name), name, names)


def the_home(session: Session, domain: str | None, group: str | None) -> tuple[SystemDomain, Group | None]:
    """Returns the domain that a command is about and, if one is named, the group; a group tells its domain itself."""
    if group is None:
        return the_domain(session, domain), None
    found = the_group(session, group, domain)
    return the_domain(session, found.domain_id), found


def the_application(session: Session, domain_id: str, name: str) -> Application | None:
    """Returns the application of this name or id in a domain, None if there is none."""
    try:
        return directory.find_application(session, domain_id, name)
    except UnknownError:
        return None


def known_application(session: Session, domain_id: str, name: str) -> Application:
    """Returns the application of this name or id in a domain."""

    def names() -> Iterable[str]:
        return (app.name for app in directory.list_applications(session, domain_id))

    return _found(lambda: directory.find_application(session, domain_id, name), name, names)


def the_share(session: Session, id_: str) -> Share:
    """Returns the share with this id."""
    return _found(lambda: directory.find_share(session, id_), id_, lambda: ())


def the_principal(session: Session, text: str, domain: str | None) -> tuple[str, str]:
    """Returns the fact key of the user, group or share that `text` names, and how to write it without doubt.

    Raises:
        CommandError: it names nobody, or both a user and a group.
    """
    kind, separator, name = text.partition(":")
    if separator and kind == "user":
        return _as_user(the_user(session, name, domain))
    if separator and kind == "group":
        return _as_group(the_group(session, name, domain))
    if separator and kind == "share":
        return (f"share:{the_share(session, name).id}",) * 2
    try:
        group = _as_group(the_group(session, text, domain))
    except CommandError as neither:
        try:
            return _as_user(the_user(session, text, domain))
        except CommandError as no_user:
            raise (no_user if "@" in text else neither) from None
    try:
        user = _as_user(the_user(session, text, domain))
    except CommandError:
        return group
    raise CommandError(f"`{text}` is a user and a group: write `{user[1]}` or `{group[1]}`")


def object_named(text: str) -> ObjectKey:
    """Returns the key that TYPE:ID names.

    Raises:
        BadParameter: it names no object.
    """
    try:
        return ObjectKey.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def permissions_named(text: str) -> Permission:
    """Returns the permissions that a list with commas names.

    Raises:
        BadParameter: one of them is not a permission.
    """
    wanted = Permission.NONE
    try:
        for name in text.split(","):
            wanted |= Permission.named(name.strip())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return wanted


def _as_user(user: User) -> tuple[str, str]:
    return f"user:{user.id}", f"user:{user.email}"


def _as_group(group: Group) -> tuple[str, str]:
    return f"group:{group.id}", f"group:{group.name}"


def _found(find: Callable[[], Found], name: str, names: Callable[[], Iterable[str]]) -> Found:
    try:
        return find()
    except UnknownError as error:
        hint = nearest(name, islice(names(), MAX_COMPARED), at_most=0) if name else ""
        raise CommandError(f"{error}{hint}") from None
