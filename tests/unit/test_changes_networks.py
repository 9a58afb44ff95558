"""Allow-lists: one form for each network, for a domain, a group or a user of it, for all applications or one."""

import pytest

from models import changes, directory
from models.networks import AllowList
from models.records import AllowListRule, DomainRecord, GroupRecord, UserRecord
from models.store import Store
from stores import change, record, refused, revision, touched


def test_lists_of_domain_and_group_are_two(cast: Store) -> None:
    """A line belongs to the domain or to one group; the same network may stand in both."""
    with change(cast) as session:
        changes.allow_network(session, "main", "10.0.0.0/8", note="office")
        changes.allow_network(session, "main", "10.0.0.0/8", group_id="crew")
        changes.allow_network(session, "main", "2001:db8::1", group_id="crew")
        changes.set_allow_list(session, "main", enabled=True)
    assert record(cast, "domain:main") == DomainRecord(
        "main", allow_list_enabled=True, networks=AllowList.of([("10.0.0.0/8", None)])
    )
    assert record(cast, "group:crew") == GroupRecord(
        "crew", "main", networks=AllowList.of([("10.0.0.0/8", None), ("2001:db8::1/128", None)])
    )


def test_a_user_has_a_list_and_an_application_lines(cast: Store) -> None:
    """The same network may stand for all applications and for one; only the records that it speaks of are touched."""
    since = revision(cast)
    with change(cast) as session:
        changes.allow_network(session, "main", "10.0.0.0/8", user_id="ben")
        changes.allow_network(session, "main", "10.0.0.0/8", user_id="ben", application_id="app")
        changes.allow_network(session, "main", "192.0.2.0/24", user_id="ben", application_id="app")
    networks = AllowList.of([("10.0.0.0/8", None), ("10.0.0.0/8", "app"), ("192.0.2.0/24", "app")])
    assert record(cast, "user:ben") == UserRecord("ben", "main", group_ids=("crew",), networks=networks)
    assert record(cast, "domain:main") == DomainRecord("main")
    assert touched(cast, since) == {"user:ben", "domain:main"}
    with change(cast) as session:
        assert changes.disallow_network(session, "main", "10.0.0.0/8", user_id="ben", application_id="app")
        assert not changes.disallow_network(session, "main", "10.0.0.0/8", application_id="app")
        assert changes.disallow_network(session, "main", "10.0.0.0/8", user_id="ben")
    found = record(cast, "user:ben")
    assert isinstance(found, UserRecord)
    assert found.networks == AllowList.of([("192.0.2.0/24", "app")])


def test_a_domain_says_how_lists_combine(cast: Store) -> None:
    """The most specific decides until every level is to bind; an unknown word is refused."""
    with change(cast) as session:
        changes.set_allow_list_rule(session, "main", AllowListRule.EVERY_LEVEL)
    assert record(cast, "domain:main") == DomainRecord("main", every_level_binds=True)
    refused(cast, changes.InvalidError, changes.set_allow_list_rule, "main", "NONE")  # type: ignore[arg-type]
    refused(cast, changes.UnknownError, changes.set_allow_list_rule, "none", AllowListRule.EVERY_LEVEL)


def test_a_network_is_kept_in_one_form(cast: Store) -> None:
    """Another spelling of a network is the same line, which gets the new note; it can be taken away by any."""
    with change(cast) as session:
        changes.allow_network(session, "main", "::ffff:10.0.0.7", note="one")
        changes.allow_network(session, "main", " 10.0.0.7/32", note="two")
    with cast.read() as session:
        assert [(line.cidr, line.note) for line in directory.list_networks(session, "main")] == [
            ("10.0.0.7/32", "two")
        ]
    with change(cast) as session:
        assert changes.disallow_network(session, "main", "10.0.0.7")
        assert not changes.disallow_network(session, "main", "10.0.0.7")
    assert record(cast, "domain:main") == DomainRecord("main")


@pytest.mark.parametrize(
    "cidr", ["", "office", "10.0.0.1/8", "10.0.0.0/33", "010.0.0.0/8", "10.0.0.0-10.0.0.9"]
)
def test_what_is_no_network_is_refused(cast: Store, cidr: str) -> None:
    """A list never holds what a decision could not read."""
    refused(cast, changes.InvalidError, changes.allow_network, "main", cidr)
    refused(cast, changes.InvalidError, changes.disallow_network, "main", cidr)


def test_groups_belong_to_the_domain(cast: Store) -> None:
    """A group of another domain, an unknown one, and an unknown domain are refused."""
    net = "10.0.0.0/8"
    refused(cast, changes.ConflictError, changes.allow_network, "main", net, group_id="strangers")
    refused(cast, changes.UnknownError, changes.allow_network, "main", net, group_id="none")
    refused(cast, changes.UnknownError, changes.allow_network, "none", net)
    refused(cast, changes.ConflictError, changes.allow_network, "main", net, user_id="zoe")
    refused(cast, changes.UnknownError, changes.allow_network, "main", net, user_id="none")
    refused(cast, changes.ConflictError, changes.allow_network, "other", net, application_id="app")
    refused(cast, changes.UnknownError, changes.disallow_network, "main", net, application_id="none")
    refused(cast, changes.InvalidError, changes.allow_network, "main", net, group_id="crew", user_id="ben")
    refused(cast, changes.InvalidError, changes.allow_network, "main", net, note="x" * 5_000)
    refused(cast, changes.UnknownError, changes.set_allow_list, "none", enabled=True)


def test_lists_are_bounded(cast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each list for itself has so many lines and no more."""
    monkeypatch.setattr("models.changes.networks.MAX_NETWORKS", 1)
    with change(cast) as session:
        changes.allow_network(session, "main", "10.0.0.1")
        changes.allow_network(session, "main", "10.0.0.2", group_id="crew")
    refused(cast, changes.InvalidError, changes.allow_network, "main", "10.0.0.3")
