"""The law of domains, for drawn histories: whatever one does, with any names of another in it, decides nothing about that other."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from gateway.bundle import read_policy
from gateway.policy import Policy
from laws.drawing import Asked, Change, Verdicts, attempt, call, examples, pick, verdicts
from models import changes
from models.changes import Created, IntentKind, Lock, TemplateLevel
from models.records import DomainStatus, ObjectKey, Permission, Right, RoleModel, UserStatus, UserType
from models.store import Store
from models.tables import Share
from stores import Shared, change

HERE, THERE = "d0", "d1"
PEOPLE, GROUPS = ("u", "w", "boss"), ("g", "h")
NONE = ObjectKey("asset", "none")
"""An object that is registered nowhere."""

ROOT = ObjectKey("file", "/")
"""A folder that nobody has registered, and in which both domains have something."""


def keys(domain: str) -> tuple[ObjectKey, ...]:
    """Returns the objects of a domain; `/dN/sub` is registered nowhere and stands in its folder."""
    names = ("collection:c", "asset:x", "storage:s", "metadata_view:v")
    own = (ObjectKey(*f"{name}-{domain}".split(":")) for name in names)
    return (*own, ObjectKey("file", f"/{domain}"), ObjectKey("file", f"/{domain}/sub"))


def users(domain: str) -> tuple[str, ...]:
    """Returns the ids of the users of a domain."""
    return tuple(f"{name}-{domain}" for name in PEOPLE)


def groups(domain: str) -> tuple[str, ...]:
    """Returns the ids of the groups of a domain."""
    return tuple(f"{name}-{domain}" for name in GROUPS)


def principals(domain: str) -> tuple[str, ...]:
    """Returns the names under which entries speak of a domain's users and groups."""
    return (*(f"user:{id_}" for id_ in users(domain)), *(f"group:{id_}" for id_ in groups(domain)))


ALL = (*keys(HERE), *keys(THERE), NONE, ROOT)
ANYBODY = (*principals(HERE), *principals(THERE))
FLAGS = st.integers(1, 15).map(Permission)


def settle_in(session: Session) -> None:
    """Writes two domains that are alike: an admin, two users, a collection with an asset, a folder, a storage, a template, a share."""
    for domain in (HERE, THERE):
        changes.create_domain(session, domain, id_=domain)
        for id_ in users(domain):
            changes.create_user(
                session, domain, f"{id_}@x", id_=id_, type=UserType.POWER, is_admin=id_.startswith("boss")
            )
        for id_ in groups(domain):
            changes.create_group(session, domain, id_, id_=id_)
        collection, asset, *_, folder, _ = keys(domain)
        for key in keys(domain)[:-1]:
            changes.register_object(session, key, domain, owner_id=f"w-{domain}")
        changes.place(session, asset, collection)
        changes.add_member(session, f"g-{domain}", f"u-{domain}")
        changes.grant(session, collection, f"group:g-{domain}", Permission.READ, propagates=True)
        changes.grant(session, folder, f"user:u-{domain}", Permission.WRITE, propagates=True)
        changes.create_template(session, domain, "T", id_=f"t-{domain}")
        changes.create_share(session, f"w-{domain}", collection, list(Right))


def share_of(session: Session, domain: str) -> str:
    """Returns the id of one of a domain's shares."""
    found = session.query(Share).filter_by(domain_id=domain).order_by(Share.created, Share.id).first()
    return found.id if found else "none"


def create(session: Session, user: str, key: ObjectKey, owner: str, parent: ObjectKey) -> None:
    """Lets a user create something anywhere, for anybody."""
    intent = changes.open_intent(
        session, IntentKind.CREATE, [Lock(key, closes=False)], user_id=user, request_id="r"
    )
    changes.settle_create(session, intent.id, [Created(key, owner, (parent,))])


def close(session: Session, user: str, key: ObjectKey) -> None:
    """Lets a user begin to delete anything."""
    changes.open_intent(session, IntentKind.DELETE, [Lock(key, closes=True)], user_id=user, request_id="r")


def give(session: Session, template: str, to: str, may: Permission, *, propagates: bool) -> None:
    """Gives in a template and applies it wherever its domain says."""
    changes.give_in_template(session, template, to, may, propagates=propagates)


def set_for(session: Session, of: tuple[TemplateLevel, str | ObjectKey], template: str | None) -> None:
    """Sets a template."""
    changes.set_template(session, *of, template)


def levels(domain: str) -> tuple[tuple[TemplateLevel, str | ObjectKey], ...]:
    """Returns for whom of a domain a template may be set."""
    return (
        (TemplateLevel.DOMAIN, domain),
        *((TemplateLevel.USER, id_) for id_ in users(domain)),
        *((TemplateLevel.GROUP, id_) for id_ in groups(domain)),
        (TemplateLevel.STORAGE, keys(domain)[2]),
    )


def deeds(own: str, other: str) -> st.SearchStrategy[Change]:
    """Returns what a domain may try: each names something of its own, and anything of the other beside it."""
    mine, theirs = keys(own), keys(other)
    templates = (f"t-{own}", f"t-{other}")
    return st.one_of(
        # entries
        st.booleans().flatmap(lambda on: call(changes.grant, pick(mine), pick(ANYBODY), FLAGS, propagates=on)),
        st.booleans().flatmap(lambda on: call(changes.grant, pick(ALL), pick(principals(own)), FLAGS, propagates=on)),
        call(lambda s, key, may: changes.grant(s, key, f"share:{share_of(s, own)}", may, propagates=True), pick(ALL), FLAGS),
        call(changes.revoke, pick(mine), pick(ANYBODY)),
        call(changes.revoke, pick(ALL), pick(principals(own))),
        # objects
        call(changes.register_object, pick((*ALL, ObjectKey("file", f"/{other}/new"))), st.just(own)),
        call(changes.change_owner, pick(mine), pick((*users(own), *users(other)))),
        call(changes.change_owner, pick(ALL), pick(users(own))),
        call(changes.place, pick(mine), pick(ALL)),
        call(changes.place, pick(ALL), pick(mine)),
        call(changes.delete_object, pick(mine)),
        call(create, pick(users(own)), pick(ALL), pick((*users(own), *users(other))), pick(ALL)),
        call(close, pick(users(own)), pick(ALL)),
        call(lambda s, key, storage, owner, parent: changes.ingest(s, key, own, storage=storage, owner_id=owner, parents=[parent]), pick(ALL), pick((None, mine[2], theirs[2])), pick((None, *users(own), *users(other))), pick(ALL)),
        call(close, pick(users(own)), st.just(ROOT)),
        # users and groups
        call(changes.add_member, pick(groups(own)), pick((*users(own), *users(other)))),
        call(changes.add_member, pick(groups(other)), pick(users(own))),
        call(changes.remove_member, pick(groups(own)), pick((*users(own), *users(other)))),
        call(changes.delete_group, pick(groups(own))),
        call(lambda s, user, status: changes.update_user(s, user, status=status), pick(users(own)), pick(UserStatus)),
        call(lambda s, user, group: changes.update_user(s, user, primary_group_id=group), pick(users(own)), pick((*groups(own), *groups(other)))),
        call(changes.set_domain_status, st.just(own), pick(DomainStatus)),
        call(changes.set_role_model, st.just(own), pick(RoleModel)),
        call(lambda s, user: changes.allow_network(s, own, "192.0.2.0/24", user_id=user), pick((*users(own), *users(other)))),
        call(lambda s, group: changes.allow_network(s, own, "192.0.2.0/24", group_id=group), pick((*groups(own), *groups(other)))),
        call(lambda s: changes.set_allow_list(s, own, enabled=True)),
        # templates
        st.booleans().flatmap(lambda on: call(give, st.just(templates[0]), pick(ANYBODY), FLAGS, propagates=on)),
        st.booleans().flatmap(lambda on: call(give, st.just(templates[1]), pick(principals(own)), FLAGS, propagates=on)),
        call(set_for, pick(levels(own)), pick((*templates, None))),
        call(set_for, pick(levels(other)), st.just(templates[0])),
        call(changes.apply_template, st.just(templates[0]), pick(ALL)),
        call(changes.apply_template, pick(templates), pick(mine)),
        call(lambda s, key, within: changes.apply_template(s, templates[0], key, within=within), pick(mine), pick(ALL)),
        call(changes.map_folder, pick(ALL), st.just(mine[2])),
        call(changes.map_folder, pick((mine[4], mine[5])), pick((mine[2], theirs[2], None))),
        call(changes.delete_template, st.just(templates[0])),
        # shares
        call(lambda s, user, key: changes.create_share(s, user, key, list(Right), metadata_views=[theirs[3].id, mine[3].id]), pick(users(own)), pick(ALL)),
        call(lambda s, user, key: changes.create_share(s, user, key, list(Right)), pick(users(other)), pick(mine)),
        call(lambda s, rights: changes.update_share(s, share_of(s, own), rights=rights, metadata_views=[theirs[3].id]), st.lists(pick(Right), unique=True)),
        call(lambda s: changes.remove_share(s, share_of(s, own))),
        call(lambda s, on: changes.set_external_share(s, own, on=on), st.booleans()),
    )  # fmt: skip


@pytest.fixture(scope="module", name="policy")
def shipped_policy() -> Policy:
    """The shipped policy."""
    return read_policy(Path(__file__).parents[2] / "policies")


def asked_about(policy: Policy, store: Store) -> tuple[Verdicts, dict[str, str]]:
    """Returns what everybody of both domains, each share's visitors and support may do; and the domain of each who asks."""
    with store.read() as session:
        homes = {f"share:{row.id}": row.domain_id for row in session.query(Share)}
    homes |= {f"user:{id_}": domain for domain in (HERE, THERE) for id_ in users(domain)}
    return verdicts(policy, store, [*homes, "support"], (*ALL, None)), homes


@examples(1.5)
@given(
    before=st.lists(deeds(HERE, THERE) | deeds(THERE, HERE), max_size=8),
    then=st.lists(deeds(THERE, HERE), min_size=20, max_size=40),
)
def test_no_domain_decides_anything_about_another(
    shared: Shared, policy: Policy, before: list[Change], then: list[Change]
) -> None:
    """After anything that one domain tries, who is of the other may do the same as before for the same reason, and nobody crosses over."""
    store = shared.reset(settle_in)
    with change(store) as session:
        for made in before:
            attempt(session, made)
    was, askers = asked_about(policy, store)
    with change(store) as session:
        for made in then:
            attempt(session, made)
    now, homes = asked_about(policy, store)

    at_home = (*keys(HERE), None)
    for asked, verdict in was.items():
        if asked.what in at_home and askers.get(asked.who, HERE) == HERE:  # support is of no domain
            assert now.get(asked) == verdict, asked
    for asked, (allowed, _) in now.items():
        assert not (allowed and crosses(asked, homes)), asked


def crosses(asked: Asked, homes: dict[str, str]) -> bool:
    """Tells whether somebody of one domain asks about an object of the other."""
    home = homes.get(asked.who)
    return home is not None and asked.what in keys(THERE if home == HERE else HERE)
