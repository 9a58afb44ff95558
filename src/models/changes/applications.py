"""Changes to applications: the programs that users' tokens are issued for.

Rules:

1. An application belongs to one domain, which has no other of its name. The user whose tokens it is given by default is of that domain.
2. One that is removed takes its tokens along, and the lines of allow-lists that are about it alone: nothing can be presented for it any more.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError
from models.changes.names import checked_id, checked_link, checked_name, checked_text, new_id, shown
from models.changes.rows import add, remove, the_application, the_domain, the_present_user
from models.tables import Application, Network, Token, TokenUse


def create_application(  # noqa: PLR0913 - one for each thing that is said of it
    session: Session,
    domain_id: str,
    name: str,
    *,
    id_: str | None = None,
    description: str = "",
    url: str = "",
    user_id: str | None = None,
) -> Application:
    """Makes an application: what a user's tokens are issued for.

    Args:
        session: of the write door.
        domain_id: where it belongs.
        name: what people call it.
        id_: its id; None for a new one.
        description: what it is for.
        url: where it is, as people follow it.
        user_id: for whom its tokens are issued where nobody is named; None for nobody.

    Raises:
        ConflictError: the name or id is taken, or the user is of another domain or deleted.
        InvalidError: a value has a form that is not allowed.
        UnknownError: there is no such domain or user.
    """
    the_domain(session, domain_id)
    _free_name(session, domain_id, name)
    id_ = checked_id(id_ or new_id(), "application")
    if session.get(Application, id_):
        raise ConflictError(f"there is an application with id {shown(id_)} already: choose another id")
    application = Application(id=id_, domain_id=domain_id, name=name)
    _set(session, application, description, url, user_id)
    return add(session, application)


def update_application(
    session: Session, application_id: str, *, name: str, description: str, url: str, user_id: str | None
) -> Application:
    """Changes what is said of an application; raises as `create_application`, or UnknownError."""
    application = the_application(session, application_id)
    if name != application.name:
        _free_name(session, application.domain_id, name)
    application.name = name
    _set(session, application, description, url, user_id)
    session.flush()
    return application


def delete_application(session: Session, application_id: str) -> None:
    """Removes an application with all that is for it alone (rule 2).

    Raises:
        UnknownError: there is none.
    """
    application = the_application(session, application_id)
    tokens = session.scalars(select(Token).where(Token.application_id == application_id)).all()
    for token in tokens:
        remove(session, [use] if (use := session.get(TokenUse, token.id)) else [])
    remove(session, tokens)
    remove(session, session.scalars(select(Network).where(Network.application_id == application_id)).all())
    remove(session, [application])


def _set(session: Session, application: Application, description: str, url: str, user_id: str | None) -> None:
    if user_id is not None:
        the_present_user(session, user_id, application.domain_id)
    application.description = checked_text(description, "application")
    application.url = checked_link(url, "application")
    application.user_id = user_id


def _free_name(session: Session, domain_id: str, name: str) -> None:
    checked_name(name, "application")
    taken = select(Application.id).where(Application.domain_id == domain_id, Application.name == name)
    if session.scalar(taken):
        raise ConflictError(
            f"there is an application {shown(name)} in this domain already: choose another name"
        )
