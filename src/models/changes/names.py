"""The forms of names: ids, e-mails, types, roles, paths; what has another form is refused, never repaired.

Rules:

1. Ids are compared bytewise, so two that look alike are two. They hold no control characters (log lines, headers).
2. A path id has one spelling: `/a/b`, without empty, `.` or `..` segments and without a slash at the end.
3. An e-mail is compared in lower case, and kept so. One with letters that have a plainer form (full-width ones, an
   accent of its own) is refused: it would be a second user who looks like the first.
4. Two names in one place that differ only in letter case, in the form of letters or in what nobody sees are one for people: the second is
   refused.
5. A link is followed by browsers: it leads to a web address or to a path of the same host.
"""

import json
import unicodedata
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from models.changes.errors import InvalidError
from models.columns import is_storable
from models.records import WORD_FORM, ObjectKey, is_word

MAX_ID_BYTES = 1_024
"""Bytes of an id in UTF-8; two of them and their types fit into one index row of PostgreSQL."""

MAX_TEXT = 4_096
"""Characters of a name, title, description, link or note."""

MAX_EMAIL = 254
"""Characters of an e-mail (RFC 5321, 4.5.3.1.3)."""

MAX_DOCUMENT = 65_536
"""Characters of a document such as a user's settings, written as JSON."""

Choice = TypeVar("Choice", bound=StrEnum)

_SHOWN = 64


def new_id() -> str:
    """Returns an id that nobody else has."""
    return str(uuid4())


def checked_id(text: str, what: str) -> str:
    """Returns `text` if it may be the id of a `what` (rule 1)."""
    if not text:
        raise InvalidError(f"the id of a {what} is empty")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidError(f"the id of a {what} is not valid Unicode") from None
    if size > MAX_ID_BYTES:
        raise InvalidError(f"the id of a {what} has {size} bytes, at most {MAX_ID_BYTES} are allowed")
    if has_control(text):
        raise InvalidError(f"the id {shown(text)} of a {what} holds a control character")
    return text


def checked_key(key: ObjectKey) -> ObjectKey:
    """Returns `key` if its type and id are well formed, for a path in its one spelling (rule 2)."""
    checked_word(key.type, "object type")
    checked_id(key.id, key.type)
    if key.id.startswith("/") and key.id != "/":
        segments = key.id[1:].split("/")
        if not {"", ".", ".."}.isdisjoint(segments):
            raise InvalidError(
                f"the path {shown(key.id)} has an empty, `.` or `..` segment: write it as `/a/b`"
            )
    return key


def checked_word(text: str, what: str) -> str:
    """Returns `text` if it may be an object type or role."""
    if not is_word(text):
        raise InvalidError(f"{shown(text)} is no {what}: {WORD_FORM}")
    return text


def checked_name(text: str, what: str) -> str:
    """Returns `text` if it may be the name of a `what`: something to read on one line."""
    if not text.strip():
        raise InvalidError(f"the name of a {what} is empty")
    return checked_text(text, what)


def plain_form(name: str) -> str:
    """Returns what two names have in common that look alike (rule 4)."""
    seen = "".join(
        char for char in name if unicodedata.category(char) != "Cf"
    )  # joiners and marks of direction show nothing
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold()).strip()


def checked_text(text: str, what: str) -> str:
    """Returns `text` if it may be kept as text about a `what`; it may be empty and have several lines."""
    if len(text) > MAX_TEXT:
        raise InvalidError(
            f"a text of this {what} has {len(text)} characters, at most {MAX_TEXT} are allowed"
        )
    if has_control(text.replace("\n", " ").replace("\t", " ")):
        raise InvalidError(f"{shown(text)} of a {what} holds a control character")
    return text


def checked_email(text: str) -> str:
    """Returns `text` in lower case if it may be an e-mail address (rule 3)."""
    name, at, host = text.partition("@")
    if not (name and at and host) or "@" in host or len(text) > MAX_EMAIL:
        raise InvalidError(f"{shown(text)} is not an e-mail address: write NAME@HOST")
    if any(char.isspace() for char in text) or has_control(text):
        raise InvalidError(f"the e-mail address {shown(text)} holds a space or control character")
    plain = unicodedata.normalize("NFKC", text)
    if plain != text:
        raise InvalidError(f"the e-mail address {shown(text)} has look-alike letters: write {shown(plain)}")
    return text.lower()


def checked_link(text: str, what: str) -> str:
    """Returns `text` if it may be a link about a `what` (rule 5); it may be empty."""
    checked_text(text, what)
    is_path = text.startswith("/") and not text.startswith(("//", "/\\"))
    if not text or (text.isprintable() and " " not in text and (is_path or _is_web_address(text))):
        return text
    raise InvalidError(f"{shown(text)} is no link of a {what}: write https://HOST/PATH, or /PATH")


def checked_document(values: object, what: str) -> dict[str, Any]:
    """Returns `values` if they may be kept as JSON called `what`: an object of bounded size with texts as names."""
    if not isinstance(values, dict):
        raise InvalidError(f"the {what} are no JSON object: write them as `{{...}}`")
    try:
        text = json.dumps(values, allow_nan=False, ensure_ascii=False)
        returns = json.loads(text) == values and is_storable(text)
    except (TypeError, ValueError, RecursionError):
        raise InvalidError(f"the {what} cannot be written as JSON: use texts, numbers and lists") from None
    if len(text) > MAX_DOCUMENT:
        raise InvalidError(f"the {what} are larger than {MAX_DOCUMENT} characters of JSON")
    if not returns:
        raise InvalidError(f"the {what} would not come back from JSON as they are: use texts as names")
    return values


def checked_choice(value: str, words: type[Choice], what: str) -> Choice:
    """Returns the member of the enum `words` that `value` names."""
    try:
        return words(value)
    except ValueError:
        raise InvalidError(f"{shown(value)} is no {what}: use one of {', '.join(words)}") from None


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("https", "http") and bool(parts.hostname) and "\\" not in text


def has_control(text: str) -> bool:
    """Tells whether a character is a control character, a line separator or half a surrogate pair."""
    return any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text)


def shown(text: str) -> str:
    """Returns `text` as a message may show it: in back-ticks, short, without control characters."""
    clean = "".join("?" if has_control(char) else char for char in text[:_SHOWN])
    return f"`{clean}{'...' if len(text) > _SHOWN else ''}`"
