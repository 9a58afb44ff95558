"""Whoever changes allow-lists stays let in, unless the operator says otherwise."""

from functools import partial

import pytest
from sqlalchemy.orm import Session

from models import changes
from models.networks import canonical_address
from models.records import AllowListRule, UserStatus, UserType
from models.store import Store
from stores import change, refused

OFFICE = "10.0.0.1"
ADA = changes.Guard(canonical_address(OFFICE), "ada", "app")
SOMEBODY = changes.Guard(canonical_address(OFFICE))


@pytest.fixture(name="lists")
def lists_that_are_on(cast: Store) -> Store:
    """The domain main lets in 10.0.0.0/8 and 192.0.2.0/24."""
    with change(cast) as session:
        changes.allow_network(session, "main", "10.0.0.0/8")
        changes.allow_network(session, "main", "192.0.2.0/24")
        changes.set_allow_list(session, "main", enabled=True)
    return cast


def join_crew(session: Session) -> None:
    """Makes ada a member of the crew."""
    changes.add_member(session, "crew", "ada")


LOCKING_OUT = {
    "the line is removed": partial(changes.disallow_network, domain_id="main", cidr="10.0.0.0/8"),
    "a list of one's own": partial(
        changes.allow_network, domain_id="main", cidr="192.0.2.0/24", user_id="ada"
    ),
    "a list of one's group": partial(
        changes.allow_network, domain_id="main", cidr="192.0.2.0/24", group_id="crew"
    ),
    "a line for the application": partial(
        changes.allow_network, domain_id="main", cidr="192.0.2.9", user_id="ada", application_id="app"
    ),
}


@pytest.mark.parametrize("lock", LOCKING_OUT.values(), ids=LOCKING_OUT.keys())
def test_nobody_locks_oneself_out(lists: Store, lock: "partial[object]") -> None:
    """A change after which the address that it comes from is shut out is refused, at whatever level; the override does it."""
    with change(lists) as session:
        join_crew(session)
    message = refused(lists, changes.ConflictError, lock, guard=ADA)
    assert (
        message
        == "you could not come in from 10.0.0.1 any more: allow that address first, or let the operator override"
    )
    with change(lists) as session:
        lock(session, guard=None)


def test_what_shuts_out_others_is_done(lists: Store) -> None:
    """Another's list, another application's line and a line that lets in more are no lockout."""
    with change(lists) as session:
        changes.create_application(session, "main", "Other", id_="other-app")
        changes.allow_network(session, "main", "203.0.113.0/24", group_id="crew", guard=ADA)
        changes.allow_network(session, "main", "203.0.113.0/24", user_id="ben", guard=ADA)
        changes.allow_network(
            session, "main", "203.0.113.0/24", user_id="ada", application_id="other-app", guard=ADA
        )
        changes.allow_network(session, "main", OFFICE, user_id="ada", guard=ADA)
        changes.disallow_network(session, "main", "192.0.2.0/24", guard=ADA)


def test_turning_the_lists_on_is_a_change(cast: Store) -> None:
    """Lists may be written in any way while they are off; turning them on is refused to whom they would shut out."""
    with change(cast) as session:
        changes.allow_network(session, "main", "192.0.2.0/24", guard=ADA)
    refused(cast, changes.ConflictError, changes.set_allow_list, "main", enabled=True, guard=ADA)
    with change(cast) as session:
        changes.allow_network(session, "main", OFFICE, guard=ADA)
        changes.set_allow_list(session, "main", enabled=True, guard=ADA)


def test_making_every_level_bind_is_a_change(lists: Store) -> None:
    """A list that the most specific one stood in for may shut somebody out once it binds."""
    with change(lists) as session:
        changes.allow_network(session, "main", "203.0.113.5", user_id="ada")
    guard = changes.Guard(canonical_address("203.0.113.5"), "ada", "app")
    every = AllowListRule.EVERY_LEVEL
    refused(lists, changes.ConflictError, changes.set_allow_list_rule, "main", every, guard=guard)


def test_who_is_out_already_may_repair_step_by_step(lists: Store) -> None:
    """Nothing is asked of a guard who could not come in before."""
    guard = changes.Guard(canonical_address("203.0.113.5"), "ada", "app")
    with change(lists) as session:
        changes.disallow_network(session, "main", "192.0.2.0/24", guard=guard)
        changes.allow_network(session, "main", "203.0.113.0/24", guard=guard)
    refused(lists, changes.ConflictError, changes.disallow_network, "main", "203.0.113.0/24", guard=guard)


def test_any_active_admin_will_do_where_nobody_is_named(lists: Store) -> None:
    """The address that the operator wants kept must let in one admin; one who is blocked, or no admin, does not count."""
    with change(lists) as session:
        changes.allow_network(session, "main", "192.0.2.0/24", user_id="ada", guard=None)
        changes.update_user(session, "ben", type=UserType.POWER, is_admin=True)
    gone = partial(changes.disallow_network, domain_id="main", cidr="10.0.0.0/8", guard=SOMEBODY)
    assert "no active admin of the domain could come in from 10.0.0.1" in refused(
        lists, changes.ConflictError, gone
    )
    with change(lists) as session:
        changes.allow_network(session, "main", OFFICE, user_id="ben")
        gone(session)
        changes.allow_network(session, "main", "10.0.0.0/8")
        changes.update_user(session, "ben", status=UserStatus.BLOCKED)
        changes.disallow_network(session, "main", "192.0.2.0/24", user_id="ada")
    refused(lists, changes.ConflictError, gone)


def test_lists_without_an_address_in_common_shut_everybody_out(lists: Store) -> None:
    """Where every level binds, two lists that share nothing would let in no admin from anywhere; that is refused unasked."""
    with change(lists) as session:
        changes.set_allow_list_rule(session, "main", AllowListRule.EVERY_LEVEL)
    apart = partial(changes.allow_network, domain_id="main", cidr="203.0.113.0/24", user_id="ada")
    assert "from any address" in refused(lists, changes.ConflictError, apart)
    with change(lists) as session:
        changes.allow_network(session, "main", "10.9.0.0/16", user_id="ada")
        apart(session)
        changes.update_user(session, "ben", type=UserType.POWER, is_admin=True)
        changes.disallow_network(session, "main", "10.9.0.0/16", user_id="ada")


def test_a_domain_without_an_active_admin_has_nobody_to_keep(lists: Store) -> None:
    """Lists of a domain that no admin works in are changed as they come."""
    with change(lists) as session:
        changes.create_domain(session, "Empty", id_="empty")
        changes.allow_network(session, "empty", "192.0.2.1", guard=SOMEBODY)
        changes.set_allow_list(session, "empty", enabled=True, guard=SOMEBODY)


def test_joining_and_leaving_a_group_with_a_list_are_changes(lists: Store) -> None:
    """A group's list may shut its new member out, or have been all that let the member in."""
    with change(lists) as session:
        changes.create_group(session, "main", "Far", id_="far")
        changes.allow_network(session, "main", "203.0.113.0/24", group_id="far")
    refused(lists, changes.ConflictError, changes.add_member, "far", "ada", guard=ADA)
    with change(lists) as session:
        changes.add_member(session, "far", "ben", guard=ADA)
        changes.add_member(session, "far", "ada", guard=None)
    there = changes.Guard(canonical_address("203.0.113.5"), "ada", "app")
    refused(lists, changes.ConflictError, changes.remove_member, "far", "ada", guard=there)
    refused(lists, changes.ConflictError, changes.delete_group, "far", guard=there)
    with change(lists) as session:
        changes.remove_member(session, "far", "ben", guard=there)
        changes.remove_member(session, "far", "ada", guard=ADA)
        changes.delete_group(session, "far", guard=ADA)


@pytest.mark.parametrize(
    "said",
    [
        {"status": UserStatus.BLOCKED},
        {"status": UserStatus.DELETED},
        {"is_admin": False},
        {"is_admin": False, "type": UserType.STANDARD},
    ],
)
def test_the_last_admin_who_can_come_in_stays(lists: Store, said: dict[str, object]) -> None:
    """Another admin is not enough if no list lets that one in; with one who can come in, or by the operator, it is done."""
    with change(lists) as session:
        changes.create_user(session, "main", "far@example.com", id_="far", type=UserType.POWER, is_admin=True)
        changes.set_allow_list_rule(session, "main", AllowListRule.EVERY_LEVEL)
        changes.allow_network(session, "main", "198.51.100.0/24", user_id="far")
    message = refused(lists, changes.ConflictError, changes.update_user, "ada", **said)  # type: ignore[arg-type]
    assert message.startswith("no active admin of the domain could come in from any address")
    with change(lists) as session:
        changes.update_user(session, "ada", guard=None, **said)  # type: ignore[arg-type]
