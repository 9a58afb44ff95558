"""`mediagate policy status`, `history`, `diff` and `rollback`: what decides now, what did, and the way back.

All four read the state folder that the gateway writes, so they work whether or not it runs. Where the store keeps the policies,
history, bundles and the way back are the store's, and the state folder tells what this machine made of them.
"""

import difflib
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli import policy_store
from gateway.cli.desk import Desk, desk_of
from gateway.cli.failures import REFUSED, CommandError
from gateway.cli.options import examples
from gateway.cli.text import card, table

if TYPE_CHECKING:
    from gateway.folder import Reading
    from gateway.history import History, Save

EVERY: Final = 0.2
"""Seconds between looks for new lines."""
FOLDER: Final = "folder"
"""Names what stands in the folder now, where a digest may stand."""

DigestArgument = Annotated[
    str,
    typer.Argument(
        metavar="DIGEST",
        help="A digest of `mediagate policy history` or its beginning; `folder` for what stands there now; with the store as source `live`, or a folder to compare.",
        show_default=False,
    ),
]


def add_live(policy: typer.Typer) -> None:
    """Adds these commands to the noun `policy`."""
    policy.command("status", epilog=examples("mediagate policy status", "mediagate policy status --follow"))(
        status
    )
    policy.command("history", epilog=examples("mediagate policy history"))(history)
    policy.command(
        "diff", epilog=examples("mediagate policy diff 1f2e3d4c", "mediagate policy diff 1f2e3d4c 5b6a7988")
    )(diff)
    policy.command("rollback", epilog=examples("mediagate policy rollback 1f2e3d4c"))(rollback)


def status(
    context: typer.Context,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Stay, and print one line for each save.")] = False,
) -> None:
    """Tells what is live, and why the folder or the published bundle is not if it is not. Exit code 1: that is refused."""
    desk = desk_of(context)
    past = _history(desk)
    if follow:
        _follow(desk, past)
        return
    state = _state(desk, past)
    desk.tell(state, card(state))
    if state["problems"]:
        raise typer.Exit(REFUSED)


def history(context: typer.Context) -> None:
    """Lists the bundles that went live and can be gone back to, the latest first."""
    from gateway.history import moment

    desk = desk_of(context)
    if desk.settings().policies.in_store:
        published = policy_store.rows(desk)
        columns = ("digest", "live_since", "by")
        desk.tell(
            published,
            table(published, columns, "nothing is published yet: `mediagate policy publish FOLDER`"),
        )
        return
    rows = [
        {"digest": live.digest, "live_since": moment(live.at)} for live in reversed(_history(desk).lives())
    ]
    desk.tell(
        rows, table(rows, ("digest", "live_since"), "nothing went live yet: `mediagate serve` records it")
    )


def diff(
    context: typer.Context,
    digest: DigestArgument,
    other: Annotated[
        str | None, typer.Argument(metavar="[DIGEST]", help="What to compare with.", show_default=False)
    ] = None,
) -> None:
    """Shows what differs from one bundle to another, or to what is there now. Exit code 0: nothing, 1: something."""
    desk = desk_of(context)
    other = other or (policy_store.LIVE if desk.settings().policies.in_store else FOLDER)
    before, after = _reading(desk, digest), _reading(desk, other)
    lines = [
        line
        for name in sorted(before.files.keys() | after.files.keys())
        for line in difflib.unified_diff(
            _lines(before, name), _lines(after, name), f"{digest}/{name}", f"{other}/{name}", lineterm=""
        )
    ]
    text = "\n".join(lines)
    desk.tell({"differs": bool(lines), "diff": text}, text or "no difference")
    if lines:
        raise typer.Exit(REFUSED)


def rollback(context: typer.Context, digest: DigestArgument) -> None:
    """Makes a bundle that was live stand in the folder again, from where the gateway takes it as any save, or publishes it again.

    What stands in the folder now is replaced; if it was ever live, it stays in the history.
    """
    from gateway.folder import restore

    desk = desk_of(context)
    if desk.settings().policies.in_store:
        policy_store.put(desk, policy_store.named(desk, digest), digest)
        return
    past = _history(desk)
    reading = _reading(desk, digest)
    folder = desk.settings().policies.folder
    with past.locked():
        restore(reading.files, folder)
    answer = {"digest": reading.digest, "folder": str(folder)}
    desk.tell(answer, f"{folder} is {reading.digest} again; `mediagate policy status` tells when it is live")


def _history(desk: Desk) -> "History":
    from gateway.reload import history_of

    return history_of(desk.settings().policies)


def _state(desk: Desk, past: "History") -> dict[str, Any]:
    from gateway.folder import read_once
    from gateway.history import moment
    from gateway.reload import bounds_of

    policies = desk.settings().policies
    live = next(reversed(past.lives()), None)
    save = next(reversed(past.saves()), None)
    refused = save is not None and not save.live
    if policies.in_store:
        now = next((row["digest"] for row in policy_store.rows(desk)), None)
    else:
        now = read_once(policies.folder, bounds_of(policies)).digest or None
    return {
        "live": live.digest if live else None,
        "since": moment(live.at) if live else None,
        "published" if policies.in_store else "folder": now,
        "seen_alike": moment(past.seen()) if past.seen() else None,
        "refused": save.digest if save and refused else None,
        "problems": list(save.problems) if save and refused else [],
    }


def _follow(desk: Desk, past: "History") -> None:
    """Prints the last save and each that follows, until interrupted."""
    last: Save | None = None
    while True:
        saves = past.saves()
        known = saves.index(last) + 1 if last in saves else max(0, len(saves) - 1) if last is None else 0
        for save in saves[known:]:
            last = save
            _tell_save(desk, save)
        time.sleep(EVERY)


def _tell_save(desk: Desk, save: "Save") -> None:
    import json

    from gateway.history import moment

    if desk.as_json:
        print(
            json.dumps(
                {
                    "at": moment(save.at),
                    "digest": save.digest,
                    "live": save.live,
                    "problems": list(save.problems),
                },
                ensure_ascii=False,
            ),
            flush=True,
        )
        return
    said = "live" if save.live else f"refused: {'; '.join(save.problems)}"
    print(f"{moment(save.at)}  {save.digest or '-':16}  {said}", flush=True)


def _reading(desk: Desk, name: str) -> "Reading":
    """Returns the bytes that a digest, its beginning, or `folder` names."""
    from gateway.folder import read_once
    from gateway.reload import bounds_of

    policies = desk.settings().policies
    if policies.in_store:
        return policy_store.named(desk, name, or_folder=True)
    if name == FOLDER:
        reading = read_once(policies.folder, bounds_of(policies))
        if reading.problems:
            raise CommandError(*reading.problems)
        return reading
    past = _history(desk)
    found = sorted({live.digest for live in past.lives() if live.digest.startswith(name)})
    if len(found) != 1 or not name:
        said = "no bundle that went live" if not found else f"{len(found)} bundles"
        raise CommandError(f"{said}: `{name}`: `mediagate policy history` lists them")
    if past.bundle(found[0]) is None:
        raise CommandError(
            f"the files of `{found[0]}` are missing or changed in `{past.folder}`: choose another"
        )
    return past.files(found[0])


def _lines(reading: "Reading", name: str) -> list[str]:
    return reading.files.get(name, b"").decode("utf-8", "backslashreplace").splitlines()
