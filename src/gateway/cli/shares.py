"""`mediagate share`: what users share with visitors, who have no account; the text of a link is printed once and kept nowhere."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.options import DomainOption, ObjectArgument, examples
from gateway.cli.passwords import PasswordOption, password_of
from gateway.cli.share_options import (
    LifeOption,
    NetworkOption,
    RightOption,
    ShareArgument,
    TitleOption,
    ViewOption,
    VisitsOption,
    WatermarkOption,
    described,
    end_of,
    visits_of,
)
from gateway.cli.text import card, table
from models import changes, directory
from models.tables import ShareRecipient

COLUMNS = ("id", "object", "by", "rights", "state", "expires", "visits", "title")
ToOption = Annotated[
    list[str] | None,
    typer.Option("--to", metavar="E-MAIL", help="A link for this person; may repeat.", show_default=False),
]
LinkOption = Annotated[bool, typer.Option("--link", help="A link for whoever has it.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this noun."""
    shares = typer.Typer(
        name="share", help="What users share with visitors, who have no account.", rich_markup_mode=None
    )
    shares.command("add", epilog=ADD_EXAMPLES)(add)
    shares.command("list")(list_)
    shares.command("show")(show)
    shares.command("set", epilog=SET_EXAMPLES)(set_)
    shares.command("invite", epilog=examples("mediagate share invite 3f1c0a52-... --to eve@example.org"))(
        invite
    )
    shares.command("remove", epilog=REMOVE_EXAMPLES)(remove)
    from gateway.cli import share_terms

    share_terms.add_command_to(shares)
    app.add_typer(shares)


ADD_EXAMPLES = examples(
    "mediagate share add asset:42 --by stan@example.org --link",
    "mediagate share add collection:dailies --by stan@example.org --right download --expires 7d --to eve@example.org",
    "mediagate share add asset:42 --by stan@example.org --link --max-visits 20 --password-file secret.txt",
)
SET_EXAMPLES = examples(
    "mediagate share set 3f1c0a52-... --expires 7d --right comment",
    "mediagate share set 3f1c0a52-... --max-visits none --no-password",
)
REMOVE_EXAMPLES = examples(
    "mediagate share remove 3f1c0a52-...",
    "mediagate share remove --recipient 77aa12c4-...",
    "mediagate share remove --by stan@example.org",
    "mediagate share remove --all-of studio",
)


def add(  # noqa: PLR0913 - one for each thing that is said of a share
    context: typer.Context,
    object_: ObjectArgument,
    *,
    by: Annotated[
        str, typer.Option("--by", metavar="USER", help="Who shares it, and bounds what visitors may do.")
    ],
    right: RightOption = None,
    expires: LifeOption = None,
    title: TitleOption = None,
    network: NetworkOption = None,
    max_visits: VisitsOption = None,
    password_file: PasswordOption = None,
    watermark: WatermarkOption = None,
    metadata_view: ViewOption = None,
    to: ToOption = None,
    link: LinkOption = False,
    domain: DomainOption = None,
) -> None:
    """Shares an object and all that stands in it; prints the links, once."""
    desk = desk_of(context)
    key, end, most = naming.object_named(object_), end_of(expires), visits_of(max_visits)
    kept = password_of(password_file)
    with desk.writing() as commit:
        session = commit.session
        share = changes.create_share(
            session,
            naming.the_user(session, by, domain).id,
            key,
            right,
            expires=end,
            title=title or "",
            networks=network or (),
            max_visits=most,
            password=kept,
            watermark=watermark,
            metadata_views=metadata_view or (),
        )
        links = _links(session, share.id, to or (), link=link)
        document = {**described(session, share), "links": links}
    desk.tell(document, f"{card(document)}\n\n{_told(links)}")


def list_(
    context: typer.Context,
    *,
    by: Annotated[
        str | None, typer.Option("--by", metavar="USER", help="Only this user's.", show_default=False)
    ] = None,
    of: Annotated[
        str | None, typer.Option("--of", metavar="OBJECT", help="Only of this object.", show_default=False)
    ] = None,
    domain: DomainOption = None,
) -> None:
    """Lists shares, those that are over too until they are removed."""
    desk = desk_of(context)
    key = naming.object_named(of) if of else None
    with desk.reading() as session:
        home = naming.the_domain(session, domain).id if domain else None
        owner = naming.the_user(session, by, domain).id if by else None
        rows = [described(session, share) for share in directory.list_shares(session, home, owner, key)]
    desk.tell(rows, table(rows, COLUMNS, "no shares: make one with `mediagate share add OBJECT --by USER`"))


def show(context: typer.Context, share: ShareArgument) -> None:
    """Shows a share with its links: whose they are, how often somebody came by them, and when last."""
    desk = desk_of(context)
    with desk.reading() as session:
        document = described(session, naming.the_share(session, share))
    desk.tell(document, card(document))


def set_(  # noqa: PLR0913 - one for each thing that is said of a share
    context: typer.Context,
    share: ShareArgument,
    *,
    right: RightOption = None,
    expires: LifeOption = None,
    title: TitleOption = None,
    network: NetworkOption = None,
    max_visits: VisitsOption = None,
    password_file: PasswordOption = None,
    no_password: Annotated[bool, typer.Option("--no-password", help="No password any more.")] = False,
    watermark: WatermarkOption = None,
    metadata_view: ViewOption = None,
) -> None:
    """Changes a share; lists are replaced as a whole, and an empty entry empties them. Another password ends all visits."""
    if password_file and no_password:
        raise typer.BadParameter("--password-file names a password and --no-password none: give one of them")
    said: dict[str, Any] = {
        "rights": right,
        "expires": end_of(expires),
        "title": title,
        "networks": [each for each in network if each] if network is not None else None,
        "watermark": watermark,
        "metadata_views": [each for each in metadata_view if each] if metadata_view is not None else None,
    }
    said = {name: value for name, value in said.items() if value is not None}
    if max_visits is not None:
        said["max_visits"] = visits_of(max_visits)
    if password_file or no_password:
        said["password"] = password_of(password_file)
    if not said:
        raise typer.BadParameter("nothing to set: give at least one option, as in --expires 7d")
    desk = desk_of(context)
    with desk.writing() as commit:
        found = changes.update_share(commit.session, share, **said)
        document = described(commit.session, found)
    desk.tell(document, f"changed share {share}")


def invite(
    context: typer.Context, share: ShareArgument, *, to: ToOption = None, link: LinkOption = False
) -> None:
    """Makes more links to a share and prints them, once."""
    if not to and not link:
        raise typer.BadParameter("nobody to invite: give --to E-MAIL, or --link for whoever has it")
    desk = desk_of(context)
    with desk.writing() as commit:
        links = _links(commit.session, share, to or (), link=link)
    desk.tell(links, _told(links))


def remove(
    context: typer.Context,
    share: Annotated[
        list[str] | None, typer.Argument(metavar="[SHARE]...", help="Their ids.", show_default=False)
    ] = None,
    *,
    recipient: Annotated[
        str | None,
        typer.Option(
            "--recipient", metavar="ID", help="One link, as `share show` shows it.", show_default=False
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="USER", help="All that this user shared.", show_default=False),
    ] = None,
    all_of: Annotated[
        str | None,
        typer.Option(
            "--all-of", metavar="DOMAIN", help="All that a domain's users shared.", show_default=False
        ),
    ] = None,
    domain: DomainOption = None,
) -> None:
    """Takes back one link, shares, all of a user or all of a domain; their visitors are out at once."""
    if sum(each is not None for each in (share or None, recipient, by, all_of)) != 1:
        raise typer.BadParameter("name shares, or give one of --recipient, --by and --all-of")
    desk = desk_of(context)
    with desk.writing() as commit:
        session = commit.session
        if recipient is not None:
            changes.remove_recipient(session, recipient)
            desk_says, count = f"removed link {recipient}", 0
        elif by is not None:
            user = naming.the_user(session, by, domain)
            count = changes.remove_shares_of(session, user.id)
            desk_says = f"removed {_counted(count)} of {user.email}"
        elif all_of is not None:
            home = naming.the_domain(session, all_of)
            count = changes.remove_shares_in(session, home.id)
            desk_says = f"removed {_counted(count)} of domain {home.name}"
        else:
            for each in share or ():
                changes.remove_share(session, each)
            count = len(share or ())
            desk_says = f"removed {_counted(count)}"
    desk.tell({"shares": count, "recipient": recipient}, desk_says)


def _counted(number: int) -> str:
    return "1 share" if number == 1 else f"{number} shares"


def _links(session: Session, share: str, emails: Sequence[str], *, link: bool) -> list[dict[str, Any]]:
    """Makes the links that are asked for; returns them with their texts."""
    whose: list[str | None] = [*emails, *([None] if link else [])]
    return [_new(*changes.add_recipient(session, share, email)) for email in whose]


def _new(row: ShareRecipient, text: str) -> dict[str, Any]:
    return {"id": row.id, "for": row.email or "whoever has it", "link": text}


def _told(links: list[dict[str, Any]]) -> str:
    if not links:
        return "Nobody has a link to it yet: make one with `mediagate share invite SHARE --link`."
    return "Links are shown only now."
