"""`mediagate share`: what users share with people who have no account, the links to it, and what a domain says of all shares."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from sqlalchemy.orm import Session

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.grants import domain_of, end_of
from gateway.cli.options import DomainOption, ObjectArgument, examples
from gateway.cli.text import card, table
from gateway.cli.tokens import when
from gateway.quantities import seconds
from models import changes, directory
from models.changes import Rules, rows
from models.records import Right
from models.tables import Share, ShareRecipient, User

OFF: Final = "off"
COLUMNS = ("id", "object", "by", "title", "state", "ends", "links", "visits")
LINK_COLUMNS = ("id", "for", "visits", "last_visit")
ShareArgument = Annotated[
    str, typer.Argument(metavar="SHARE", help="As `share list` shows it.", show_default=False)
]
RightsOption = Annotated[
    list[Right] | None,
    typer.Option("--right", help="What visitors may do beside looking; may repeat.", show_default=False),
]
UntilOption = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="SPAN|TIME", help="When it ends: 7d, or 2030-01-31T18:00+01:00.", show_default=False
    ),
]
TitleOption = Annotated[
    str | None, typer.Option("--title", metavar="TEXT", help="What people call it.", show_default=False)
]
NetworkOption = Annotated[
    list[str] | None,
    typer.Option(
        "--network", metavar="CIDR", help="Where visitors may come from; may repeat.", show_default=False
    ),
]
VisitsOption = Annotated[
    int | None,
    typer.Option("--max-visits", metavar="COUNT", help="How often its links let in.", show_default=False),
]
PasswordOption = Annotated[
    bool, typer.Option("--password", help="Ask for a password, or read it from standard input.")
]
ToOption = Annotated[
    list[str] | None,
    typer.Option("--to", metavar="E-MAIL", help="Make this person a link; may repeat.", show_default=False),
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this noun."""
    shares = typer.Typer(
        name="share", help="What users share with people who have no account.", rich_markup_mode=None
    )
    shares.command("make", epilog=MAKE_EXAMPLES)(make)
    shares.command("list")(list_)
    shares.command("show")(show)
    shares.command("set", epilog=SET_EXAMPLES)(set_)
    shares.command("link", epilog=examples("mediagate share link 3f1c0a52-... --to ann@example.org"))(link)
    shares.command("unlink", epilog=examples("mediagate share unlink 7be2f0c1-..."))(unlink)
    shares.command("remove", epilog=REMOVE_EXAMPLES)(remove)
    shares.command("rules", epilog=RULES_EXAMPLES)(rules)
    app.add_typer(shares)


MAKE_EXAMPLES = examples(
    "mediagate share make collection:press --by stan@example.org --until 7d --to ann@example.org",
    "mediagate share make asset:42 --by stan@example.org --until 2d --right download --password",
)
SET_EXAMPLES = examples(
    "mediagate share set 3f1c0a52-... --until 14d --right download --right comment",
    "mediagate share set 3f1c0a52-... --no-password",
)
REMOVE_EXAMPLES = examples(
    "mediagate share remove 3f1c0a52-...",
    "mediagate share remove --by stan@example.org   (all of this user's)",
    "mediagate share remove --all   (all of the domain's)",
)
RULES_EXAMPLES = examples(
    "mediagate share rules",
    "mediagate share rules --longest 30d --usual 7d --needs-password",
    "mediagate share rules --most view --most comment --usual-right comment",
)


def make(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    object_: ObjectArgument,
    *,
    by: Annotated[str, typer.Option("--by", metavar="USER", help="Who shares it: e-mail or id.", show_default=False)],
    until: UntilOption = None,
    right: RightsOption = None,
    title: TitleOption = None,
    network: NetworkOption = None,
    max_visits: VisitsOption = None,
    password: PasswordOption = False,
    to: ToOption = None,
) -> None:
    """Shares an object, and what stands in it, and prints a link for each person, or one for whoever has it; once."""
    desk, key = desk_of(context), naming.object_named(object_)
    said = _said(until, right, title, network, max_visits)
    if password:
        said["password"] = _asked_password()
    with desk.writing() as commit:
        session = commit.session
        owner = naming.the_user(session, by, domain_of(session, key))
        share = changes.create_share(session, owner.id, key, **said)
        links = [_linked(session, share, email) for email in to or [None]]
        document = {**described(session, share), "links": links}
    told = card({**document, "links": None, "visits": None})
    desk.tell(document, f"{told}\n\n{_links_told(links)}")


def list_(
    context: typer.Context,
    *,
    by: Annotated[
        str | None, typer.Option("--by", metavar="USER", help="Only this user's.", show_default=False)
    ] = None,
    domain: DomainOption = None,
) -> None:
    """Lists shares, the newest first; those that are over included."""
    desk = desk_of(context)
    with desk.reading() as session:
        home = naming.the_domain(session, domain).id if domain else None
        owner = naming.the_user(session, by, domain).id if by else None
        found = [described(session, share) for share in directory.list_shares(session, home, owner)]
    text = [{**each, "links": len(each["links"])} for each in found]
    desk.tell(found, table(text, COLUMNS, "nothing is shared: share with `mediagate share make OBJECT --by USER`"))


def show(context: typer.Context, share: ShareArgument) -> None:
    """Shows a share with its links and how often they were used; never their text."""
    desk = desk_of(context)
    with desk.reading() as session:
        document = described(session, rows.the_share(session, share))
    desk.tell(document, card(document))


def set_(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    share: ShareArgument,
    *,
    until: UntilOption = None,
    right: RightsOption = None,
    title: TitleOption = None,
    network: NetworkOption = None,
    max_visits: VisitsOption = None,
    password: PasswordOption = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="Ask visitors for none.")] = False,
) -> None:
    """Changes a share; it holds for visitors who are there with their next request. A new password signs them out."""
    desk = desk_of(context)
    if password and no_password:
        raise typer.BadParameter("a share has a password or none: give --password or --no-password")
    said = _said(until, right, title, network, max_visits)
    if password or no_password:
        said["password"] = _asked_password() if password else None
    if not said:
        raise typer.BadParameter("nothing to set: give at least one option, as in --until 7d")
    with desk.writing() as commit:
        document = described(commit.session, changes.update_share(commit.session, share, **said))
    desk.tell(document, card(document))


def link(context: typer.Context, share: ShareArgument, *, to: ToOption = None) -> None:
    """Makes more links to a share and prints them, once."""
    desk = desk_of(context)
    with desk.writing() as commit:
        found = rows.the_share(commit.session, share)
        links = [_linked(commit.session, found, email) for email in to or [None]]
    desk.tell({"id": share, "links": links}, _links_told(links))


def unlink(
    context: typer.Context,
    link_: Annotated[
        str, typer.Argument(metavar="LINK", help="Its id, as `share show` shows it.", show_default=False)
    ],
) -> None:
    """Takes one link back; who came by it is out at once."""
    desk = desk_of(context)
    with desk.writing() as commit:
        changes.remove_recipient(commit.session, link_)
    desk.tell({"link": link_}, f"took link {link_} back")


def remove(
    context: typer.Context,
    share: Annotated[
        str | None, typer.Argument(metavar="[SHARE]", help="As `share list` shows it.", show_default=False)
    ] = None,
    *,
    by: Annotated[
        str | None, typer.Option("--by", metavar="USER", help="All of this user's.", show_default=False)
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All of the domain's.")] = False,
    domain: DomainOption = None,
) -> None:
    """Takes a share back, all of a user's, or all of a domain's; their visitors are out at once."""
    if sum((share is not None, by is not None, all_)) != 1:
        raise typer.BadParameter("say which: a share, --by USER, or --all")
    desk = desk_of(context)
    with desk.writing() as commit:
        session = commit.session
        if share is not None:
            changes.remove_share(session, share)
            count = 1
        elif by is not None:
            count = changes.remove_shares_of(session, naming.the_user(session, by, domain).id)
        else:
            home = naming.the_domain(session, domain)
            gone = directory.list_shares(session, home.id)
            count = len(gone)
            for each in gone:
                changes.remove_share(session, each.id)
    desk.tell({"removed": count}, f"took {count} share{'' if count == 1 else 's'} back")


def rules(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    *,
    longest: Annotated[
        str | None,
        typer.Option("--longest", metavar="SPAN", help="How long a share may last: 30d; or off.", show_default=False),
    ] = None,
    usual: Annotated[
        str | None,
        typer.Option("--usual", metavar="SPAN", help="How long if nobody says: 7d; or off.", show_default=False),
    ] = None,
    needs_password: Annotated[
        bool | None,
        typer.Option("--needs-password/--no-needs-password", help="Whether each has one.", show_default=False),
    ] = None,
    most: Annotated[
        list[Right] | None, typer.Option("--most", help="The rights that may be given; may repeat.", show_default=False)
    ] = None,
    any_right: Annotated[bool, typer.Option("--any-right", help="All rights may be given.")] = False,
    usual_right: Annotated[
        list[Right] | None,
        typer.Option("--usual-right", help="Given if nobody says; may repeat.", show_default=False),
    ] = None,
    domain: DomainOption = None,
) -> None:
    """Shows what a domain says of all its shares, or changes it: locks for everybody, and defaults within them."""
    desk = desk_of(context)
    given = (longest, usual, needs_password, most, any_right or None, usual_right)
    if all(each is None for each in given):
        with desk.reading() as session:
            document = _rules_told(changes.rules_of(session, naming.the_domain(session, domain).id))
    else:
        with desk.writing() as commit:
            session = commit.session
            home = naming.the_domain(session, domain).id
            old = changes.rules_of(session, home)
            new = Rules(
                longest=old.longest if longest is None else _span(longest) or Rules().longest,
                usual=old.usual if usual is None else _span(usual),
                needs_password=old.needs_password if needs_password is None else needs_password,
                most_rights=Rules().most_rights if any_right else frozenset(most) if most else old.most_rights,
                usual_rights=old.usual_rights if usual_right is None else frozenset(usual_right),
            )
            changes.set_share_rules(session, home, new)
            document = _rules_told(changes.rules_of(session, home))
    desk.tell(document, card(document))


def described(session: Session, share: Share) -> dict[str, Any]:
    """Returns a share as a document; never a link's text or a password."""
    owner, links = session.get(User, share.owner_id), directory.list_links(session, share.id)
    return {
        "id": share.id,
        "object": str(share.key),
        "by": owner.email if owner else share.owner_id,
        "title": share.title,
        "state": "over" if share.expires <= datetime.now(UTC) else "open",
        "rights": list(share.rights),
        "networks": list(share.networks),
        "password": share.password is not None,
        "created": when(share.created),
        "ends": when(share.expires),
        "max_visits": share.max_visits,
        "visits": sum(each.visits for each in links),
        "links": [_link_told(each) for each in links],
    }


def _link_told(row: ShareRecipient) -> dict[str, Any]:
    return {
        "id": row.id,
        "for": row.email or "anyone",
        "visits": row.visits,
        "last_visit": when(row.last_visit),
    }


def _linked(session: Session, share: Share, email: str | None) -> dict[str, Any]:
    row, text = changes.add_recipient(session, share.id, email)
    return {"id": row.id, "for": row.email or "anyone", "link": text}


def _links_told(links: list[dict[str, Any]]) -> str:
    shown = table(links, ("for", "link", "id"), "")
    return f"{shown}\n\nLinks are shown only now: hand each to whom it is for."


def _said(
    until: str | None,
    rights: list[Right] | None,
    title: str | None,
    networks: list[str] | None,
    max_visits: int | None,
) -> Any:  # noqa: ANN401 - `changes.ShareAttributes`, filled step by step
    said = {
        "expires": end_of(until),
        "rights": rights or None,
        "title": title,
        "networks": networks or None,
        "max_visits": max_visits,
    }
    return {name: value for name, value in said.items() if value is not None}


def _asked_password() -> str:
    """Returns the hash of a password that is typed, twice, or comes on standard input; never as an argument, which others see."""
    from models import passwords

    if sys.stdin.isatty():
        return passwords.hashed(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return passwords.hashed(sys.stdin.readline().rstrip("\n"))


def _span(text: str) -> timedelta | None:
    if text == OFF:
        return None
    try:
        return timedelta(seconds=seconds(text))
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"`{text}` is no span: write 30d, or off") from None


def _rules_told(rules: Rules) -> dict[str, Any]:
    return {
        "longest": str(rules.longest),
        "usual": str(rules.usual) if rules.usual else None,
        "needs_password": rules.needs_password,
        "most_rights": sorted(rules.most_rights),
        "usual_rights": sorted(rules.usual_rights),
    }
