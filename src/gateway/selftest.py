"""The corpus of known bypasses fired at a live deployment: what is held, what is let through, and by which hop.

Rules:

1. Only what is marked as live is fired: requests of a safe method, or ones that must be refused.
2. A request that must be refused is held if every answer is a refusal, by whichever hop: 4xx but 429, 501, 505, or the end of the
   connection. An answer below 400 lets it through, a redirect too. All else is unclear: a gateway that is overloaded or
   whose backend fails proves nothing.
3. A request that may also be harmless is held if at most one answer is a success: what was hidden in it was not carried out.
4. What only the backend sees, a header that must not arrive, cannot be judged from outside: those requests are counted and not fired.
5. A case is let through by the innermost hop that answers it with a success when asked directly: all further in hold it.
6. Nothing is fired before each hop has shown that it serves the allowed path to the credential, and to nobody else, and refuses the other one.
"""

import ssl
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.corpus import Advisory, Scene, Try
from gateway.selftest_wire import Hop, NoAnswerError, ask

PARALLEL: Final = 4
"""Requests at once: enough to be quick, too few to be shed."""

_REFUSAL: Final = 400
_TOO_MANY: Final = 429
_SERVER_SIDE: Final = 500
_NOT_SUPPORTED: Final = (501, 505)


class Verdict(StrEnum):
    """What became of a request."""

    HELD = "held"
    LET_THROUGH = "let through"
    UNCLEAR = "unclear"


class SceneError(Exception):
    """The deployment does not serve the scene that the corpus needs (rule 6); the message says what to change."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one hop made of a request: the statuses of its answers, and why they are unclear, if they are."""

    verdict: Verdict
    statuses: tuple[int, ...] = ()
    why: str = ""

    @property
    def told(self) -> str:
        """The outcome in a few words."""
        return self.why or ", ".join(map(str, self.statuses)) or "closed"


@dataclass(frozen=True, slots=True)
class Shot:
    """One request of a case with its outcome at each hop, outermost first.

    Attributes:
        case: what it is a try of.
        shown: the request in one line, without the credential.
        outcomes: of each hop, by name.
    """

    case: Advisory
    shown: str
    outcomes: dict[str, Outcome]

    @property
    def verdict(self) -> Verdict:
        """Let through if any hop lets it through, unclear if any is, else held."""
        found = {outcome.verdict for outcome in self.outcomes.values()}
        return next((each for each in (Verdict.LET_THROUGH, Verdict.UNCLEAR) if each in found), Verdict.HELD)

    @property
    def culprit(self) -> str:
        """The hop that lets it through (rule 5); empty if none does."""
        through = [name for name, each in self.outcomes.items() if each.verdict is Verdict.LET_THROUGH]
        return through[-1] if through else ""


def fire(
    corpus: Sequence[Advisory], hops: Sequence[Hop], scene: Scene, tls: ssl.SSLContext
) -> Iterator[Shot]:
    """Yields what became of each live request of the corpus, in order.

    Args:
        corpus: the cases.
        hops: where they are fired, outermost first.
        scene: the paths and the credential.
        tls: what certificates are checked with.

    Raises:
        SceneError: rule 6.
        OSError: a hop cannot be reached.
    """
    for hop in hops:
        _check_scene(hop, scene, tls)
    tries = [(case, attempt) for case in corpus for attempt in case.tries if is_visible(attempt)]

    def shot(pair: tuple[Advisory, Try]) -> Shot:
        case, attempt = pair
        outcomes = {hop.name: _outcome(hop, attempt, scene, tls) for hop in hops}
        return Shot(case, shown(attempt, scene), outcomes)

    with ThreadPoolExecutor(PARALLEL) as pool:
        yield from pool.map(shot, tries)


def is_visible(attempt: Try) -> bool:
    """Tells whether a request is fired at all (rules 1 and 4)."""
    return attempt.live and bool(attempt.refused)


def judged(attempt: Try, statuses: Sequence[int]) -> Verdict:
    """Returns the verdict about the answers to a request (rules 2 and 3)."""
    through = sum(status < _REFUSAL for status in statuses)
    if through > (attempt.forwarded is not None):
        return Verdict.LET_THROUGH
    if any(_is_unclear(status) for status in statuses):
        return Verdict.UNCLEAR
    return Verdict.HELD


def shown(attempt: Try, scene: Scene) -> str:
    """Returns a request in one line of printable signs, without the credential."""
    blind = Scene(scene.allowed, scene.refused, scene.host, "TOKEN")
    head, _, body = attempt.request(blind).decode("latin-1").partition("\r\n\r\n")
    lines = [line for line in head.split("\r\n") if line not in (f"Host: {scene.host}", blind.words["auth"])]
    text = " | ".join(
        [lines[0].removesuffix(" HTTP/1.1"), *lines[1:], *([f"({len(body)} bytes)"] if body else [])]
    )
    return text.encode("unicode_escape").decode("ascii")


def _outcome(hop: Hop, attempt: Try, scene: Scene, tls: ssl.SSLContext) -> Outcome:
    try:
        statuses = ask(
            hop, tls, attempt.request(scene), more=attempt.has_more, bodiless=attempt.method == "HEAD"
        )
    except (NoAnswerError, OSError) as error:
        return Outcome(Verdict.UNCLEAR, (), str(error))
    return Outcome(judged(attempt, statuses), tuple(statuses))


def _is_unclear(status: int) -> bool:
    return status == _TOO_MANY or (status >= _SERVER_SIDE and status not in _NOT_SUPPORTED)


def _check_scene(hop: Hop, scene: Scene, tls: ssl.SSLContext) -> None:
    """Asks for both paths plainly (rule 6)."""
    plain = {
        "allowed": Try({"target": "{allowed}", "then": ""}, (), None, live=True),
        "refused": Try({"target": "{refused}"}, (), None, live=True),
        "unsigned": Try({"target": "{allowed}", "signed": False}, (), None, live=True),
    }
    try:
        told = {
            name: next(iter(ask(hop, tls, each.request(scene), more=each.has_more)), 0)
            for name, each in plain.items()
        }
    except NoAnswerError as error:
        raise SceneError(f"{hop.name}: {error}") from error
    if not 200 <= told["allowed"] < 300:  # noqa: PLR2004 - success, RFC 9110 15.3
        raise SceneError(
            f"{hop.name}: `{scene.allowed}` is answered with {told['allowed']}: name a path that the token may read"
        )
    if told["refused"] not in (401, 403, 404):
        raise SceneError(
            f"{hop.name}: `{scene.refused}` is answered with {told['refused']}: name a path that must be refused to the token"
        )
    if told["unsigned"] < _REFUSAL:
        raise SceneError(
            f"{hop.name}: `{scene.allowed}` is open to everybody: name a path that needs the token"
        )
