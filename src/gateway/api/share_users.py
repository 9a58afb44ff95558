"""Share users: the links to a share, made, shown, readdressed and taken back.

Rules:

1. Whoever sees a share (`gateway.api.shares`, rule 1) sees its links, and takes them back with the documented role. A link lets somebody in with the
   rights of who shared, so only that user and admins make one.
2. A link is one person's. Where it is to be another's, it becomes another link, whose text is told once: the former person has the old one.
3. A password is the share's, and not one link's: one that is said here is refused, and not passed over, since somebody would count on it.
"""

from sqlalchemy.orm import Session

from gateway.api.call import Call
from gateway.api.operations import bad_value
from gateway.api.share_documents import (
    AfterQuery,
    ShareUserBody,
    ShareUserDocument,
    ShareUsers,
    user_document,
)
from gateway.api.shares import SERVICE, manages, refuse_closed, refuse_giving, the_share
from models import changes, directory
from models.changes.names import shown
from models.tables import Share, ShareRecipient


@SERVICE.operation()
def list_share_users(call: Call, query: AfterQuery) -> ShareUsers:
    """The links to a share."""
    is_manager = manages(call)
    with call.read() as session:
        share = the_share(session, call, is_manager=is_manager)
        rest = [link for link in directory.list_recipients(session, share.id) if link.id > query.last_id]
        page = sorted(rest, key=lambda link: link.id)[: query.per_page]
        return ShareUsers([user_document(share, link) for link in page])


@SERVICE.operation(tagged=True)
def get_share_user(call: Call) -> ShareUserDocument:
    """A link to a share."""
    is_manager = manages(call)
    with call.read() as session:
        share = the_share(session, call, is_manager=is_manager)
        return user_document(share, _link(session, call, share))


@SERVICE.operation(201)
def create_share_user(call: Call, body: ShareUserBody) -> ShareUserDocument:
    """Makes a link to a share for a person; its text is told in `url` this once."""
    email, is_manager = _email_of(body), manages(call)
    if email is None:
        raise bad_value("`email` is missing: say whose the link is")
    with call.write() as session:
        refuse_closed(session, call)
        share = the_share(session, call, is_manager=is_manager)
        refuse_giving(call, share)
        link, text = changes.add_recipient(session, share.id, email)
        return user_document(share, link, text)


@SERVICE.operation()
def replace_share_user(call: Call, body: ShareUserBody) -> ShareUserDocument:
    """Makes a link another person's; if that is another, its new text is told in `url` this once."""
    if body.email is None:
        raise bad_value("`email` is missing: say whose the link is to be")
    return _changed(call, body)


@SERVICE.operation()
def change_share_user(call: Call, body: ShareUserBody) -> ShareUserDocument:
    """Makes a link another person's, if an e-mail is said; its new text is told in `url` this once."""
    return _changed(call, body)


@SERVICE.operation(204)
def delete_share_user(call: Call) -> None:
    """Takes a link to a share back; who came by it is out at once."""
    is_manager = manages(call)
    with call.write() as session:
        share = the_share(session, call, is_manager=is_manager)
        link = _link(session, call, share)
        call.unchanged(user_document(share, link))
        changes.remove_recipient(session, link.id)


def _changed(call: Call, body: ShareUserBody) -> ShareUserDocument:
    email, is_manager = _email_of(body), manages(call)
    with call.write() as session:
        share = the_share(session, call, is_manager=is_manager)
        link = _link(session, call, share)
        call.unchanged(user_document(share, link))
        if email in (None, link.email or ""):
            return user_document(share, link)
        refuse_closed(session, call)
        refuse_giving(call, share)
        _, text = changes.readdress(session, link.id, email or "")
        return user_document(share, link, text)


def _email_of(body: ShareUserBody) -> str | None:
    if body.password is not None:
        raise bad_value("a password is a share's, and not one link's: set it on the share")
    return body.email


def _link(session: Session, call: Call, share: Share) -> ShareRecipient:
    """Returns the link that the path names; raises UnknownError, word for word for one to another share."""
    id_ = call.parameter("share_user_id")
    for link in directory.list_recipients(session, share.id):
        if link.id == id_:
            return link
    raise changes.UnknownError(f"there is no user {shown(id_)} of this share")
