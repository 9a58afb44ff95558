"""The corpus of known bypasses: for each advisory the requests that it suggests, and what must happen to them.

The files stand in `tests/corpus/` and ship with the program, so that the tests and `mediagate selftest` fire the same. A file is a
list of cases:

    - ids: [CVE-2026-33494]               the advisories that the case is named after; the first one names it
      product: Oathkeeper
      because: one sentence that says what went wrong there
      tries:
        - {target: "/x/..{allowed}", refused: 400 bad-target}

A try is `raw` bytes, or compact fields that expand to them: `method` (GET), `target`, `version` (HTTP/1.1), `host` (null for
none), `signed` (whether the credential is sent; true), `headers` (a list of lines), `body`, and `then` (bytes sent behind). Each
character is one byte. In all of them `{allowed}` and the other names of `Scene.words` stand for what they are in a deployment.

What must happen is `refused`, by one of `STATUS`, `STATUS REASON` or `closed`, separated by `|`, or `forwarded` with what the
backend then received: `target`, `has` (lines), `lacks` (texts, letter case aside), `body`. Where both are given either will do.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))
"""Methods of requests that may be let through without harm (RFC 9110 9.2.1)."""
NOT_APPLICABLE: Final = "not_applicable.yaml"
"""The file of advisories that need no case."""
CLOSED: Final = "closed"
"""How a refusal is written that ends the connection without an answer."""

_TRY_KEYS: Final = frozenset(
    ("raw", "method", "target", "version", "host", "signed", "headers", "body", "then", "refused", "forwarded", "live")
)  # fmt: skip
_CASE_KEYS: Final = frozenset(("ids", "product", "because", "tries"))
_FORWARDED_KEYS: Final = frozenset(("target", "has", "lacks", "body"))
_EXCUSE_KEYS: Final = frozenset(("ids", "because", "shown_by"))
_HOST: Final = "{host}"


class CorpusError(ValueError):
    """The corpus is not written as it must be; the message says where."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where cases are fired: a path that the credential may read, one that must be refused to it, and who asks.

    Attributes:
        allowed: a percent-encoded path that answers with success.
        refused: a percent-encoded path that answers with a refusal.
        host: the `Host` that is sent.
        token: the credential.
    """

    allowed: str
    refused: str
    host: str
    token: str = field(repr=False)

    @property
    def words(self) -> Mapping[str, str]:
        """What the names in braces stand for."""
        folder, _, name = self.allowed.rpartition("/")
        refused_folder, _, refused_name = self.refused.rpartition("/")
        auth = f"Authorization: Bearer {self.token}"
        hidden = f"GET {self.allowed}?smuggled HTTP/1.1\r\nHost: {self.host}\r\n{auth}\r\n\r\n"
        return {
            "allowed": self.allowed,
            "folder": folder,
            "name": name,
            "name_coded": f"%{ord(name[0]):02X}{name[1:]}" if name else "",
            "refused": self.refused,
            "refused_folder": refused_folder or "/",
            "refused_name": refused_name,
            "refused_upper": self.refused.upper(),
            "absent": f"{self.refused}-mediagate-selftest",
            "host": self.host,
            "auth": auth,
            "token": self.token,
            "hidden": hidden,
        }

    def filled(self, text: str) -> str:
        """Returns `text` with the names in braces replaced."""
        for word, value in self.words.items():
            text = text.replace(f"{{{word}}}", value)
        return text


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What a backend must have received, as templates."""

    target: str
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Try:
    """One request of a case.

    Attributes:
        fields: how it is written.
        refused: the refusals of which one must come: `400`, `400 bad-target`, `closed`; empty if none will do.
        forwarded: what must have been received; None if it must not be forwarded.
        live: whether it may be fired at a deployment in use.
    """

    fields: Mapping[str, Any]
    refused: tuple[str, ...]
    forwarded: Forwarded | None
    live: bool

    @property
    def method(self) -> str:
        """The method as it is written; the first word of raw bytes."""
        return str(self.fields.get("method") or str(self.fields.get("raw", "GET ")).lstrip().split(" ")[0])

    @property
    def has_more(self) -> bool:
        """Whether bytes come behind the head that a server could take for another request."""
        raw = str(self.fields.get("raw", ""))
        return bool({"body", "then"} & set(self.fields) or raw.partition("\r\n\r\n")[2])

    def request(self, scene: Scene) -> bytes:
        """Returns the bytes that are sent."""
        fields = self.fields
        if "raw" in fields:
            return scene.filled(fields["raw"]).encode("latin-1")
        body = scene.filled(fields.get("body", ""))
        lines = [f"{self.method} {fields.get('target', '{allowed}')} {fields.get('version', 'HTTP/1.1')}"]
        lines += [f"Host: {fields.get('host', _HOST)}"] if fields.get("host", _HOST) is not None else []
        lines += ["{auth}"] if fields.get("signed", True) else []
        lines += fields.get("headers", [])
        head = scene.filled("\r\n".join([*lines, "", ""])).replace("{length}", str(len(body)))
        return (head + body + scene.filled(fields.get("then", ""))).encode("latin-1")


@dataclass(frozen=True, slots=True)
class Advisory:
    """A case: what an advisory, or several of one kind, suggest to try."""

    ids: tuple[str, ...]
    product: str
    because: str
    tries: tuple[Try, ...]

    @property
    def id(self) -> str:
        """The advisory that names the case."""
        return self.ids[0]


@dataclass(frozen=True, slots=True)
class Excuse:
    """Advisories that no request can show here, why, and the tests that show what they are about, if any."""

    ids: tuple[str, ...]
    because: str
    shown_by: tuple[str, ...] = ()


def load_corpus(folder: Path) -> tuple[Advisory, ...]:
    """Returns the cases of all files of a folder, in order.

    Raises:
        CorpusError: a file is not written as it must be.
        OSError: a file cannot be read.
    """
    files = sorted(path for path in folder.glob("*.yaml") if path.name != NOT_APPLICABLE)
    return tuple(_case(item, path.name) for path in files for item in _items(path))


def load_excuses(folder: Path) -> tuple[Excuse, ...]:
    """Returns the advisories that do not apply.

    Raises:
        CorpusError: the file is not written as it must be.
    """
    return tuple(_excuse(item) for item in _items(folder / NOT_APPLICABLE))


def _items(path: Path) -> Iterator[Mapping[str, Any]]:
    items = yaml.safe_load(path.read_text("utf-8"))
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise CorpusError(f"{path.name}: not a list of cases")
    yield from items


def _case(item: Mapping[str, Any], place: str) -> Advisory:
    where = f"{place}: {item.get('ids')}"
    _check_keys(item, _CASE_KEYS, where)
    tries = tuple(_try(each, where) for each in item.get("tries", ()))
    if not (item.get("ids") and item.get("product") and item.get("because") and tries):
        raise CorpusError(f"{where}: a case has ids, product, because and tries")
    return Advisory(tuple(item["ids"]), item["product"], item["because"], tries)


def _try(item: Mapping[str, Any], where: str) -> Try:
    _check_keys(item, _TRY_KEYS, where)
    refused = tuple(part.strip() for part in str(item.get("refused", "")).split("|") if part.strip())
    wrong = [each for each in refused if not re.fullmatch(rf"{CLOSED}|[45]\d\d(?: [a-z-]+)?", each)]
    if wrong:
        raise CorpusError(f"{where}: `{wrong[0]}` is no refusal")
    forwarded = _forwarded(item, where) if "forwarded" in item else None
    if not refused and forwarded is None:
        raise CorpusError(f"{where}: a try says what must happen: `refused` or `forwarded`")
    made = Try(item, refused, forwarded, live=bool(item.get("live", True)))
    if made.live and made.method not in SAFE and forwarded is not None:
        raise CorpusError(f"{where}: `{made.method}` could be let through: say `live: false`")
    return made


def _forwarded(item: Mapping[str, Any], where: str) -> Forwarded:
    said = item["forwarded"] or {}
    _check_keys(said, _FORWARDED_KEYS, where)
    target = said.get("target", item.get("target", "{allowed}"))
    return Forwarded(target, tuple(said.get("has", ())), tuple(said.get("lacks", ())), said.get("body"))


def _excuse(item: Mapping[str, Any]) -> Excuse:
    _check_keys(item, _EXCUSE_KEYS, NOT_APPLICABLE)
    if not (item.get("ids") and item.get("because")):
        raise CorpusError(f"{NOT_APPLICABLE}: an entry has ids and because")
    return Excuse(tuple(item["ids"]), item["because"], tuple(item.get("shown_by", ())))


def _check_keys(item: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    if unknown := set(item) - known:
        raise CorpusError(f"{where}: unknown key `{min(unknown)}`")
