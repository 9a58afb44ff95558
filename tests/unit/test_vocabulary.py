"""Facts answer yes or no, by the rules at the top of `models.vocabulary`."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from netaddr import IPAddress

from models.networks import UNRESTRICTED, AllowList, canonical_address
from models.records import (
    MAX_ANCESTORS,
    DomainRecord,
    DomainStatus,
    FactBoundError,
    Facts,
    Grant,
    GroupRecord,
    MissingFactError,
    ObjectKey,
    ObjectRecord,
    Permission,
    Record,
    UserRecord,
    UserStatus,
    UserType,
)
from models.vocabulary import Request, Resource, Subject

READ, WRITE = Permission.READ, Permission.WRITE
CLIP, SUB, TOP = ObjectKey("asset", "clip"), ObjectKey("collection", "sub"), ObjectKey("collection", "top")
FLOOR = {"can_read": UserType.BROWSE_ONLY, "can_write": UserType.STANDARD}
MAIN = DomainRecord("main")
NOON = datetime(2030, 6, 1, 12, 0, tzinfo=UTC)


class Known(Facts):
    """Records by key; what is absent is not at hand."""

    def __init__(
        self, *records: DomainRecord | GroupRecord | UserRecord | ObjectRecord, gone: tuple[str, ...] = ()
    ) -> None:
        """Takes records, and keys that are known not to exist."""
        self._records: dict[str, Record | None] = dict.fromkeys(gone)
        for record in records:
            kinds = {DomainRecord: "domain", GroupRecord: "group", UserRecord: "user"}
            key = (
                record.key.fact if isinstance(record, ObjectRecord) else f"{kinds[type(record)]}:{record.id}"
            )
            self._records[key] = record

    def get(self, key: str) -> Record | None:
        """Returns a record as `models.records.Facts` says."""
        if key not in self._records:
            raise MissingFactError(key)
        return self._records[key]


def ben(*groups: str, **attributes: object) -> UserRecord:
    """Returns the user ben of the domain main."""
    return UserRecord("ben", "main", group_ids=groups, **attributes)  # type: ignore[arg-type]


def asking(user: UserRecord | None, *records: DomainRecord | GroupRecord) -> Subject:
    """Returns a subject over the given records."""
    return Subject(Known(*records), user, FLOOR)


def request(address: str, now: datetime = NOON, roles: tuple[str, ...] = ()) -> Request:
    """Returns a request from an address."""
    return Request(canonical_address(address), now, roles=roles)


def placed(key: ObjectKey, *parents: ObjectKey, **entries: Permission) -> ObjectRecord:
    """Returns a registered object of main; `own_NAME` and `all_NAME` are entries of users."""
    direct = {f"user:{name[4:]}": flags for name, flags in entries.items() if name.startswith("own_")}
    propagating = {f"user:{name[4:]}": flags for name, flags in entries.items() if name.startswith("all_")}
    return ObjectRecord(key, True, "main", "ada", parents, direct, propagating)


def test_what_is_shown_of_them_holds_no_fact() -> None:
    """Oso writes what it was given into its errors, and those go to the audit."""
    facts = Known(placed(CLIP))
    shown = [
        Subject(facts, ben("crew"), FLOOR),
        Resource(facts, CLIP, NOON),
        request("192.0.2.1", roles=("role",)),
    ]
    assert not any(word in repr(shown) for word in ("ben", "crew", "clip", "192", "role"))


@pytest.mark.parametrize("status", list(UserStatus))
def test_only_active_users_are_active(status: UserStatus) -> None:
    """INACTIVE, BLOCKED and DELETED are the same in effect."""
    assert asking(ben(status=status)).is_active() is (status is UserStatus.ACTIVE)


@pytest.mark.parametrize("status", list(DomainStatus))
def test_a_domain_works_while_active_or_warned(status: DomainStatus) -> None:
    """FROZEN and DEACTIVATED ones do not, and only the first is frozen; one that is gone is neither."""
    works = status in (DomainStatus.ACTIVE, DomainStatus.WARNING)
    assert asking(ben(), DomainRecord("main", status)).in_working_domain() is works
    assert asking(ben(), DomainRecord("main", status)).in_frozen_domain() is (status is DomainStatus.FROZEN)
    gone = Subject(Known(gone=("domain:main",)), ben(), FLOOR)
    assert (gone.in_working_domain(), gone.in_frozen_domain()) == (False, False)


def test_an_anonymous_subject_is_nothing_and_has_nothing() -> None:
    """Without a credential every question about the user is answered with no, the network's excepted."""
    nobody = asking(None)
    answers = (
        nobody.is_signed_in(),
        nobody.is_active(),
        nobody.in_working_domain(),
        nobody.in_frozen_domain(),
        nobody.is_admin(),
        nobody.is_type("POWER"),
        nobody.in_group("crew"),
        nobody.has_role("can_read"),
    )
    assert not any(answers)
    assert nobody.principals == ()
    assert nobody.admitted_from(request("192.0.2.1"))


def test_support_is_nobody_in_any_domain() -> None:
    """It is signed in, and every question about a user is answered as for an anonymous caller."""
    support = Subject(Known(), None, FLOOR, "sam")
    answers = (
        support.has_account(),
        support.is_active(),
        support.in_working_domain(),
        support.in_frozen_domain(),
        support.is_admin(),
        support.in_group("crew"),
        support.has_role("can_read"),
    )
    assert (support.is_signed_in(), support.is_support()) == (True, True)
    assert not any(answers)
    assert support.principals == ()
    assert not asking(None).is_support()
    assert not asking(ben()).is_support()
    assert asking(ben()).has_account()


def test_an_object_is_open_to_support_while_its_domain_says_so() -> None:
    """The switch of the object's own domain counts, up to its end and not at it; the caller's domain opens nothing."""
    clip = placed(CLIP)
    now = request("192.0.2.1")

    def is_open(domain: DomainRecord, key: ObjectKey | None = CLIP) -> bool:
        return Resource(Known(clip, domain, gone=("object:asset:unknown",)), key, NOON).open_to_support(now)

    later = NOON + timedelta(seconds=1)
    assert is_open(DomainRecord("main", support_until=later))
    assert is_open(DomainRecord("main", DomainStatus.FROZEN, support_until=later))
    assert not is_open(DomainRecord("main", support_until=NOON))
    assert not is_open(DomainRecord("main"))
    assert not is_open(DomainRecord("main", DomainStatus.DEACTIVATED, support_until=later))
    assert not is_open(DomainRecord("main", support_until=later), None)
    assert not is_open(DomainRecord("main", support_until=later), ObjectKey("asset", "unknown"))


def test_a_route_demands_only_what_it_names() -> None:
    """A route without roles demands nothing; one role that is not listed is enough for no."""
    assert request("192.0.2.1").demands_only([])
    assert request("192.0.2.1", roles=("can_a",)).demands_only(["can_a", "can_b"])
    assert not request("192.0.2.1", roles=("can_a", "can_c")).demands_only(["can_a", "can_b"])


def test_an_admin_is_a_power_user() -> None:
    """The flag alone, on a user of another type, gives nothing."""
    assert asking(ben(is_admin=True, type=UserType.POWER)).is_admin()
    assert not asking(ben(is_admin=True, type=UserType.STANDARD)).is_admin()
    assert not asking(ben(type=UserType.POWER)).is_admin()


def test_a_subject_is_named_by_user_and_groups() -> None:
    """Entries speak of the user and of each group."""
    subject = asking(ben("crew", "press"))
    assert subject.principals == ("user:ben", "group:crew", "group:press")
    assert subject.in_group("crew")
    assert not subject.in_group("main")
    assert subject.is_type("STANDARD")


@pytest.mark.parametrize(
    ("type_", "role", "holds"),
    [
        (UserType.BROWSE_ONLY, "can_read", True),
        (UserType.BROWSE_API_ONLY, "can_read", True),
        (UserType.BROWSE_ONLY, "can_write", False),
        (UserType.STANDARD, "can_write", True),
        (UserType.STANDARD, "unlisted", False),
        (UserType.POWER, "unlisted", True),
    ],
)
def test_a_role_is_capped_by_the_type(type_: UserType, role: str, *, holds: bool) -> None:
    """A group's role counts for users whose type may hold it; a role nobody listed needs POWER."""
    group = GroupRecord("crew", "main", frozenset({"can_read", "can_write", "unlisted"}))
    assert asking(ben("crew", type=type_), MAIN, group).has_role(role) is holds


def test_roles_come_from_any_group_and_a_route_demands_all() -> None:
    """One group is enough for a role; each role demanded must be held."""
    groups = (
        GroupRecord("a", "main", frozenset({"can_read"})),
        GroupRecord("b", "main", frozenset({"can_write"})),
    )
    subject = asking(ben("a", "b"), MAIN, *groups)
    assert request("::1", roles=("can_read", "can_write")).roles_held_by(subject)
    assert not request("::1", roles=("can_read", "other")).roles_held_by(subject)
    assert request("::1").roles_held_by(asking(ben()))


def test_a_missing_fact_stops_the_question() -> None:
    """A group that is not at hand is asked for, not taken as giving nothing; one that is gone gives nothing."""
    with pytest.raises(MissingFactError) as caught:
        asking(ben("crew"), MAIN).has_role("can_read")
    assert caught.value.key == "group:crew"
    with pytest.raises(MissingFactError) as caught:
        asking(ben("crew")).has_role("can_read")
    assert caught.value.key == "domain:main"
    assert not Subject(Known(MAIN, gone=("group:crew",)), ben("crew"), FLOOR).has_role("can_read")


@pytest.mark.parametrize(
    ("groups", "held"),
    [
        ({}, {"can_read", "can_write"}),
        ({"team": (), "empty": ()}, {"can_read", "can_write"}),
        ({"a": ("can_read",)}, {"can_read"}),
        ({"a": ("can_read",), "b": ("can_write", "unlisted"), "empty": ()}, {"can_read", "can_write"}),
        ({"a": ("other",)}, set()),
    ],
)
def test_role_groups_narrow_what_the_type_may_hold(
    groups: dict[str, tuple[str, ...]], held: set[str]
) -> None:
    """Without one that names roles all of the type is held, else what they name together; groups' own roles do not count."""
    domain = DomainRecord("main", roles_narrow=True)
    records = [GroupRecord(name, "main", narrows_to=frozenset(roles)) for name, roles in groups.items()]
    legacy = GroupRecord("legacy", "main", frozenset({"can_write", "unlisted"}))
    subject = asking(ben("legacy", *groups), domain, legacy, *records)

    assert {role for role in ("can_read", "can_write", "unlisted") if subject.has_role(role)} == held


def test_a_domain_that_is_gone_gives_no_role() -> None:
    """Where nobody knows how roles come, none does."""
    subject = Subject(Known(gone=("domain:main",)), ben(type=UserType.POWER), FLOOR)

    assert not subject.has_role("can_read")


OFFICE, HOME = AllowList.of([("10.0.0.0/8", None)]), AllowList.of([("192.0.2.0/24", None)])


@pytest.mark.parametrize(
    ("enabled", "domain", "groups", "admitted"),
    [
        (False, OFFICE, [OFFICE], {"office", "home", "away"}),
        (True, AllowList(), [AllowList()], {"office", "home", "away"}),
        (True, OFFICE, [], {"office"}),
        (True, OFFICE, [AllowList()], {"office"}),
        (True, OFFICE, [HOME], {"home"}),
        (True, AllowList(), [OFFICE, HOME], {"office", "home"}),
        (True, OFFICE, [HOME, AllowList()], {"home"}),
    ],
)
def test_the_most_specific_list_decides(
    domain: AllowList, groups: list[AllowList], admitted: set[str], *, enabled: bool
) -> None:
    """While the switch is on: the lists of the groups together if any has a line, else the domain's, else nobody is restricted."""
    records = [GroupRecord(f"g{at}", "main", networks=networks) for at, networks in enumerate(groups)]
    subject = asking(
        ben(*(group.id for group in records)),
        DomainRecord("main", allow_list_enabled=enabled, networks=domain),
        *records,
    )
    places = {"office": "10.1.2.3", "home": "::ffff:192.0.2.7", "away": "2001:db8::1"}
    assert {name for name, address in places.items() if subject.admitted_from(request(address))} == admitted


@pytest.mark.parametrize(
    ("every", "user", "groups", "domain", "admitted"),
    [
        (False, OFFICE, [HOME], HOME, {"office"}),
        (False, None, [HOME], OFFICE, {"home"}),
        (True, OFFICE, [HOME], OFFICE, set()),
        (True, OFFICE, [OFFICE, HOME], OFFICE, {"office"}),
        (True, None, [HOME], None, {"home"}),
        (True, None, [], None, {"office", "home", "away"}),
    ],
)
def test_levels_combine_as_the_domain_says(
    user: AllowList | None,
    groups: list[AllowList],
    domain: AllowList | None,
    admitted: set[str],
    *,
    every: bool,
) -> None:
    """The user's own list, those of the groups together, the domain's: the first that has a line, or each that has one."""
    records = [GroupRecord(f"g{at}", "main", networks=networks) for at, networks in enumerate(groups)]
    home = DomainRecord(
        "main", allow_list_enabled=True, networks=domain or UNRESTRICTED, every_level_binds=every
    )
    names = [group.id for group in records]
    subject = asking(ben(*names, networks=user or UNRESTRICTED), home, *records)
    places = {"office": "10.1.2.3", "home": "192.0.2.7", "away": "2001:db8::1"}
    assert {name for name, address in places.items() if subject.admitted_from(request(address))} == admitted


def test_a_line_binds_the_application_it_is_for() -> None:
    """With the tokens of another application the list has no line."""
    home = DomainRecord("main", allow_list_enabled=True, networks=AllowList.of([("10.0.0.0/8", "panel")]))
    subject = asking(ben(), home)

    def admitted(application: str) -> bool:
        return subject.admitted_from(Request(canonical_address("192.0.2.7"), NOON, application=application))

    assert (admitted("panel"), admitted("player")) == (False, True)


def test_without_a_domain_nobody_is_admitted() -> None:
    """A domain that is gone has no list that could admit."""
    assert not Subject(Known(gone=("domain:main",)), ben(), FLOOR).admitted_from(request("10.0.0.1"))


def test_the_request_knows_its_address_and_route() -> None:
    """A policy may ask for a network, and whether the route is open."""
    asked = request("::ffff:10.1.2.3")
    assert asked.address == IPAddress("10.1.2.3")
    assert asked.from_network("10.0.0.0/8")
    assert not asked.from_network("192.0.2.0/24")
    assert not asked.open_to_all()
    assert Request(asked.address, NOON, anonymous=True).open_to_all()


@pytest.mark.parametrize(
    ("start", "end", "zone", "within"),
    [
        ("12:00", "13:00", "UTC", True),
        ("11:00", "12:00", "UTC", False),
        ("14:00", "15:00", "Europe/Stockholm", True),
        ("22:00", "12:01", "UTC", True),
        ("22:00", "06:00", "UTC", False),
        ("20:00", "22:00", "Asia/Tokyo", True),
    ],
)
def test_a_span_of_time_is_half_open_and_may_cross_midnight(
    start: str, end: str, zone: str, *, within: bool
) -> None:
    """The clock of the zone named counts, summer time included; the end does not belong to the span."""
    assert request("::1").time_between(start, end, zone) is within


def test_a_resource_without_a_key_is_the_callers_domain() -> None:
    """It exists, is of no type, and is shared with everyone who asks."""
    own = Resource(Known(), None, NOON)
    assert (own.is_domain(), own.exists(), own.shares_domain_with(asking(None)), own.is_held()) == (
        True,
        True,
        True,
        False,
    )
    assert not own.is_type("asset")
    assert not own.owned_by(asking(ben()))
    assert not own.grants("read", asking(ben()))
    assert not own.inherits("read", asking(ben()))


def test_an_object_exists_if_registered_and_a_path_through_its_folder() -> None:
    """The nearest registered folder gives existence and domain to a path below it."""
    file, folder, root = (ObjectKey("file", path) for path in ("/a/b", "/a", "/"))
    facts = Known(
        ObjectRecord(file, parents=(folder,)), placed(folder, root), ObjectRecord(root), gone=(CLIP.fact,)
    )
    assert Resource(facts, file, NOON).exists()
    assert Resource(facts, file, NOON).shares_domain_with(asking(ben()))
    assert not Resource(facts, file, NOON).shares_domain_with(asking(UserRecord("zoe", "other")))
    assert not Resource(facts, file, NOON).shares_domain_with(asking(None))
    for unknown in (root, CLIP):
        assert not Resource(facts, unknown, NOON).exists()
        assert not Resource(facts, unknown, NOON).shares_domain_with(asking(ben()))


def test_the_owner_is_who_made_the_object_itself() -> None:
    """Ownership of a folder is not ownership of what stands in it; nobody owns what has no owner."""
    folder, file = ObjectKey("file", "/a"), ObjectKey("file", "/a/b")
    facts = Known(placed(folder), ObjectRecord(file, parents=(folder,)))
    ada = asking(UserRecord("ada", "main"))
    assert Resource(facts, folder, NOON).owned_by(ada)
    assert not Resource(facts, folder, NOON).owned_by(asking(ben()))
    assert not Resource(facts, file, NOON).owned_by(ada)
    assert not Resource(facts, file, NOON).owned_by(asking(None))


def test_entries_grant_by_user_and_by_group() -> None:
    """On the object itself both kinds of entry hold; a permission does not imply another."""
    record = ObjectRecord(CLIP, True, "main", None, (), {"user:ben": READ}, {"group:crew": WRITE})
    resource = Resource(Known(record), CLIP, NOON)
    subject = asking(ben("crew"))
    assert resource.grants("read", subject)
    assert resource.grants("write", subject)
    assert not resource.grants("delete", subject)
    assert not resource.grants("write", asking(ben()))
    assert not resource.inherits("read", subject)
    assert not resource.grants("read", asking(None))


def test_only_propagating_entries_are_inherited() -> None:
    """From any level above, by any way; a direct entry above stays there."""
    facts = Known(placed(CLIP, SUB), placed(SUB, TOP, own_ben=WRITE), placed(TOP, all_ben=READ))
    resource = Resource(facts, CLIP, NOON)
    assert resource.inherits("read", asking(ben()))
    assert not resource.inherits("write", asking(ben()))
    assert not resource.grants("read", asking(ben()))
    assert not resource.inherits("read", asking(UserRecord("cia", "main")))
    assert not resource.inherits("read", asking(None))


def test_only_a_question_about_inheritance_asks_for_ancestors() -> None:
    """An entry on the object itself needs nothing above; what is inherited needs all of it, as it is remembered as one."""
    facts = Known(placed(CLIP, SUB, all_ben=READ), placed(SUB, TOP, all_ben=READ))
    assert Resource(facts, CLIP, NOON).grants("read", asking(ben()))
    with pytest.raises(MissingFactError) as caught:
        Resource(facts, CLIP, NOON).inherits("read", asking(ben()))
    assert caught.value.key == TOP.fact


def test_an_ancestor_that_is_gone_or_met_twice_does_no_harm() -> None:
    """A diamond is walked once, a cycle ends, a parent that does not exist gives nothing."""
    facts = Known(placed(CLIP, SUB, TOP), placed(SUB, TOP), placed(TOP, SUB, all_ben=READ))
    assert len(Resource(facts, CLIP, NOON).grants_of("read", asking(ben()))) == 1
    lost = Known(placed(CLIP, SUB), gone=(SUB.fact,))
    assert not Resource(lost, CLIP, NOON).inherits("read", asking(ben()))


def test_a_hostile_tree_is_a_bounded_walk() -> None:
    """Beyond the bound the question is an error, not a slow answer."""
    chain = [ObjectKey("collection", str(at)) for at in range(MAX_ANCESTORS + 2)]
    facts = Known(*(placed(key, above) for key, above in pairwise(chain)))
    with pytest.raises(FactBoundError):
        Resource(facts, chain[0], NOON).inherits("read", asking(ben()))


def test_a_hold_closes_the_object_and_what_lies_below_a_held_folder() -> None:
    """A file is closed with its folder; the content of a held collection is not."""
    folder, file = ObjectKey("file", "/a"), ObjectKey("file", "/a/b")
    root = ObjectRecord(ObjectKey("file", "/"))
    facts = Known(
        ObjectRecord(file, parents=(folder,)),
        ObjectRecord(folder, registered=True, held=True),
        root,
        placed(CLIP, SUB),
        ObjectRecord(SUB, registered=True, held=True),
    )
    assert Resource(facts, file, NOON).is_held()
    assert Resource(facts, SUB, NOON).is_held()
    assert not Resource(facts, CLIP, NOON).is_held()
    assert not Resource(facts, root.key, NOON).is_held()


def test_explain_finds_every_entry_that_grants() -> None:
    """Own entries first, then the inherited ones with the ancestor that each stands on."""
    facts = Known(placed(CLIP, SUB, own_ben=READ), placed(SUB, all_ben=READ | WRITE))
    assert Resource(facts, CLIP, NOON).grants_of("read", asking(ben())) == (
        Grant(CLIP, "user:ben", READ, inherited=False),
        Grant(SUB, "user:ben", READ | WRITE, inherited=True),
    )
    assert [grant.on for grant in Resource(facts, CLIP, NOON).grants_of("write", asking(ben()))] == [SUB]
