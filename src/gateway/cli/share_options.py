"""The options by which `mediagate share` says what a share is like, and what is told of one."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.tokens import span_from, until, when
from models import directory
from models.records import Right

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models.tables import Share, ShareRecipient, ShareTerms

NONE: Final = "none"

ShareArgument = Annotated[
    str, typer.Argument(metavar="SHARE", help="A share's id, as `share list` shows it.", show_default=False)
]
RightOption = Annotated[
    list[Right] | None,
    typer.Option("--right", help="What visitors may do beside looking; may repeat.", show_default=False),
]
LifeOption = Annotated[
    str | None,
    typer.Option("--expires", metavar="SPAN", help="It ends so long from now: 7d.", show_default=False),
]
TitleOption = Annotated[
    str | None,
    typer.Option("--title", metavar="TEXT", help="What people call it.", show_default=False),
]
NetworkOption = Annotated[
    list[str] | None,
    typer.Option(
        "--network", metavar="CIDR", help="Visitors come only from there; may repeat.", show_default=False
    ),
]
VisitsOption = Annotated[
    str | None,
    typer.Option(
        "--max-visits", metavar="COUNT", help="So many sign-ins at most, or none.", show_default=False
    ),
]
WatermarkOption = Annotated[
    bool | None,
    typer.Option(
        "--watermark/--no-watermark", help="Whether the backend marks what it shows.", show_default=False
    ),
]
ViewOption = Annotated[
    list[str] | None,
    typer.Option(
        "--metadata-view",
        metavar="ID",
        help="A view by which they read metadata; may repeat.",
        show_default=False,
    ),
]


def end_of(span: str | None) -> datetime | None:
    """Returns when a share that is made now ends; None if nothing is said."""
    if span is None:
        return None
    end = until(span)
    if end is None:
        raise typer.BadParameter("a share always ends: write 12h or 30d")
    return end


def span_of(text: str | None) -> timedelta | None:
    """Returns how long a span is; None if nothing is said."""
    return None if text is None else span_from(text, "12h or 30d")


def visits_of(text: str | None) -> int | None:
    """Returns how many sign-ins there may be; None for any number."""
    if text is None or text == NONE:
        return None
    if not text.isascii() or not text.isdigit():
        raise typer.BadParameter(f"`{text}` is no number of visits: write 20, or none")
    return int(text)


def described(session: "Session", share: "Share") -> dict[str, Any]:
    """Returns what is told of a share; never a password or a link."""
    links = directory.list_recipients(session, share.id)
    return {
        "id": share.id,
        "title": share.title,
        "object": str(share.key),
        "by": directory.find_user(session, share.domain_id, share.owner_id).email,
        "domain": directory.find_domain(session, share.domain_id).name,
        "state": "over" if share.expires <= datetime.now(UTC) else "open",
        "expires": when(share.expires),
        "rights": share.rights,
        "networks": share.networks,
        "metadata_views": share.metadata_views,
        "password": "yes" if share.password else "no",
        "watermark": "on" if share.watermark else "off",
        "visits": sum(link.visits for link in links),
        "max_visits": share.max_visits,
        "links": [_link(link) for link in links],
    }


def _link(link: "ShareRecipient") -> dict[str, Any]:
    return {
        "id": link.id,
        "for": link.email or "whoever has it",
        "visits": link.visits,
        "last_visit": when(link.last_visit),
    }


def terms_document(domain: str, terms: "ShareTerms") -> Mapping[str, Any]:
    """Returns what is told of a domain's terms."""
    return {
        "domain": domain,
        "rights": terms.rights,
        "locked": terms.locked,
        "expires_after": _spoken(terms.life),
        "at_most": _spoken(terms.longest_life),
        "needs_password": terms.needs_password,
        "watermark": "on" if terms.watermark else "off",
    }


def _spoken(span: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if span % size == 0:
            return f"{span // size}{unit}"
    return f"{span}s"
