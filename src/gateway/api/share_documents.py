"""How shares, their links and visits are told and said: the documented fields beside what is stored.

Rules:

1. Each documented boolean is a right (`RIGHTS`). Where one is not said, a new share has what the domain's terms say, and a share that is there
   keeps what it has.
2. `allow_approving_comments` is told as false: there is no such right here. `drm` is `none`. What no field here has a place for (`message`,
   `upload_storage_id`, `is_approval`) is a matter of backends and interfaces, and is passed over.
3. The text of a link is told in `url` once, when the link is made, and is null ever after: only its digest is kept.
4. What a share is of, whose it is and in which domain follows from the request, and from no field of its body.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from sqlalchemy.orm import Session

from gateway.api.paging import Listed
from gateway.local_services import documented_of
from models import directory
from models.passwords import Hashed, hashed
from models.records import Right
from models.tables import Share, ShareRecipient

RIGHTS: Final = {
    "allow_download": Right.DOWNLOAD,
    "allow_download_proxy": Right.DOWNLOAD_PROXY,
    "allow_comments": Right.COMMENT,
    "allow_setting_approve_status": Right.APPROVE,
    "allow_upload": Right.UPLOAD,
    "allow_view_versions": Right.VERSIONS,
    "allow_view_transcriptions": Right.TRANSCRIPTIONS,
    "allow_custom_actions": Right.CUSTOM_ACTIONS,
}
"""Documented booleans → rights (rule 1)."""

Mark = Literal["none", "standard"]
Emails = Annotated[list[str], msgspec.Meta(min_length=1, max_length=100)]


class ShareUserDocument(msgspec.Struct, kw_only=True):
    """A link to a share; its e-mail is empty where it is for whoever has it. `url` is an addition (rule 3)."""

    id: str
    email: str
    share_id: str
    object_type: str
    object_id: str
    access_count: int
    last_access_date: datetime | None
    url: str | None = None


class ShareUsers(msgspec.Struct):
    """Some of the links to a share, by id."""

    objects: list[ShareUserDocument]


class ShareDocument(msgspec.Struct, kw_only=True):
    """A share. A visitor is told of no links (`users`)."""

    id: str
    object_type: str
    object_id: str
    owner_id: str
    system_domain_id: str
    title: str
    url: str | None
    date_created: datetime
    expires: datetime
    has_password: bool
    metadata_views: list[str]
    show_watermark: bool
    watermark: Mark
    allow_download: bool
    allow_download_proxy: bool
    allow_comments: bool
    allow_setting_approve_status: bool
    allow_upload: bool
    allow_view_versions: bool
    allow_view_transcriptions: bool
    allow_custom_actions: bool
    users: list[ShareUserDocument]
    allow_approving_comments: bool = False
    drm: Literal["none"] = "none"


class Shares(msgspec.Struct):
    """Some of the shares of an object, by id."""

    objects: list[ShareDocument]


class SharesPage(Listed, kw_only=True):
    """A page of shares, oldest first."""

    objects: list[ShareDocument]


class OptionsBody(msgspec.Struct, kw_only=True):
    """What a share is to be like; what is missing or null is not said. An empty `password` takes one away."""

    title: str | None = None
    expires: datetime | None = None
    password: str | None = None
    metadata_views: list[str] | None = None
    show_watermark: bool | None = None
    watermark: Mark | None = None
    allow_download: bool | None = None
    allow_download_proxy: bool | None = None
    allow_comments: bool | None = None
    allow_setting_approve_status: bool | None = None
    allow_upload: bool | None = None
    allow_view_versions: bool | None = None
    allow_view_transcriptions: bool | None = None
    allow_custom_actions: bool | None = None

    @property
    def names_rights(self) -> bool:
        """Whether any right is said to be given or not."""
        return any(getattr(self, name) is not None for name in RIGHTS)

    def rights(self, otherwise: Collection[str]) -> list[str]:
        """Returns the rights that are said, and of those that are not the ones in `otherwise` (rule 1)."""
        said = {right: getattr(self, name) for name, right in RIGHTS.items()}
        return [right for right, given in said.items() if given or (given is None and right in otherwise)]

    @property
    def marks(self) -> bool | None:
        """Whether the backend is to mark what it shows; None where that is not said."""
        if self.show_watermark is not None or self.watermark is None:
            return self.show_watermark
        return self.watermark == "standard"

    def hashed_password(self) -> Hashed | None:
        """Returns what is kept of the password, None without one; takes tens of milliseconds, so never in a commit.

        Raises:
            PasswordError: it is too short or too long.
        """
        return hashed(self.password) if self.password else None


class EmailedBody(OptionsBody, kw_only=True):
    """A share for people, each of whom gets a link."""

    emails: Emails


class BulkBody(OptionsBody, kw_only=True):
    """A share of several objects: for people, for whoever has its link (`share_by_url`), or for both."""

    title: str
    object_ids: Annotated[list[str], msgspec.Meta(min_length=1, max_length=500)]
    emails: Annotated[list[str], msgspec.Meta(max_length=100)] | None = None
    share_by_url: bool | None = None


class BulkDeletion(msgspec.Struct):
    """Shares that are taken back, all or none."""

    share_ids: Annotated[list[str], msgspec.Meta(min_length=1, max_length=500)]


class ShareUserBody(msgspec.Struct):
    """Whose a link is to be. A password is a share's and not one person's, so one is refused here."""

    email: str | None = None
    password: str | None = None


class SharesQuery(msgspec.Struct):
    """Which shares are listed: those of a type of objects, of an object, with these ids (with commas), or with this text in their title."""

    object_type: str | None = None
    object_id: str | None = None
    ids: str | None = None
    title: str | None = None
    query: str | None = None


class AllSharesQuery(SharesQuery):
    """The same of the whole domain, where it may be of one owner too."""

    owner_id: str | None = None


class AfterQuery(msgspec.Struct):
    """How many are listed, and after which id."""

    per_page: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 10
    last_id: str = ""


def share_document(
    session: Session, share: Share, url: str | None = None, *, tells_users: bool = True
) -> ShareDocument:
    """Returns a share as it is told."""
    links = directory.list_recipients(session, share.id) if tells_users else ()
    given: dict[str, Any] = {name: right in share.rights for name, right in RIGHTS.items()}
    return ShareDocument(
        id=share.id,
        object_type=documented_of(share.object_type),
        object_id=share.object_id,
        owner_id=share.owner_id,
        system_domain_id=share.domain_id,
        title=share.title,
        url=url,
        date_created=share.created,
        expires=share.expires,
        has_password=share.password is not None,
        metadata_views=share.metadata_views,
        show_watermark=share.watermark,
        watermark=mark_of(watermark=share.watermark),
        users=[user_document(share, link) for link in links],
        **given,
    )


def user_document(share: Share, link: ShareRecipient, url: str | None = None) -> ShareUserDocument:
    """Returns a link to a share as it is told, without its text unless that is `url` (rule 3)."""
    return ShareUserDocument(
        id=link.id,
        email=link.email or "",
        share_id=share.id,
        object_type=documented_of(share.object_type),
        object_id=share.object_id,
        access_count=link.visits,
        last_access_date=link.last_visit,
        url=url,
    )


def mark_of(*, watermark: bool) -> Mark:
    """Returns the documented word for whether what is shown is marked."""
    return "standard" if watermark else "none"
