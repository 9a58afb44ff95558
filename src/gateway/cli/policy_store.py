"""`mediagate policy publish` and `fetch`, and what the other commands need where the store keeps the policies.

Rules:

1. What is published passes the trial that a gateway makes, here and now; what does not changes nothing.
2. A bundle is written whole, in one commit, and only where `policies.source` is `store`.
3. Nothing that exists is overwritten by what is fetched.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.desk import Desk, author, desk_of
from gateway.cli.failures import REFUSED, CommandError
from gateway.cli.options import examples

if TYPE_CHECKING:
    from gateway.folder import Reading

LIVE: Final = "live"
"""Names what was published last, where a digest may stand."""
STORED: Final = "the published bundle"

PublishedArgument = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="The folder to publish.", show_default=False)
]
FetchedArgument = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Where to write; it must not exist.", show_default=False)
]


def add_stored(policy: typer.Typer) -> None:
    """Adds these commands to the noun `policy`."""
    policy.command("publish", epilog=examples("mediagate policy publish ./new-policies"))(publish)
    policy.command("fetch", epilog=examples("mediagate policy fetch ./new-policies"))(fetch)


def publish(context: typer.Context, folder: PublishedArgument) -> None:
    """Puts a folder of policies into the store as the live bundle, if it loads, lints and passes its scenarios.

    Exit code 0: published, or live already, 1: refused, with every reason. Needs `policies.source = "store"`.
    """
    from gateway.folder import read_once
    from gateway.reload import bounds_of

    desk = desk_of(context)
    _need_store(desk, f"save the files in `{desk.settings().policies.folder}` instead, which is watched")
    if not folder.is_dir():
        raise CommandError(
            f"`{folder}` is not a folder: `mediagate policy fetch` writes the published bundle"
        )
    put(desk, read_once(folder, bounds_of(desk.settings().policies)), str(folder))


def fetch(context: typer.Context, folder: FetchedArgument) -> None:
    """Writes the published bundle into a new folder, to be edited and published again. Needs `policies.source = "store"`."""
    from gateway.folder import write_files

    desk = desk_of(context)
    _need_store(desk, f"the policies stand in `{desk.settings().policies.folder}`")
    if os.path.lexists(folder):
        raise CommandError(f"`{folder}` exists: fetch overwrites nothing; move it away or choose another")
    reading = named(desk, LIVE)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".mediagate-fetch-", dir=folder.parent) as aside:
        made = Path(aside) / "made"
        write_files(reading.files, made)
        made.rename(folder)
    desk.tell(
        {"digest": reading.digest, "folder": str(folder)},
        f"wrote {reading.digest} into {folder}: edit it, then: mediagate policy publish {folder}",
    )


def put(desk: Desk, reading: "Reading", name: str) -> None:
    """Publishes a bundle that passes its trial, and tells; one that does not ends the command with exit code 1."""
    from gateway.reload import problems_with
    from models import changes

    settings = desk.settings()
    problems = problems_with(settings, reading)
    document: dict[str, Any] = {"folder": name, "digest": reading.digest or None, "problems": problems}
    if problems:
        refused = f"{name} is refused, and nothing was published"
        desk.tell({**document, "published": False}, "\n".join((*problems, refused)))
        raise typer.Exit(REFUSED)
    with desk.writing() as commit:
        new = changes.publish_policies(
            commit.session, reading.digest, reading.files, author=author(), keep=settings.policies.history
        )
    said = "is published; `mediagate policy status` tells when it is live" if new else "is live already"
    desk.tell({**document, "published": new}, f"{reading.digest} {said}")


def rows(desk: Desk) -> list[dict[str, Any]]:
    """Returns what was published, the latest first."""
    from models.published import publications

    with desk.reading() as session:
        return [
            {"digest": row.digest, "live_since": row.at.strftime("%Y-%m-%dT%H:%M:%SZ"), "by": row.author}
            for row in reversed(publications(session))
        ]


def named(desk: Desk, name: str, *, or_folder: bool = False) -> "Reading":
    """Returns the bytes that `live`, a digest of the history or its beginning names; where that is asked for, also a folder.

    Raises:
        CommandError: none is named, several are, or it cannot be read.
    """
    from gateway.folder import read_once
    from gateway.reload import bounds_of
    from gateway.sources import stored_reading
    from models.published import latest_publication, publications, published_files

    if or_folder and name and Path(name).is_dir():
        return _good(read_once(Path(name), bounds_of(desk.settings().policies)))
    with desk.reading() as session:
        if name == LIVE:
            latest = latest_publication(session)
            if latest is None:
                raise CommandError("the store holds no policies yet: `mediagate policy publish FOLDER`")
            digest = latest.digest
        else:
            found = sorted({row.digest for row in publications(session) if row.digest.startswith(name)})
            if len(found) != 1 or not name:
                said = "no bundle that was published" if not found else f"{len(found)} bundles"
                raise CommandError(f"{said}: `{name}`: `mediagate policy history` lists them")
            digest = found[0]
        return _good(stored_reading(digest, published_files(session, digest)))


@dataclass(frozen=True, slots=True)
class Place:
    """Policies as files, for commands that look through them.

    Attributes:
        folder: where they stand for now.
        name: how sentences call it.
    """

    folder: Path
    name: str

    def said(self, problem: str) -> str:
        """Returns a sentence without a path that only exists for the length of a command."""
        return problem if self.name == str(self.folder) else problem.replace(f"{self.folder}/", "")


@contextmanager
def placed(desk: Desk, folder: Path | None = None) -> Iterator[Place]:
    """Yields the named folder, else that of the settings, else a passing copy of the published bundle.

    Raises:
        CommandError: it is not a folder, or nothing is published.
    """
    policies = desk.settings().policies
    if folder is None and policies.in_store:
        from gateway.folder import write_files

        reading = named(desk, LIVE)
        aside = Path(tempfile.mkdtemp(prefix="mediagate-policies-"))
        try:
            write_files(reading.files, aside)
            yield Place(aside, STORED)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return
    place = folder or policies.folder
    if not place.is_dir():
        raise CommandError(f"`{place}` is not a folder: `mediagate init` writes the shipped policies")
    yield Place(place, str(place))


def _good(reading: "Reading") -> "Reading":
    if reading.problems:
        raise CommandError(*reading.problems)
    return reading


def _need_store(desk: Desk, instead: str) -> None:
    """Refuses where a folder decides (rule 2)."""
    if not desk.settings().policies.in_store:
        raise CommandError(f"`policies.source` is `folder`, so nothing is published: {instead}")
