"""Domains are made with a name of their own, and can be stopped."""

from models import changes
from models.records import DomainRecord, DomainStatus, RoleModel
from models.store import Store
from stores import change, record, refused, revision, touched


def test_a_new_domain_works_and_restricts_nobody(store: Store) -> None:
    """Status ACTIVE, allow-list off, an id made up where none is given."""
    with change(store) as session:
        domain = changes.create_domain(session, "Main")
    assert record(store, f"domain:{domain.id}") == DomainRecord(domain.id)


def test_names_and_ids_are_taken_once(cast: Store) -> None:
    """A second domain of one name or id is refused."""
    assert "name" in refused(cast, changes.ConflictError, changes.create_domain, "Main")
    assert "id" in refused(cast, changes.ConflictError, changes.create_domain, "M", id_="main")
    refused(cast, changes.InvalidError, changes.create_domain, " ")
    refused(cast, changes.InvalidError, changes.create_domain, "M", id_="a\nb")


def test_a_status_is_one_of_four(cast: Store) -> None:
    """It holds from the next load on; an unknown word or domain is refused."""
    with change(cast) as session:
        changes.set_domain_status(session, "main", DomainStatus.FROZEN)
    assert record(cast, "domain:main") == DomainRecord("main", DomainStatus.FROZEN)
    refused(cast, changes.InvalidError, changes.set_domain_status, "main", "ASLEEP")  # type: ignore[arg-type]
    refused(cast, changes.UnknownError, changes.set_domain_status, "none", DomainStatus.ACTIVE)


def test_a_name_that_looks_like_another_is_taken(cast: Store) -> None:
    """Letter case and the form of letters do not make another name."""
    for name in ("main", "MAIN ", "\uff2dain"):
        assert "`Main`" in refused(cast, changes.ConflictError, changes.create_domain, name)


def test_a_role_model_is_one_of_two(cast: Store) -> None:
    """It touches the domain alone, however many users it has; an unknown word or domain is refused."""
    since = revision(cast)
    with change(cast) as session:
        changes.set_role_model(session, "main", RoleModel.ROLE_GROUPS)
    assert record(cast, "domain:main") == DomainRecord("main", roles_narrow=True)
    assert touched(cast, since) == {"domain:main"}
    refused(cast, changes.InvalidError, changes.set_role_model, "main", "FREE")  # type: ignore[arg-type]
    refused(cast, changes.UnknownError, changes.set_role_model, "none", RoleModel.GROUPS)
