"""Allow-lists: one form for each network, for a domain or a group of it."""

import pytest

from models import changes, directory
from models.networks import NetworkSet
from models.records import DomainRecord, GroupRecord
from models.store import Store
from stores import change, record, refused


def test_lists_of_domain_and_group_are_two(cast: Store) -> None:
    """A line belongs to the domain or to one group; the same network may stand in both."""
    with change(cast) as session:
        changes.allow_network(session, "main", "10.0.0.0/8", note="office")
        changes.allow_network(session, "main", "10.0.0.0/8", group_id="crew")
        changes.allow_network(session, "main", "2001:db8::1", group_id="crew")
        changes.set_allow_list(session, "main", enabled=True)
    assert record(cast, "domain:main") == DomainRecord(
        "main", allow_list_enabled=True, networks=NetworkSet.of(["10.0.0.0/8"])
    )
    assert record(cast, "group:crew") == GroupRecord(
        "crew", "main", networks=NetworkSet.of(["10.0.0.0/8", "2001:db8::1/128"])
    )


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
    refused(cast, changes.UnknownError, changes.set_allow_list, "none", enabled=True)


def test_lists_are_bounded(cast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each list for itself has so many lines and no more."""
    monkeypatch.setattr("models.changes.networks.MAX_NETWORKS", 1)
    with change(cast) as session:
        changes.allow_network(session, "main", "10.0.0.1")
        changes.allow_network(session, "main", "10.0.0.2", group_id="crew")
    refused(cast, changes.InvalidError, changes.allow_network, "main", "10.0.0.3")
