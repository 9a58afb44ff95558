"""`mediagate init`: a folder to begin with: settings, policies, a store, and an admin who can sign in.

Rules:

1. Nothing that exists is overwritten.
2. Everything is made in a folder beside its place and moved there last, so that nothing half-written stays behind.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Any, Final

import typer

from gateway.cli.desk import Desk, author, desk_of
from gateway.cli.failures import CommandError
from gateway.cli.options import examples
from gateway.settings.reading import DEFAULT_FILE

POLICIES: Final = "policies"
STORE: Final = "mediagate.db"
STALE: Final = (f"{STORE}-wal", f"{STORE}-shm", f"{STORE}-journal")
"""What is left of another store would be read as part of the new one."""
PASSING: Final = (f"{STORE}-bell", f"{STORE}-lock")
"""What each user of a store makes anew."""
DOMAIN: Final = "default"

EXAMPLES = examples(
    "mediagate init --admin ada@example.org --upstream media=http://127.0.0.1:9000",
    "mediagate init /srv/mediagate --domain studio",
)

TEMPLATE: Final = """\
# Settings of mediagate; docs/settings.md lists them all. The environment wins over this file:
# MEDIAGATE_SERVER__PORT=8081 is `port` in [server]. Relative paths are relative to this file.

[server]
host = "127.0.0.1"        # reached from this machine only; put TLS in front before opening it to others
port = 8080

[store]
url = "sqlite:///mediagate.db"

[policies]
folder = "policies"

# [proxies]
# trusted = ["10.0.0.5"]  # proxies directly in front of the gateway; nobody else's X-Forwarded-For is believed

# [audit]
# path = "audit.log"      # one line for each decision; standard output if not set

{upstreams}"""

UPSTREAM: Final = """\
[upstreams.{name}]
url = "{url}"
"""

NO_UPSTREAM: Final = """\
# A backend; route maps in policies/routes/ call it by its name. `mediagate serve` needs at least one.
# [upstreams.media]
# url = "http://127.0.0.1:9000"
# credential = {kind = "basic", user = "gateway", secret_file = "media.password"}
"""

UpstreamOption = Annotated[
    list[str] | None,
    typer.Option("--upstream", metavar="NAME=URL", help="A backend; may repeat.", show_default=False),
]
AdminOption = Annotated[
    str | None,
    typer.Option(
        "--admin", metavar="EMAIL", help="Make this admin and print a token once.", show_default=False
    ),
]


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("init", epilog=EXAMPLES)(init)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a folder is to hold."""

    domain: str
    admin: str | None
    upstreams: tuple[tuple[str, str], ...]


def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where; made if needed.")] = Path(),
    *,
    admin: AdminOption = None,
    domain: Annotated[
        str, typer.Option("--domain", metavar="NAME", help="The first system domain.")
    ] = DOMAIN,
    upstream: UpstreamOption = None,
) -> None:
    """Write settings, policies and a store to begin with.

    Nothing is overwritten. With --admin, the token of a first admin is printed, once.
    """
    desk = desk_of(context)
    if desk.config is not None:
        raise typer.BadParameter(f"init writes {DEFAULT_FILE} into FOLDER: give FOLDER instead of --config")
    wanted = Wanted(domain, admin, tuple(_upstream(text) for text in upstream or ()))
    for name in (DEFAULT_FILE, POLICIES, STORE, *STALE):
        _refuse_present(folder / name)
    with _prepared(folder) as fresh:
        issued = _make(fresh, wanted, folder)
    document: dict[str, Any] = {"folder": str(folder), "domain": domain, "admin": issued}
    desk.tell(document, _text(folder, wanted, issued))


@contextmanager
def _prepared(folder: Path) -> Iterator[Path]:
    """Yields an empty folder whose content stands in `folder` after the block; after an exception nothing of it does."""
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    fresh = Path(mkdtemp(prefix=".mediagate-init-", dir=folder))
    moved: list[Path] = []
    try:
        yield fresh
        last = fresh / DEFAULT_FILE  # so that settings mean a finished folder
        for item in (*(item for item in fresh.iterdir() if item != last), last):
            _refuse_present(folder / item.name)
            item.rename(folder / item.name)
            moved.append(folder / item.name)
    except BaseException:
        for path in moved:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(fresh, ignore_errors=True)
        for place in made:
            place.rmdir()
        raise
    fresh.rmdir()


def _refuse_present(place: Path) -> None:
    if place.exists():
        raise CommandError(
            f"`{place}` exists: init overwrites nothing; move it away or choose another folder"
        )


def _make(fresh: Path, wanted: Wanted, folder: Path) -> dict[str, Any] | None:
    """Writes everything into `fresh`; returns the admin's token, if an admin is wanted."""
    from gateway.defaults import record_shipped
    from gateway.errors import SettingsError
    from gateway.settings import Settings
    from gateway.shipped import shipped_policies

    upstreams = (
        "\n".join(UPSTREAM.format(name=name, url=url) for name, url in wanted.upstreams) or NO_UPSTREAM
    )
    (fresh / DEFAULT_FILE).write_text(TEMPLATE.format(upstreams=upstreams), encoding="utf-8")
    shutil.copytree(shipped_policies(), fresh / POLICIES)
    record_shipped(fresh / POLICIES)
    try:
        url = Settings.load(fresh / DEFAULT_FILE).store.url
    except SettingsError as error:
        raise SettingsError([each.replace(str(fresh), str(folder)) for each in error.problems]) from None
    issued = _fill(url, wanted)
    for name in PASSING:
        (fresh / name).unlink(missing_ok=True)
    return issued


def _fill(url: str, wanted: Wanted) -> dict[str, Any] | None:
    from gateway.cli.tokens import DEFAULT_APP, DEFAULT_EXPIRY, issue, until
    from models import changes
    from models.records import UserType
    from models.store import Store

    Store.upgrade(url)
    store = Store.open(url)
    try:
        with store.write(author()) as commit:
            session = commit.session
            home = changes.create_domain(session, wanted.domain)
            if wanted.admin is None:
                return None
            user = changes.create_user(session, home.id, wanted.admin, type=UserType.POWER, is_admin=True)
            return issue(session, user, DEFAULT_APP, until(DEFAULT_EXPIRY))
    finally:
        store.close()


def _upstream(text: str) -> tuple[str, str]:
    name, separator, url = text.partition("=")
    if not separator or not name or not url or '"' in text or "\\" in text:
        raise typer.BadParameter(
            f"`{text}` is no upstream: write NAME=URL, as in media=http://127.0.0.1:9000"
        )
    return name, url


def _text(folder: Path, wanted: Wanted, issued: dict[str, Any] | None) -> str:
    from gateway.cli.tokens import told

    where = "" if folder == Path() else f"{folder}/"
    store = f"{where}{STORE}" if (folder / STORE).exists() else "the store that the environment names"
    lines = [f"wrote {where}{DEFAULT_FILE}, {where}{POLICIES}/ and {store} with the domain {wanted.domain}"]
    if issued:
        lines += ["", told(Desk(folder / DEFAULT_FILE), issued)]
    lines += ["", "Next:"]
    if not wanted.upstreams:
        lines.append(f"  write your backend into {where}{DEFAULT_FILE} under [upstreams]")
    lines += [
        f"  write which requests there are into {where}{POLICIES}/routes/, then: mediagate policy check",
        f"  mediagate {f'--config {where}{DEFAULT_FILE} ' if where else ''}serve",
    ]
    return "\n".join(lines)
