"""Turns what the validation found into sentences, each with its place, that say what to do and repeat no value."""

from typing import Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from gateway.settings.catalogue import keys_at
from gateway.settings.reading import Keys, Written, nearest

_WHAT: Final = {
    "int": "must be a whole number",
    "string": "must be a text in quotes",
    "path": "must be a text in quotes",
    "model": "must be a table",
    "dict": "must be a table",
    "mapping": "must be a table",
    "tuple": "must be a list",
    "frozen": "must be a list",
}
_SECRETS: Final = frozenset(("secret", "password", "token", "value", "key"))


def sentence(details: ErrorDetails, written: Written, root: type[BaseModel]) -> str:
    """Returns `PLACE: KEY: what is wrong` for one of pydantic's findings."""
    keys = tuple(str(key) for key in details["loc"] if key != "[key]")
    dotted = "".join(f"[{key}]" if key.isdigit() else f".{key}" for key in keys).removeprefix(".")
    return f"{written.place(keys)}: {dotted}: {_what(details, keys, root)}"


def _what(details: ErrorDetails, keys: Keys, root: type[BaseModel]) -> str:
    kind = details["type"]
    if kind == "extra_forbidden":
        return _unknown(keys, root)
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(details["ctx"]["error"])
    if kind.endswith(("_type", "_parsing", "_from_float")):
        return _WHAT.get(kind.split("_")[0], "has the wrong type")
    return details["msg"].replace("Input should", "must").replace("'", "`")


def _unknown(keys: Keys, root: type[BaseModel]) -> str:
    if keys[-1] in _SECRETS and "credential" in keys:
        return "is not a setting: a secret does not stand here but where `secret_file` or `secret_env` says"
    return f"is not a setting{nearest(keys[-1], keys_at(root, keys[:-1]))}"
