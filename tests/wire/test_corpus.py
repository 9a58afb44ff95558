"""The corpus of known bypasses, fired as raw bytes at a running gateway: refused as stated, or received as it was judged."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import pytest

from backends import Recorded
from e2e.house import House, house
from e2e.raw import Answer, Line
from gateway.corpus import CLOSED, Advisory, Forwarded, Scene, Try, load_corpus, load_excuses
from gateway.reasons import TABLE, Reason
from gateway.shipped import shipped_corpus
from policy_folders import SHIPPED

ROOT: Final = SHIPPED.parent
CORPUS: Final = load_corpus(shipped_corpus())
ROWS: Final = """
  - GET, POST, OPTIONS, PROPFIND /{path...}: {action: read, object: file, id: "/{path}", role: can_read_files}
  - PUT /{path...}: {action: write, object: file, id: "/{path}", role: can_write_files}
  - DELETE /{path...}: {action: delete, object: file, id: "/{path}", role: can_delete_files}
  - MOVE, COPY /{path...}:
      role: can_write_files
      objects: [{action: read, object: file, id: "/{path}"}, {action: create, object: file, id: "header:destination"}]
  - GET /open/{path...}: {anonymous: true}
"""
FOUND_LATER: Final = ("bad-body", "bad-headers")
"""Refusals for framing that are found while a request that may pass is carried."""
MORE: Final = 0.2
"""Seconds in which a further answer on the same connection comes, if any does."""


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway with rows for every path; stan may do anything below /files and nothing elsewhere."""
    with house(tmp_path_factory.mktemp("house"), "", ROWS) as found:
        yield found


@pytest.fixture(name="scene")
def a_scene(home: House) -> Scene:
    """Where the cases are fired: as stan."""
    return Scene("/files/shows/clip.mp4", "/secret/plan.mp4", "gw.example", home.tokens["stan"])


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.id)
def test_a_known_bypass_is_closed(home: House, scene: Scene, case: Advisory) -> None:
    """Each request of a case is refused as stated, or what the backend received is what was judged and what is stated."""
    for attempt in case.tries:
        if home.backend.visits:
            home.backend.clear()
        request = attempt.request(scene)
        answers = fired(home, request, attempt)
        told = f"{case.id}: {request[:300]!r} was answered {[each.status for each in answers]}"
        if is_refused(answers, attempt):
            assert [each for each in home.backend.requests if not broke_off(each)] == [], told
            assert all(is_audited(home, each) for each in answers), told
        else:
            assert attempt.forwarded is not None, told
            assert [each.status for each in answers] == [200], told
            is_as_judged(home, answers[0], attempt.forwarded, scene)


def fired(home: House, request: bytes, attempt: Try) -> list[Answer]:
    """Sends a request over a connection of its own; returns all answers that come."""
    found: list[Answer] = []
    with home.line() as client:
        client.socket.settimeout(5)
        try:
            client.send(request)
            found.append(client.answer(bodiless=attempt.method == "HEAD"))
            if attempt.has_more:
                found.extend(further(client))
        except (EOFError, ConnectionError):
            pass
    return found


def further(client: Line) -> Iterator[Answer]:
    """Yields the answers that come behind the first one."""
    client.socket.settimeout(MORE)
    try:
        while True:
            yield client.answer()
    except (EOFError, OSError):
        return


def is_refused(answers: list[Answer], attempt: Try) -> bool:
    """Tells whether every answer is one of the refusals that the case states; a missing one is a closed connection."""
    if not answers:
        return CLOSED in attempt.refused
    return all(words(each, attempt).intersection(attempt.refused) for each in answers)


def words(answer: Answer, attempt: Try) -> set[str]:
    """Returns the ways in which a case may name a refusal."""
    if answer.status < 400:
        return set()
    reason = answer.reason if attempt.method != "HEAD" and answer.value("x-request-id") else ""
    return {str(answer.status), f"{answer.status} {reason}"}


def broke_off(received: Recorded) -> bool:
    """Tells whether a request was broken off before its end: what carries it found that its chunks have two readings."""
    return received.values(b"transfer-encoding") == [b"chunked"] and not received.body


def is_audited(home: House, answer: Answer) -> bool:
    """Tells whether the audit has the refusal and the reason behind the one that was told.

    The server's own refusals have no line, and what is found wrong with a body comes after the verdict: as a line of its own where the body was
    broken off for what it says.
    """
    if not answer.value("x-request-id"):
        return True
    line = audited(home, answer)[-1]
    if line["verdict"] == "allowed":
        return answer.reason in FOUND_LATER
    return not answer.body or answer.reason == TABLE[Reason(line["reason"])].public


def judged(home: House, answer: Answer) -> dict[str, Any]:
    """Returns the audit line of the verdict on a request."""
    return audited(home, answer)[0]


def audited(home: House, answer: Answer) -> list[dict[str, Any]]:
    """Returns the audit lines of a request: its verdict and, where its body was broken off, why."""
    lines = [json.loads(each) for each in home.gateway.audit.read_text().splitlines()]
    found = [each for each in lines if each["request_id"] == answer.value("x-request-id")]
    assert len(found) in (1, 2)
    return found


def is_as_judged(home: House, answer: Answer, wanted: Forwarded, scene: Scene) -> None:
    """Asserts that the backend got one request: the one that was judged, with and without what the case states."""
    (received,) = home.backend.requests
    line = judged(home, answer)
    target = scene.filled(wanted.target)
    head = received.head.decode("latin-1")
    lines = [each.lower() for each in head.split("\r\n")]

    assert received.line.decode("latin-1") == f"{line['method']} {target} HTTP/1.1"
    if line["objects"][0] != "read -":  # the row names no object
        name = unquote_to_bytes(target.partition("?")[0]).decode()
        assert line["objects"][0] == f"read file:{name}"
    for text in wanted.lacks:
        assert scene.filled(text).lower() not in head.lower(), head
    for text in wanted.has:
        assert lines.count(scene.filled(text).lower()) == 1, head
    assert wanted.body is None or received.body == scene.filled(wanted.body).encode("latin-1")
    assert not re.search(r"\r[^\n]|[^\r]\n", head)


def test_every_advisory_is_a_case_or_excused() -> None:
    """Each advisory that we know of stands in the corpus once, as a case or with a sentence why it needs none."""
    known = (shipped_corpus() / "advisories.txt").read_text("utf-8").split()
    held = [each for case in CORPUS for each in case.ids]
    held += [each for excuse in load_excuses(shipped_corpus()) for each in excuse.ids]

    assert sorted(held) == sorted(known)
    assert len(known) == len(set(known))


def test_what_is_excused_is_shown_elsewhere() -> None:
    """The tests that an excuse names are there."""
    named = [path for excuse in load_excuses(shipped_corpus()) for path in excuse.shown_by]

    assert [path for path in named if not (ROOT / path).is_file()] == []
