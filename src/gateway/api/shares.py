"""Shares of assets and collections: made, shown, changed and taken back.

Rules:

1. A share is for its owner, and for who holds `can_manage_all_shares`; to everybody else it is not there. What a row demands comes first: reading
   the object, and the documented role. A visitor is shown the share by which it came, without its links. Who manages the shares of others takes
   back and narrows: links, rights and views are given by the owner and by admins alone, since whoever comes by a link has the owner's rights.
2. Whoever shares needs to read what is shared, and `can_create_shares_to_upload` where visitors are to upload. What visitors may do is bounded
   by what the owner may at that moment (`gateway.policy.sharing`), not by what was allowed when the share was made.
3. While the domain does not share with visitors nothing is made: 403, as documented. What the domain's terms lock has its default, whatever is said.
4. Several objects are one share: of the first of them, with an entry on each of the others that names the share and goes with it. Such an entry
   adds the object and no right, so it asks of the sharer what sharing the object alone asks.
5. Not served here: reindexing a share and the status of its population, which are matters of the backend's index; e-mails, which nobody sends here: links
   are told to whoever makes them; magic links and their allow-lists.
"""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy.orm import Session

from gateway.api.call import Call
from gateway.api.operations import Service, bad_value, told
from gateway.api.share_documents import (
    AfterQuery,
    AllSharesQuery,
    BulkBody,
    BulkDeletion,
    EmailedBody,
    OptionsBody,
    ShareDocument,
    Shares,
    SharesPage,
    SharesQuery,
    share_document,
    user_document,
)
from gateway.errors import GatewayError
from gateway.local_services import type_of
from gateway.reasons import Reason
from models import changes, directory
from models.changes import AclMode, Terms
from models.passwords import Hashed
from models.records import ObjectKey, Permission, Right
from models.tables import Share

SERVICE = Service("shares")
SHARED_TYPES = ("asset", "collection")
MANAGER = "can_manage_all_shares"
WRITER = "can_write_shares"
UPLOADER = "can_create_shares_to_upload"


@SERVICE.operation(202)
def create_share(call: Call, body: EmailedBody) -> ShareDocument:
    """Shares an object with people, each of whom gets a link; the links are told in `users` this once, the first in `url` too."""
    return _created(call, [call.key], body, body.emails, has_open_link=False)


@SERVICE.operation(200)
def create_url_share(call: Call, body: OptionsBody) -> ShareDocument:
    """Shares an object with whoever has the link, which is told in `url` this once."""
    return _created(call, [call.key], body, (), has_open_link=True)


@SERVICE.operation(201)
def create_bulk_share(call: Call, body: BulkBody) -> ShareDocument:
    """Shares several objects at once: one share of the first, which opens the others too; its links are told in `users` this once."""
    kind = call.parameter("object_type")
    if type_of(kind) not in SHARED_TYPES:
        raise bad_value("only `assets` and `collections` are shared")
    if not body.emails and not body.share_by_url:
        raise bad_value("nobody is named: say `emails`, or `share_by_url`")
    keys = [call.key_of(kind, id_) for id_ in dict.fromkeys(body.object_ids)]
    for key in keys:
        if not call.may("read", key, WRITER):
            raise GatewayError(Reason.NO_GRANT, f"{key}")
    return _created(call, keys, body, body.emails or (), has_open_link=bool(body.share_by_url))


@SERVICE.operation()
def list_object_shares(call: Call, query: AfterQuery) -> Shares:
    """The shares of an object: one's own, or all for who manages all."""
    owner = None if manages(call) else call.user.id
    with call.read() as session:
        found = directory.list_shares(session, call.domain_id, owner, call.key)
        return Shares([share_document(session, share) for share in after(found, query)])


@SERVICE.operation()
def list_own_shares(call: Call, query: SharesQuery) -> SharesPage:
    """The caller's shares, those that are over too."""
    return _listed(call, query, call.user.id)


@SERVICE.operation()
def list_all_shares(call: Call, query: AllSharesQuery) -> SharesPage:
    """All shares of the domain, those that are over too."""
    return _listed(call, query, query.owner_id)


@SERVICE.operation(tagged=True)
def get_share(call: Call) -> ShareDocument:
    """A share of an object."""
    is_manager = manages(call)
    with call.read() as session:
        share = the_share(session, call, is_manager=is_manager)
        return share_document(session, share, tells_users=call.case.identity.share is None)


@SERVICE.operation(tagged=True)
def change_share(call: Call, body: OptionsBody) -> ShareDocument:
    """Changes what a share is like; another password ends all visits."""
    is_manager, kept = manages(call), body.hashed_password()
    may_upload = body.allow_upload is not True or call.may("read", call.key, UPLOADER)
    with call.write() as session:
        share = the_share(session, call, is_manager=is_manager)
        call.unchanged(share_document(session, share))
        before, uploads = {*share.rights, *share.metadata_views}, Right.UPLOAD in share.rights
        changes.update_share(
            session,
            share.id,
            rights=body.rights(share.rights) if body.names_rights else None,
            expires=body.expires,
            title=body.title,
            password=... if body.password is None else kept,
            watermark=body.marks,
            metadata_views=body.metadata_views,
        )
        if Right.UPLOAD in share.rights and not (uploads or may_upload):
            raise _no_uploader()
        if {*share.rights, *share.metadata_views} - before:
            refuse_giving(call, share)
        return share_document(session, share)


@SERVICE.operation(204)
def delete_share(call: Call) -> None:
    """Takes a share back; its visitors are out at once."""
    is_manager = manages(call)
    with call.write() as session:
        share = the_share(session, call, is_manager=is_manager)
        call.unchanged(share_document(session, share))
        changes.remove_share(session, share.id)


@SERVICE.operation(204)
def delete_own_shares(call: Call, body: BulkDeletion) -> None:
    """Takes several of the caller's shares back."""
    _delete(call, body, call.user.id)


@SERVICE.operation(204)
def delete_any_shares(call: Call, body: BulkDeletion) -> None:
    """Takes several shares of the domain back."""
    _delete(call, body, None)


def manages(call: Call) -> bool:
    """Tells whether the caller manages all shares (rule 1); asks the policy, so never in a commit."""
    return call.case.identity.share is None and call.may("read", call.key, MANAGER)


def the_share(session: Session, call: Call, *, is_manager: bool) -> Share:
    """Returns the share that the path names, if the caller may see it (rule 1).

    Args:
        session: any.
        call: whose path names object and share.
        is_manager: what `manages` said.

    Raises:
        UnknownError: it is not there, or not for the caller.
    """
    share_id, visitor = call.parameter("share_id"), call.case.identity.share
    domain_id = visitor.domain_id if visitor is not None else call.domain_id
    share = changes.the_share_of(session, call.key, share_id, domain_id)
    own = visitor.id == share.id if visitor is not None else share.owner_id == call.user.id
    if not (own or is_manager):
        raise changes.UnknownError(changes.unknown_share(share_id))
    return share


def refuse_giving(call: Call, share: Share) -> None:
    """Refuses to give more through the share of another (rule 1).

    Raises:
        GatewayError: ROLE, the caller neither owns it nor is admin.
    """
    if share.owner_id != call.user.id:
        call.admins_only("to give more through the share of another")


def refuse_closed(session: Session, call: Call) -> None:
    """Refuses to make anything while the domain does not share with visitors (rule 3).

    Raises:
        GatewayError: SHARE_OFF.
    """
    if not directory.find_domain(session, call.domain_id).external_share:
        raise told(
            Reason.SHARE_OFF,
            "this domain does not share with people who have no account: an admin may switch that on",
        )


def after(found: Iterable[Share], query: AfterQuery) -> Sequence[Share]:
    """Returns the shares that a list by id goes on with."""
    rest = sorted((share for share in found if share.id > query.last_id), key=lambda share: share.id)
    return rest[: query.per_page]


def _created(
    call: Call, keys: Sequence[ObjectKey], body: OptionsBody, emails: Iterable[str], *, has_open_link: bool
) -> ShareDocument:
    """Makes a share with its links; returns it with their texts."""
    kept = body.hashed_password()
    may_upload = body.allow_upload is False or all(call.may("read", key, UPLOADER) for key in keys)
    with call.write() as session:
        refuse_closed(session, call)
        share = _new(session, call, keys[0], body, kept)
        if Right.UPLOAD in share.rights and not may_upload:
            raise _no_uploader()
        if keys[1:]:
            changes.set_entries(session, keys[1:], [f"share:{share.id}"], _entry_of(share), AclMode.OVERWRITE)
        whose: list[str | None] = [*dict.fromkeys(emails), *([None] if has_open_link else [])]
        links = [changes.add_recipient(session, share.id, email) for email in whose]
        url = next((text for link, text in links if link.email is None), links[0][1])
        users = [user_document(share, link, text) for link, text in links]
        return msgspec.structs.replace(share_document(session, share, url), users=users)


def _new(session: Session, call: Call, key: ObjectKey, body: OptionsBody, kept: Hashed | None) -> Share:
    terms = changes.share_terms_of(session, call.domain_id)
    return changes.create_share(
        session,
        call.user.id,
        key,
        body.rights(terms.rights) if body.names_rights else None,
        expires=body.expires,
        title=body.title or "",
        password=kept,
        watermark=body.marks,
        metadata_views=body.metadata_views or (),
    )


def _entry_of(share: Share) -> Terms:
    """Returns what the entry of a further object says: no more than that the share's rights hold there (rule 4)."""
    uploads = Permission.WRITE if Right.UPLOAD in share.rights else Permission.NONE
    return Terms(Permission.READ | uploads, propagates=True)


def _no_uploader() -> GatewayError:
    return told(
        Reason.ROLE, f"visitors would upload, which needs the role `{UPLOADER}`: say `allow_upload` as false"
    )


def _listed(call: Call, query: SharesQuery, owner_id: str | None) -> SharesPage:
    kind = type_of(query.object_type) if query.object_type is not None else None
    ids = set(query.ids.split(",")) if query.ids is not None else None
    texts = [text.casefold() for text in (query.title, query.query) if text]
    with call.read() as session:
        found = [
            share
            for share in directory.list_shares(session, call.domain_id, owner_id)
            if kind in (None, share.object_type)
            and query.object_id in (None, share.object_id)
            and (ids is None or share.id in ids)
            and all(text in share.title.casefold() for text in texts)
        ]
        page = call.cut(found)
        page["objects"] = [share_document(session, share) for share in page["objects"]]
        return msgspec.convert(page, SharesPage)


def _delete(call: Call, body: BulkDeletion, owner_id: str | None) -> None:
    """Takes shares back, all or none; those of others are not there for who may remove only their own."""
    with call.write() as session:
        gone = []
        for id_ in dict.fromkeys(body.share_ids):
            share = changes.the_share(session, id_, call.domain_id)
            if owner_id is not None and share.owner_id != owner_id:
                raise changes.UnknownError(changes.unknown_share(id_))
            gone.append(share)
        changes.remove_shares(session, gone)
