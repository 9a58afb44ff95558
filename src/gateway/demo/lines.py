"""The lines: for each of the cast the `curl` commands to paste, and what each must answer.

A line is data; `printed` makes the command of it. The commands stand on their own and may be pasted again and in any
order, save where a sentence says that the line before comes first.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from gateway.demo.cast import ADA, BEA, BOB, NELL, STAN, ULI, UMA, Person
from gateway.reasons import Reason

SECOND_ADDRESS: Final = "127.0.0.2"
NO_SECOND_ADDRESS: Final = (
    f"This machine has no address {SECOND_ADDRESS}, which one of Nell's lines needs; "
    f"on macOS: sudo ifconfig lo0 alias {SECOND_ADDRESS}"
)
BEARER, PAIR, BASIC = "bearer", "pair", "basic"
FULL: Final = ("-i",)
"""Shows the head of the answer and the body."""
HEAD_ONLY: Final = ("-D", "-", "-o", "/dev/null")
"""Shows the head alone, for media that no terminal can show."""
WRONG_TOKEN: Final = "mg_" + "A" * 43
SCRAP: Final = "scrap"


@dataclass(frozen=True, slots=True)
class Key:
    """A member's credential: the token and the application that it belongs to."""

    application: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Line:
    """One command and what to expect of it.

    Attributes:
        who: the member whose credential it brings; None for nobody.
        shows: the one idea.
        path: path and query.
        status: the status to expect.
        reason: the reason to expect where it is refused.
        options: further options of curl.
        output: what of the answer is shown.
        proof: how the credential is sent.
        contains: a text that must stand in what is shown.
    """

    who: Person | None
    shows: str
    path: str
    status: int
    reason: Reason | None = None
    options: tuple[str, ...] = ()
    output: tuple[str, ...] = FULL
    proof: str = BEARER
    contains: str = ""

    @property
    def expected(self) -> str:
        """What to expect, in a few words."""
        return f"{self.status} {self.reason}" if self.reason else str(self.status)


def printed(line: Line, url: str, keys: Mapping[Person, Key]) -> str:
    """Returns the command of `line` against the gateway at `url`, ready to paste."""
    credential = _credential(line.proof, keys[line.who]) if line.who else ()
    return shlex.join(("curl", "-sS", *line.output, *credential, *line.options, f"{url}{line.path}"))


def text(url: str, keys: Mapping[Person, Key]) -> str:
    """Returns what the demo prints when it runs: all lines under the names of the cast."""
    said = [f"\nThe gateway answers at {url}. Paste what you like."]
    for who, lines in groupby(LINES, lambda line: line.who):
        said.append(f"\n{who.first_name}, {who.part}" if who else "\nNobody in particular")
        said.extend(f"  # {line.shows}: {line.expected}\n  {printed(line, url, keys)}" for line in lines)
    said.append(
        f"\nIn a browser: {url}/ with any user name and Ada's token as password:\n  {keys[ADA].token}"
    )
    said.append("\nCtrl-C stops everything.")
    return "\n".join(said)


def document(url: str, keys: Mapping[Person, Key]) -> dict[str, Any]:
    """Returns the same as one JSON document."""
    rows = [
        {
            "who": line.who.email if line.who else None,
            "shows": line.shows,
            "command": printed(line, url, keys),
            "expected": line.expected,
        }
        for line in LINES
    ]
    return {"url": url, "lines": rows}


def _credential(proof: str, key: Key) -> tuple[str, ...]:
    if proof == PAIR:
        return ("-H", f"App-ID: {key.application}", "-H", f"Auth-Token: {key.token}")
    if proof == BASIC:
        return ("-u", f"x:{key.token}")
    return ("-H", f"Authorization: Bearer {key.token}")


def _put(text: str) -> tuple[str, ...]:
    return ("-X", "PUT", "-H", "Content-Type: text/plain", "--data-binary", text)


def _post(json: str) -> tuple[str, ...]:
    return ("-H", "Content-Type: application/json", "-d", json)


_DELETE: Final = ("-X", "DELETE")
_SCRAP: Final = f'{{"id": "{SCRAP}", "title": "Scrap", "collection_id": "library"}}'
_CLIP: Final = "/api/assets/pilot/proxy.mp4"
_HLS: Final = "/api/assets/pilot/hls"
_UNKNOWN: Final = ("-H", f"Authorization: Bearer {WRONG_TOKEN}")

LINES: Final = (
    Line(None, "no credential", "/api/assets/pilot/", 401, Reason.SIGNED_IN),
    Line(None, "a token that nobody was given", "/api/assets/pilot/", 401, Reason.CREDENTIAL_UNKNOWN, _UNKNOWN),
    Line(STAN, "reads by an entry three collections above", "/api/assets/pilot/", 200, contains="The pilot"),
    Line(STAN, "a part of the MP4", _CLIP, 206, options=("-r", "0-99"), output=HEAD_ONLY, contains="content-range: bytes 0-99/"),
    Line(STAN, "the HLS playlist", f"{_HLS}/index.m3u8", 200, contains="#EXTM3U"),
    Line(STAN, "the segment that it names first", f"{_HLS}/segment000.ts", 200, output=HEAD_ONLY, contains="video/mp2t"),
    Line(STAN, "searches", "/api/assets/?q=pilot", 200, contains='"total":1'),
    Line(STAN, "an asset that nobody shared with him", "/api/assets/secret/", 403, Reason.NO_GRANT),
    Line(STAN, "one that does not exist looks the same", "/api/assets/nothing/", 403, Reason.NO_GRANT),
    Line(STAN, "uploads", "/shows/stan.txt", 201, options=_put("notes by Stan"), contains="/shows/stan.txt"),
    Line(STAN, "his own, but none of his groups may delete", "/shows/stan.txt", 403, Reason.ROLE, _DELETE),
    Line(STAN, "an operation that no route map names", "/api/assets/pilot/publish", 403, Reason.NO_ROUTE, ("-X", "POST")),
    Line(STAN, "a path with two readings", "/shows/%2e%2e/board/memo.txt", 400, Reason.BAD_TARGET, ("--path-as-is",)),
    Line(BEA, "reads", "/api/assets/pilot/", 200, proof=PAIR),
    Line(BEA, "downloads", "/shows/clip.mp4", 200, output=HEAD_ONLY, proof=PAIR, contains="video/mp4"),
    Line(BEA, "lists a folder by WebDAV", "/shows/", 207, options=("-X", "PROPFIND", "-H", "Depth: 1"), proof=BASIC, contains="clip.mp4"),
    Line(BEA, "uploading is not for her type of user", "/shows/bea.txt", 403, Reason.ROLE, _put("notes by Bea"), proof=PAIR),
    Line(ULI, "uploads to the inbox", "/inbox/uli.txt", 201, options=_put("notes by Uli"), proof=BASIC),
    Line(ULI, "reads back what is his own (upload first)", "/inbox/uli.txt", 200, proof=BASIC, contains="notes by Uli"),
    Line(ULI, "another's file in the same folder", "/inbox/welcome.txt", 403, Reason.NO_GRANT, proof=BASIC),
    Line(ULI, "his own, but he may not delete", "/inbox/uli.txt", 403, Reason.ROLE, _DELETE, proof=BASIC),
    Line(UMA, "uploads to the inbox", "/inbox/uma.txt", 201, options=_put("notes by Uma"), proof=BASIC),
    Line(UMA, "deletes what is her own (upload first)", "/inbox/uma.txt", 200, options=_DELETE, proof=BASIC),
    Line(UMA, "another's file in the same folder", "/inbox/welcome.txt", 403, Reason.NO_GRANT, _DELETE, proof=BASIC),
    Line(NELL, "from 127.0.0.1, which is not on her group's list", "/api/assets/pilot/", 403, Reason.NETWORK),
    Line(NELL, "from 127.0.0.2, which is", "/api/assets/pilot/", 200, options=("--interface", SECOND_ADDRESS)),
    Line(BOB, "blocked", "/api/assets/pilot/", 403, Reason.USER_STATUS),
    Line(ADA, "reads what no entry grants", "/board/memo.txt", 200, contains="For the board only"),
    Line(ADA, "makes an asset", "/api/assets/", 201, options=_post(_SCRAP), contains=f'"id":"{SCRAP}"'),
    Line(ADA, "deletes it (make it first)", f"/api/assets/{SCRAP}/", 204, options=_DELETE),
    Line(ADA, "what is deleted is gone", f"/api/assets/{SCRAP}/", 403, Reason.NO_GRANT),
)  # fmt: skip

LEFTOVERS: Final = ("/shows/stan.txt", "/inbox/uli.txt", "/inbox/uma.txt", f"/api/assets/{SCRAP}/")
"""What lines that were pasted before may have left; a check begins by deleting it as the admin."""
