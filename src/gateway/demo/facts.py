"""The cast in the store, and its tokens.

Rules:

1. All changes go through `models.changes`; the demo has no rules of its own.
2. Putting the cast in place again gives back what somebody took from it and leaves alone what somebody added.
3. A token lives as long as the run that printed it: whoever issues new ones revokes those of the runs before.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from sqlalchemy.orm import Session

from gateway.demo.cast import (
    ADA,
    APPLICATION,
    CAST,
    DOMAIN,
    GRANTS,
    GROUPS,
    THINGS,
    Group,
    Person,
    Thing,
)
from gateway.demo.folder import WELCOME
from gateway.demo.lines import Key
from models import changes
from models.directory import find_object, list_tokens
from models.records import ObjectKey, Permission
from models.store import Store
from models.tables import Application, SystemDomain, User
from models.tables import Group as GroupRow

_AUTHOR: Final = "cli:demo"
_CHECK: Final = f"{APPLICATION} check"


def put_cast(store: Store) -> None:
    """Puts the cast, its groups, objects and grants in the store, in one commit (rule 2)."""
    with store.write(_AUTHOR) as commit:
        session = commit.session
        if session.get(SystemDomain, DOMAIN) is None:
            changes.create_domain(session, DOMAIN, id_=DOMAIN)
        for group in GROUPS:
            _put_group(session, group)
        for person in CAST:
            _put_person(session, person)
        for thing in (*THINGS, Thing(ObjectKey("file", f"/{WELCOME}"), "Welcome", owner=ADA)):
            _put_thing(session, thing)
        for entry in GRANTS:
            for name in entry.permissions:
                changes.grant(
                    session,
                    entry.on,
                    f"group:{_id(entry.group.name)}",
                    Permission.named(name),
                    propagates=entry.propagates,
                )
        changes.set_allow_list(session, DOMAIN, enabled=True)


def fresh_keys(store: Store, application: str = APPLICATION) -> Mapping[Person, Key]:
    """Returns a new token for each of the cast; those given out for `application` before are revoked (rule 3)."""
    with store.write(_AUTHOR) as commit:
        session, id_ = commit.session, _id(application)
        if session.get(Application, id_) is None:
            changes.create_application(session, DOMAIN, application, id_=id_)
        _revoke(session, id_)
        return {each: Key(id_, changes.issue_token(session, _id(each.email), id_)[1]) for each in CAST}


@contextmanager
def keys_for_a_check(store: Store) -> Iterator[Mapping[Person, Key]]:
    """Yields tokens beside those that a running demo printed, and revokes them at the end."""
    try:
        yield fresh_keys(store, _CHECK)
    finally:
        with store.write(_AUTHOR) as commit:
            _revoke(commit.session, _id(_CHECK))


def _put_group(session: Session, group: Group) -> None:
    id_ = _id(group.name)
    if session.get(GroupRow, id_) is None:
        changes.create_group(session, DOMAIN, group.name, id_=id_)
    changes.set_roles(session, id_, group.roles)
    for network in group.networks:
        changes.allow_network(session, DOMAIN, network, group_id=id_)


def _put_person(session: Session, person: Person) -> None:
    id_ = _id(person.email)
    attributes = changes.UserAttributes(
        first_name=person.first_name,
        last_name=person.last_name,
        description=person.part,
        type=person.type,
        status=person.status,
        is_admin=person.is_admin,
    )
    if session.get(User, id_) is None:
        changes.create_user(session, DOMAIN, person.email, id_=id_, **attributes)
    else:
        changes.update_user(session, id_, **attributes)
    for group in person.groups:
        changes.add_member(session, _id(group.name), id_)


def _put_thing(session: Session, thing: Thing) -> None:
    owner = _id(thing.owner.email) if thing.owner else None
    if find_object(session, thing.key) is None:
        changes.register_object(session, thing.key, DOMAIN, owner_id=owner, title=thing.title)
    if thing.within:
        changes.place(session, thing.key, thing.within)


def _revoke(session: Session, application_id: str) -> None:
    for token in list_tokens(session):
        if token.application_id == application_id and token.revoked_at is None:
            changes.revoke_token(session, token.id)


def _id(name: str) -> str:
    """Returns the id of what is called `name`: its first word for people, all of it for groups and applications."""
    return name.partition("@")[0].lower().replace(" ", "-")
