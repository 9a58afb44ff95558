"""Applications: the programs that users' tokens are issued for.

Who is no admin names as the user of an application nobody but themselves: its tokens are that user's whole power.
"""

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.api.call import Call
from gateway.api.paging import Listed
from gateway.api.tokens import SERVICE
from gateway.api.user_documents import UNSET, Text
from models import changes
from models.tables import Application


class ApplicationDocument(msgspec.Struct):
    """An application; `default_user_id` is the user whose tokens it is given."""

    id: str
    name: str
    description: str
    url: str
    default_user_id: str | None
    system_domain_id: str


class Applications(Listed, kw_only=True):
    """A page of applications by name."""

    objects: list[ApplicationDocument]


class ApplicationChange(msgspec.Struct, kw_only=True):
    """What is to change of an application."""

    name: str | msgspec.UnsetType = UNSET
    description: Text = UNSET
    url: Text = UNSET
    default_user_id: Text = UNSET


class ApplicationBody(ApplicationChange, kw_only=True):
    """What an application is to be; what is not sent stays as it is."""

    name: str


@SERVICE.operation()
def list_applications(call: Call) -> Applications:
    """The applications of the domain."""
    found = select(Application).where(Application.domain_id == call.domain_id)
    with call.read() as session:
        return call.listed(
            session, found.order_by(Application.name, Application.id), document_of, Applications
        )


@SERVICE.operation(201, tagged=True)
def create_application(call: Call, body: ApplicationBody) -> ApplicationDocument:
    """Makes an application."""
    user = None if isinstance(body.default_user_id, msgspec.UnsetType) else body.default_user_id
    _refuse_other(call, user)
    with call.write() as session:
        made = changes.create_application(
            session,
            call.domain_id,
            body.name,
            description=_text(body.description, ""),
            url=_text(body.url, ""),
            user_id=user,
        )
        return document_of(made)


@SERVICE.operation(tagged=True)
def get_application(call: Call) -> ApplicationDocument:
    """An application."""
    with call.read() as session:
        return document_of(_the(session, call))


@SERVICE.operation(tagged=True)
def replace_application(call: Call, body: ApplicationBody) -> ApplicationDocument:
    """Replaces what is sent of an application."""
    return _changed(call, body)


@SERVICE.operation(tagged=True)
def change_application(call: Call, body: ApplicationChange) -> ApplicationDocument:
    """Changes what is sent of an application."""
    return _changed(call, body)


@SERVICE.operation(204, tagged=True)
def delete_application(call: Call) -> None:
    """Removes an application; its tokens end."""
    with call.write() as session:
        application = _the(session, call)
        call.unchanged(document_of(application))
        changes.delete_application(session, application.id)


def document_of(application: Application) -> ApplicationDocument:
    """Returns an application as it is told."""
    return ApplicationDocument(
        application.id,
        application.name,
        application.description,
        application.url,
        application.user_id,
        application.domain_id,
    )


def _changed(call: Call, body: ApplicationChange) -> ApplicationDocument:
    with call.write() as session:
        application = _the(session, call)
        call.unchanged(document_of(application))
        user = (
            application.user_id
            if isinstance(body.default_user_id, msgspec.UnsetType)
            else body.default_user_id
        )
        if user != application.user_id:
            _refuse_other(call, user)
        changed = changes.update_application(
            session,
            application.id,
            name=_text(body.name, application.name),
            description=_text(body.description, application.description),
            url=_text(body.url, application.url),
            user_id=user,
        )
        return document_of(changed)


def _refuse_other(call: Call, user_id: str | None) -> None:
    if user_id not in (None, call.user.id):
        call.admins_only("an application of another user")


def _text(said: Text, present: str) -> str:
    return present if isinstance(said, msgspec.UnsetType) else said or ""


def _the(session: Session, call: Call) -> Application:
    return changes.the_application(session, call.parameter("app_id"), call.domain_id)
