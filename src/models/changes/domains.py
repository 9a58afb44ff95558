"""Changes to system domains."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError
from models.changes.names import checked_choice, checked_id, checked_name, new_id, plain_form, shown
from models.changes.rows import add, the_domain
from models.records import AllowListRule, DomainStatus, RoleModel
from models.tables import SystemDomain


def create_domain(session: Session, name: str, *, id_: str | None = None) -> SystemDomain:
    """Makes a domain that works and restricts no addresses.

    Raises:
        ConflictError: the name or id is taken.
        InvalidError: the name or id has a form that is not allowed.
    """
    plain = plain_form(checked_name(name, "domain"))
    for other in session.scalars(select(SystemDomain.name)):
        if plain_form(other) == plain:
            raise ConflictError(f"there is a domain {shown(other)} already: choose another name")
    id_ = checked_id(id_ or new_id(), "domain")
    if session.get(SystemDomain, id_):
        raise ConflictError(f"there is a domain with id {shown(id_)} already: choose another id")
    return add(
        session,
        SystemDomain(
            id=id_,
            name=name,
            status=DomainStatus.ACTIVE,
            allow_list_enabled=False,
            role_model=RoleModel.GROUPS,
            allow_list_rule=AllowListRule.MOST_SPECIFIC,
            external_share=True,
        ),
    )


def set_domain_status(session: Session, domain_id: str, status: DomainStatus) -> SystemDomain:
    """Sets whether the domain works: members of a FROZEN one only read, those of a DEACTIVATED one do nothing.

    Raises:
        InvalidError: there is no such status.
        UnknownError: there is no such domain.
    """
    domain = the_domain(session, domain_id)
    domain.status = checked_choice(status, DomainStatus, "domain status")
    session.flush()
    return domain


def set_external_share(session: Session, domain_id: str, *, on: bool) -> SystemDomain:
    """Sets whether users may share with visitors; off, no share lets anybody in, and those that are there rest.

    Raises:
        UnknownError: there is no such domain.
    """
    domain = the_domain(session, domain_id)
    domain.external_share = on
    session.flush()
    return domain


def set_role_model(session: Session, domain_id: str, role_model: RoleModel) -> SystemDomain:
    """Sets how the domain's users come by their roles; groups and role groups stay as they are.

    Raises:
        InvalidError: there is no such role model.
        UnknownError: there is no such domain.
    """
    domain = the_domain(session, domain_id)
    domain.role_model = checked_choice(role_model, RoleModel, "role model")
    session.flush()
    return domain
