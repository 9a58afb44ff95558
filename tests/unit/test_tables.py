"""Each mapped class says which facts depend on its rows."""

import pytest

from models.records import ObjectKey
from models.tables import AclEntry, Base, Hold, Network, Object, Placement, PrincipalKind, columns_of

CLASSES = [mapper.class_ for mapper in Base.registry.mappers]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_names_its_facts(kind: type[Base]) -> None:
    """No table can be added without deciding which facts depend on it; the columns it names exist."""
    assert "__facts__" in vars(kind)
    for template in kind.__facts__:
        assert columns_of(template) or template == "policies:live"  # of which there is one
        assert set(columns_of(template)) <= set(kind.__table__.columns.keys())


@pytest.mark.parametrize("kind", CLASSES)
def test_no_reference_cascades(kind: type[Base]) -> None:
    """The database deletes nothing by itself, which the revision log would miss."""
    assert all(key.ondelete is None and key.onupdate is None for key in kind.__table__.foreign_keys)


def test_keys_are_filled_from_the_row() -> None:
    """A line of a group's list touches group and domain, one of the domain's the domain alone."""
    assert list(Network(domain_id="d", group_id="g").fact_keys()) == ["domain:d", "group:g"]
    assert list(Network(domain_id="d").fact_keys()) == ["domain:d"]
    assert list(Object(type="asset", id="{x}:y").fact_keys()) == ["object:asset:{x}:y"]


def test_rows_name_their_objects() -> None:
    """Rows that speak of objects give the object's key."""
    key, other = ObjectKey("asset", "a"), ObjectKey("collection", "c")
    assert Object(type="asset", id="a").key == key
    assert Hold(object_type="asset", object_id="a").key == key
    row = Placement(child_type="asset", child_id="a", parent_type="collection", parent_id="c")
    assert (row.child, row.parent) == (key, other)
    entry = AclEntry(object_type="asset", object_id="a", principal_kind=PrincipalKind.GROUP, principal_id="g")
    assert (entry.key, entry.principal) == (key, "group:g")
