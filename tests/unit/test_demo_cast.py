"""Tests of gateway.demo.cast: the data agree with each other and with the catalogue of roles."""

from gateway.demo.cast import BEA, BOB, CAST, GRANTS, GROUPS, NELL, STUDIO, THINGS, VIEWERS, WRITING
from gateway.roles import read_role_floor
from gateway.shipped import shipped_policies
from models.records import Permission, UserStatus, UserType

FLOOR = read_role_floor(shipped_policies())


def test_every_role_is_in_the_catalogue() -> None:
    """A role that the catalogue does not know would be for POWER users only."""
    assert {role for group in GROUPS for role in group.roles} <= set(FLOOR)


def test_names_are_unique() -> None:
    """Nobody and nothing is mistaken for another."""
    assert len({each.email for each in CAST}) == len(CAST)
    assert len({each.name for each in GROUPS}) == len(GROUPS)
    assert len({each.key for each in THINGS}) == len(THINGS)


def test_groups_of_people_and_grants_are_known() -> None:
    """Whoever is in a group or is granted something is put in the store with it."""
    assert {group for each in CAST for group in each.groups} | {each.group for each in GRANTS} <= set(GROUPS)


def test_objects_of_grants_are_known() -> None:
    """Each entry stands on an object that is put in the store, with permissions that there are."""
    assert {each.on for each in GRANTS} <= {each.key for each in THINGS}
    assert all(Permission.named(name) for each in GRANTS for name in each.permissions)


def test_collections_come_before_what_stands_in_them() -> None:
    """Things can be put in place in their order."""
    seen = set()
    for thing in THINGS:
        assert thing.within is None or thing.within in seen
        seen.add(thing.key)


def test_only_a_power_user_is_admin() -> None:
    """The cast obeys the rule for admins."""
    assert [each.type for each in CAST if each.is_admin] == [UserType.POWER]


def test_bea_is_stopped_by_her_type_alone() -> None:
    """Her group gives all writing roles, and none of them is for browse-only users."""
    assert VIEWERS.roles >= WRITING
    assert BEA.type is UserType.BROWSE_ONLY
    assert all(FLOOR[role] is not UserType.BROWSE_ONLY for role in WRITING)


def test_bob_is_stopped_by_his_status_alone() -> None:
    """But for the status he is what Stan is."""
    assert (BOB.status, BOB.groups, BOB.type) == (UserStatus.BLOCKED, (STUDIO,), UserType.STANDARD)


def test_nell_is_stopped_by_her_network_alone() -> None:
    """Hers is the only group that is bound to a network, and it reads the library."""
    assert [each for each in GROUPS if each.networks] == list(NELL.groups)
    assert any(each.group in NELL.groups and "read" in each.permissions for each in GRANTS)
