"""`mediagate selftest`: fires the corpus of known bypasses at a live deployment and says which hop lets something through."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from gateway.cli.desk import desk_of
from gateway.cli.failures import DONE, FAILED, REFUSED, WRONG_USE, CommandError
from gateway.cli.options import examples
from gateway.cli.text import table

if TYPE_CHECKING:
    from gateway.selftest import Shot
    from gateway.selftest_wire import Hop

TOKEN_VARIABLE: Final = "MEDIAGATE_SELFTEST_TOKEN"  # noqa: S105 - the name of a variable
"""Where the token is read from unless a file is named."""
ENTRY: Final = "entry"
"""What the URL is called unless a hop names it."""
EXAMPLES = examples(
    "mediagate selftest https://media.example.org --allowed /shows/pilot.txt --refused /private/plan.txt --token-file token",
    "mediagate selftest http://front:8000 --allowed /a.txt --refused /b.txt --hop nginx=http://front:8000 --hop gateway=http://gate:8080",
)

_PATH: Final = re.compile(r"/[!-\"$->@-~]*[!-\"$-.0->@-~]")


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("selftest", epilog=EXAMPLES)(selftest)


def selftest(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    url: Annotated[
        str,
        typer.Argument(metavar="URL", help="Where clients reach the deployment.", show_default=False),
    ],
    *,
    allowed: Annotated[
        str,
        typer.Option(
            "--allowed", metavar="PATH", help="A small file that the token may read.", show_default=False
        ),
    ],
    refused: Annotated[
        str,
        typer.Option(
            "--refused", metavar="PATH", help="A path that must be refused to it.", show_default=False
        ),
    ],
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="PATH",
            help=f"Holds the token; else {TOKEN_VARIABLE}.",
            show_default=False,
        ),
    ] = None,
    hop: Annotated[
        list[str] | None,
        typer.Option(
            "--hop",
            metavar="NAME=URL",
            help="A further hop, from outside inwards; may repeat.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            "--host", metavar="NAME", help="The Host that is sent; else that of URL.", show_default=False
        ),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(
            "--ca-file",
            metavar="PATH",
            help="Certificates that https hops are checked with.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Fires known bypasses as raw bytes and reports what is held, what is let through, and by which hop.

    Exit code 0: all held, 1: something is let through, 3: something is unclear. Only safe methods, and requests that must be refused.
    """
    import ssl

    from gateway.corpus import Scene, load_corpus
    from gateway.selftest import SceneError, fire, is_visible
    from gateway.shipped import shipped_corpus

    hops = _hops(url, hop or [])
    scene = Scene(_path(allowed), _path(refused), host or hops[0].host, _token(token_file))
    tls = ssl.create_default_context(cafile=ca_file)
    corpus = load_corpus(shipped_corpus())
    unseen = sum(not is_visible(attempt) for case in corpus for attempt in case.tries)
    try:
        shots = list(fire(corpus, hops, scene, tls))
    except SceneError as error:
        raise CommandError(str(error)) from None
    document = _document(hops, shots, unseen)
    desk_of(context).tell(document, _text(document))
    raise typer.Exit(REFUSED if document["let_through"] else FAILED if document["unclear"] else DONE)


def _hops(url: str, written: list[str]) -> "list[Hop]":
    """Returns the hops, outermost first; the URL is the first one, under the name of a hop with the same URL."""
    from gateway.selftest_wire import Hop

    named: dict[str, str] = {}
    for text in written:
        name, sign, place = text.partition("=")
        if not (sign and name) or name in named:
            raise CommandError(f"`{text}` is no hop: write NAME=URL, each name once", code=WRONG_USE)
        named[name] = _url(place)
    entry = _url(url)
    name = next((name for name, place in named.items() if place == entry), ENTRY)
    others = [Hop(each, place) for each, place in named.items() if each != name]
    return [Hop(name, entry), *others]


def _url(text: str) -> str:
    parts = urlsplit(text)
    try:
        known = (
            parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        known = False
    if not known or parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise CommandError(
            f"`{text}` is no place to fire at: write http://HOST:PORT or https://HOST:PORT", code=WRONG_USE
        )
    return f"{parts.scheme}://{parts.netloc}"


def _path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise CommandError(
            f"`{text}` is no path of a file: write it percent-encoded, from its first `/` on, without a query",
            code=WRONG_USE,
        )
    return text


def _token(file: Path | None) -> str:
    """Returns the credential; never from the arguments, which every user of the machine can read."""
    text = file.read_text("ascii", "replace").strip() if file else os.environ.get(TOKEN_VARIABLE, "").strip()
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", text):
        raise CommandError(
            f"no token: name a file with --token-file, or set {TOKEN_VARIABLE}", code=WRONG_USE
        )
    return text


def _document(hops: "list[Hop]", shots: "list[Shot]", unseen: int) -> dict[str, Any]:
    from gateway.selftest import Verdict

    cases: dict[str, list[Shot]] = {}
    for shot in shots:
        cases.setdefault(shot.case.id, []).append(shot)
    count = {verdict: sum(shot.verdict is verdict for shot in shots) for verdict in Verdict}
    return {
        "hops": [{"name": hop.name, "url": hop.url} for hop in hops],
        "held": count[Verdict.HELD],
        "let_through": count[Verdict.LET_THROUGH],
        "unclear": count[Verdict.UNCLEAR],
        "not_visible": unseen,
        "cases": [_case(found) for found in cases.values()],
    }


def _case(shots: "list[Shot]") -> dict[str, Any]:
    from gateway.selftest import Verdict

    found = {shot.verdict for shot in shots}
    worst = next((each for each in (Verdict.LET_THROUGH, Verdict.UNCLEAR) if each in found), Verdict.HELD)
    case = shots[0].case
    return {
        "case": case.id,
        "ids": list(case.ids),
        "product": case.product,
        "because": case.because,
        "verdict": worst.value,
        "let_through_by": sorted({shot.culprit for shot in shots} - {""}),
        "tries": [
            {
                "request": shot.shown,
                "verdict": shot.verdict.value,
                "let_through_by": shot.culprit,
                "answers": {name: outcome.told for name, outcome in shot.outcomes.items()},
            }
            for shot in shots
        ],
    }


def _text(document: dict[str, Any]) -> str:
    rows = [{**case, "requests": len(case["tries"])} for case in document["cases"]]
    lines = [table(rows, ("case", "requests", "verdict", "let_through_by"), "the corpus is empty"), ""]
    for case in document["cases"]:
        for each in case["tries"]:
            if each["verdict"] != "held":
                told = ", ".join(f"{name}: {answer}" for name, answer in each["answers"].items())
                by = f" by {each['let_through_by']}" if each["let_through_by"] else ""
                lines.append(f"{case['case']}: {each['request']}: {each['verdict']}{by} ({told})")
    total = document["held"] + document["let_through"] + document["unclear"]
    lines.append(
        f"{total} requests at {', '.join(hop['name'] for hop in document['hops'])}: {document['held']} held, "
        f"{document['let_through']} let through, {document['unclear']} unclear; "
        f"{document['not_visible']} more show only in a backend and were not fired"
    )
    return "\n".join(lines)
