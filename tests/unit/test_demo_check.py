"""Tests of gateway.demo.check: what an answer means, what agrees, and what is told of what does not."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gateway.demo.cast import CAST, STAN
from gateway.demo.check import HEADING, Result, document, result, row, run_lines, summary
from gateway.demo.lines import LEFTOVERS, Key, Line
from gateway.demo.processes import free_port
from gateway.reasons import Reason

KEYS = {each: Key("the-app", f"mg_{each.first_name}") for each in CAST}
REFUSAL = (
    'HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\n\r\n{"errors": ["no"], "reason": "no-grant"}'
)
REFUSED = Line(STAN, "shows", "/a", 403, Reason.NO_GRANT)


def go_on() -> None:
    """Does not stop the check."""


def seen(line: Line, answer: str, complaint: str = "") -> Result:
    """Returns what an answer to a line means."""
    return result(line, "curl", answer, complaint)


def test_status_and_reason_agree() -> None:
    """A refusal agrees if both its status and its reason do."""
    assert seen(REFUSED, REFUSAL).agrees
    assert seen(REFUSED, REFUSAL).seen == "403 no-grant"


@pytest.mark.parametrize(
    "answer",
    [
        REFUSAL.replace("403", "404"),
        REFUSAL.replace("no-grant", "role"),
        REFUSAL.replace("{", "<"),
        REFUSAL.replace('{"errors": ["no"], "reason": "no-grant"}', "[]"),
        REFUSAL.partition("{")[0],
        "HTTP/1.1 200 OK\r\n\r\n",
        "",
    ],
)
def test_anything_else_differs(answer: str) -> None:
    """Another status, another reason, none, or no answer is a difference."""
    assert not seen(REFUSED, answer).agrees


def test_a_promised_text_must_come() -> None:
    """A line that promises a text differs without it."""
    line = Line(STAN, "shows", "/a", 200, contains="The pilot")

    assert seen(line, "HTTP/1.1 200 OK\r\n\r\nThe pilot").agrees
    assert not seen(line, "HTTP/1.1 200 OK\r\n\r\nsomething else").agrees


def test_the_final_answer_counts() -> None:
    """An interim answer is passed over, however many there are."""
    line = Line(STAN, "shows", "/a", 201)

    assert seen(
        line, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n\r\nHTTP/1.1 201 Created\r\na: b\r\n\r\n"
    ).agrees


def test_a_body_is_not_taken_for_a_head() -> None:
    """What looks like an answer within a body is none."""
    line = Line(STAN, "shows", "/a", 200)

    assert seen(line, "HTTP/1.1 403 Forbidden\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").seen == "403"


def test_what_curl_said_is_seen_where_nothing_answered() -> None:
    """Without an answer the complaint stands in its place."""
    assert seen(REFUSED, "", "curl: (7) Failed to connect\n").seen == "curl: (7) Failed to connect"


def test_expected_and_seen_stand_side_by_side() -> None:
    """A row names who, what, expected, seen and the verdict, under their headings."""
    good, bad = row(1, seen(REFUSED, REFUSAL)), row(2, seen(REFUSED, ""))

    assert good.split() == ["1", "Stan", "shows", "403", "no-grant", "403", "no-grant", "agrees"]
    assert bad.endswith("DIFFERS")
    assert HEADING.index("SEEN") == good.rindex("403")


def test_a_difference_is_told_with_its_command() -> None:
    """The summary has what to paste to see it again; without differences it is the count alone."""
    good, bad = seen(REFUSED, REFUSAL), seen(REFUSED, "HTTP/1.1 500 Oops\r\n\r\n")

    assert summary([good]).strip() == "1 of 1 lines agree"
    assert "line 2: expected 403 no-grant\n  curl\n    HTTP/1.1 500 Oops" in summary([good, bad])
    assert summary([good, bad]).endswith("1 of 2 lines agree")


def test_the_document_holds_no_command() -> None:
    """Tokens stand in commands, so these stay out of what may be kept."""
    told = document([seen(REFUSED, REFUSAL)])

    assert told["agree"]
    assert "curl" not in str(told)


class Recorder(BaseHTTPRequestHandler):
    """Answers everything with 200 and keeps what was asked."""

    asked: list[tuple[str, str, str]]

    def _answer(self) -> None:
        self.asked.append((self.command, self.path, str(self.headers["authorization"])))
        self.send_response(200)
        self.end_headers()

    do_GET = do_DELETE = _answer  # noqa: N815 - the library's names

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """A server and what it was asked."""
    Recorder.asked = []
    running = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}", Recorder.asked
    running.shutdown()
    thread.join()
    running.server_close()


def test_the_lines_really_run(server: tuple[str, list[tuple[str, str, str]]]) -> None:
    """What lines left before is deleted, then each line runs as printed, in order."""
    url, asked = server
    lines = (Line(STAN, "", "/a?b=c%20d", 200), Line(None, "", "/e", 401))

    results = list(run_lines(url, KEYS, go_on, lines))

    assert [each.agrees for each in results] == [True, False]
    assert [path for method, path, _ in asked if method == "DELETE"] == list(LEFTOVERS)
    assert asked[-2:] == [("GET", "/a?b=c%20d", "Bearer mg_Stan"), ("GET", "/e", "None")]


def test_a_gateway_that_is_gone_is_seen() -> None:
    """Nothing that answers is a difference, not an error."""
    lines = (Line(STAN, "", "/a", 200),)
    results = list(run_lines(f"http://127.0.0.1:{free_port()}", KEYS, go_on, lines))

    assert "curl: (7)" in results[0].seen


def test_a_check_may_be_stopped() -> None:
    """What `go_on` raises ends the check before the next line."""

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(run_lines("http://127.0.0.1:1", KEYS, stop))
