"""The check: runs the very lines that the demo prints, with the real `curl`, and compares what each answers.

Rules:

1. What runs is the printed text, taken apart as a shell would, so that a line that cannot be pasted fails here.
2. A line agrees if status, reason and the text that it promises are all there.
3. What lines left behind before is deleted first; so a check may be repeated.
"""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.demo.cast import ADA, Person
from gateway.demo.lines import HEAD_ONLY, LEFTOVERS, LINES, Key, Line, printed

_STATUS: Final = re.compile(r"HTTP/[\d.]+ (\d{3})")
_TIME_LIMIT: Final = 30


@dataclass(frozen=True, slots=True)
class Result:
    """What one line answered.

    Attributes:
        line: the line.
        command: the text that ran.
        seen: status and reason, or what curl said if nothing answered.
        answer: all that was shown.
    """

    line: Line
    command: str
    seen: str
    answer: str

    @property
    def agrees(self) -> bool:
        """Whether all that was expected came (rule 2)."""
        return self.seen == self.line.expected and self.line.contains in self.answer


def has_curl() -> bool:
    """Tells whether `curl` is on this machine."""
    return shutil.which("curl") is not None


def run_lines(
    url: str, keys: Mapping[Person, Key], go_on: Callable[[], None], lines: Sequence[Line] = LINES
) -> Iterator[Result]:
    """Runs the lines in order and yields what each answered; `go_on` is called before each and may raise."""
    for path in LEFTOVERS:
        go_on()
        _run(printed(Line(ADA, "", path, 0, options=("-X", "DELETE"), output=HEAD_ONLY), url, keys))
    for line in lines:
        go_on()
        command = printed(line, url, keys)
        yield result(line, command, *_run(command))


def result(line: Line, command: str, answer: str, complaint: str) -> Result:
    """Returns what `answer` means; `complaint` is what curl said besides."""
    head, body = _last_answer(answer)
    status = _STATUS.match(head)
    if status is None:
        return Result(line, command, complaint.strip() or "no answer", answer)
    reason = _reason(body) if line.reason else ""
    return Result(line, command, " ".join(part for part in (status[1], reason) if part), answer)


def document(results: Sequence[Result]) -> dict[str, Any]:
    """Returns the results as one JSON document; the commands with their tokens stay out of it."""
    rows = [
        {
            "who": _name(each.line),
            "shows": each.line.shows,
            "path": each.line.path,
            "expected": each.line.expected,
            "seen": each.seen,
            "agrees": each.agrees,
        }
        for each in results
    ]
    return {"agree": all(each.agrees for each in results), "lines": rows}


def row(number: int, each: Result) -> str:
    """Returns a line's row of the table: expected and seen side by side."""
    verdict = "agrees" if each.agrees else "DIFFERS"
    return f"{number:>2}  {_name(each.line):<7} {each.line.shows:<52} {each.line.expected:<22} {each.seen:<22} {verdict}".rstrip()


HEADING: Final = f"{'':>2}  {'WHO':<7} {'WHAT':<52} {'EXPECTED':<22} {'SEEN':<22}"


def summary(results: Sequence[Result]) -> str:
    """Returns the lines that differ, each with its command, what it promised and what came; then the count."""
    different = [(number, each) for number, each in enumerate(results, 1) if not each.agrees]
    told = [_difference(number, each) for number, each in different]
    return "\n\n".join(
        ["", *told, f"{len(results) - len(different)} of {len(results)} lines agree"]
    ).removeprefix("\n")


def _difference(number: int, each: Result) -> str:
    promised = f" with `{each.line.contains}`" if each.line.contains else ""
    shown = "\n".join(f"    {text}" for text in each.answer[:2000].splitlines()[:30])
    return f"line {number}: expected {each.line.expected}{promised}\n  {each.command}\n{shown}"


def _run(command: str) -> tuple[str, str]:
    try:
        done = subprocess.run(  # noqa: S603 - the lines are ours
            shlex.split(command),
            capture_output=True,
            timeout=_TIME_LIMIT,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return "", f"no answer within {_TIME_LIMIT} s"
    return done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def _last_answer(text: str) -> tuple[str, str]:
    """Returns head and body of the final answer; interim ones (1xx) stand before it."""
    head, _, body = text.partition("\r\n\r\n")
    while head.startswith("HTTP/") and head[9:10] == "1" and _STATUS.match(body):
        head, _, body = body.partition("\r\n\r\n")
    return head, body


def _reason(body: str) -> str:
    try:
        read = json.loads(body)
    except ValueError:
        return ""
    return str(read.get("reason", "")) if isinstance(read, dict) else ""


def _name(line: Line) -> str:
    return line.who.first_name if line.who else "nobody"
