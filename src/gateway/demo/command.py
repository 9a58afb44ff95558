"""`mediagate demo`: two media services, the gateway in front of both, and lines to paste."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.desk import Desk, desk_of
from gateway.cli.failures import DONE, REFUSED, CommandError
from gateway.cli.options import examples

if TYPE_CHECKING:
    from gateway.demo.folder import DemoFolder
    from gateway.demo.run import Running, Signals

PORT = 8080
_EPILOG = examples(
    "mediagate demo",
    "mediagate demo --check",
    "mediagate demo --folder /tmp/demo --port 0",
)

FolderOption = Annotated[
    Path, typer.Option("--folder", metavar="FOLDER", help="Where the demo keeps everything it writes.")
]
PortOption = Annotated[
    int | None,
    typer.Option(
        "--port",
        min=0,
        max=65535,
        metavar="PORT",
        help=f"The gateway's port on loopback; 0 takes a free one. By default {PORT}, with --check a free one.",
        show_default=False,
    ),
]
CheckOption = Annotated[
    bool,
    typer.Option(
        "--check", help="Run the printed lines, print expected and seen, and exit 0 only if all agree."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("demo", epilog=_EPILOG)(demo)


def demo(
    context: typer.Context,
    folder: FolderOption = Path(".demo"),
    port: PortOption = None,
    *,
    check: CheckOption = False,
) -> int:
    """Run copyparty and an asset API behind the gateway, with a cast to try who may do what.

    Prints for each of the cast ready-to-paste curl lines with what to expect, and runs until Ctrl-C. Nothing is open
    to other machines.
    """
    from gateway.demo.folder import DemoFolder
    from gateway.demo.processes import ProcessError
    from gateway.demo.run import DemoError, Signals, StoppedError

    place, signals = DemoFolder(folder.resolve()), Signals()
    try:
        if check:
            return _check(place, port or 0, signals, desk_of(context))
        return _run(place, PORT if port is None else port, signals, desk_of(context))
    except StoppedError:
        if check:
            raise CommandError("the check was stopped before its end") from None
        return DONE
    except (DemoError, ProcessError) as error:
        raise CommandError(str(error)) from error


def _run(place: "DemoFolder", port: int, signals: "Signals", desk: Desk) -> int:
    from gateway.demo import facts, lines
    from gateway.demo.run import opened, running

    with running(place, port, _progress(desk), signals) as demo_:
        with opened(place) as store:
            keys = facts.fresh_keys(store)
        desk.tell(lines.document(demo_.url, keys), lines.text(demo_.url, keys))
        sys.stdout.flush()
        while True:
            demo_.check()
            signals.pause()


def _check(place: "DemoFolder", port: int, signals: "Signals", desk: Desk) -> int:
    from gateway.demo.check import has_curl
    from gateway.demo.run import found, running

    if not has_curl():
        raise CommandError("`curl` is not on this machine, and the lines are for it: install it")
    say = _progress(desk)
    if demo_ := found(place, signals):
        say(f"checking the demo that runs at {demo_.url}")
        return _check_lines(place, demo_, signals, desk)
    with running(place, port, say, signals) as demo_:
        return _check_lines(place, demo_, signals, desk)


def _check_lines(place: "DemoFolder", demo_: "Running", signals: "Signals", desk: Desk) -> int:
    from gateway.demo import check, facts
    from gateway.demo.run import opened

    say, results = _progress(desk), []
    say(f"\n{check.HEADING}")
    with opened(place) as store, facts.keys_for_a_check(store) as keys:
        for each in check.run_lines(demo_.url, keys, signals.check):
            demo_.check()
            results.append(each)
            say(check.row(len(results), each))
    desk.tell(check.document(results), check.summary(results))
    return DONE if all(each.agrees for each in results) else REFUSED


def _progress(desk: Desk) -> Callable[[str], None]:
    """Returns what prints a line at once; with `--json` nothing but the answer is printed."""
    return (lambda _text: None) if desk.as_json else typer.echo
