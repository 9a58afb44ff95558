"""Reads what an operator wrote, a TOML file and the environment, and keeps for each key the place where it stands.

Rules:

1. The environment wins over the file, an option of the command line over both.
2. `MEDIAGATE_SERVER__PORT` is `server.port`: the prefix, then the keys in upper case, joined by two underscores.
3. A variable with the prefix and two underscores must name a setting. One without them is not ours (Kubernetes sets
   `MEDIAGATE_SERVICE_HOST` and the like for a service of that name), unless it is a setting of ours spelled with one
   underscore too few.
4. A sentence about a mistake never repeats the value: it may be a secret in the wrong place.

What the keys mean, and which values are good, is `gateway.settings`.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.errors import SettingsError

PREFIX: Final = "MEDIAGATE_"
CONFIG_VARIABLE: Final = "MEDIAGATE_CONFIG"
DEFAULT_FILE: Final = "mediagate.toml"

Keys = tuple[str, ...]

_TABLE: Final = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?")
_ENTRY: Final = re.compile(
    r"\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*="
)
_KEY: Final = re.compile(r"\"([^\"]*)\"|'([^']*)'|([A-Za-z0-9_-]+)")
_TOML_PLACE: Final = re.compile(r" \(at line ([0-9]+), column [0-9]+\)$")


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, merged by rule 1.

    Attributes:
        values: nested as in TOML; texts where they come from the environment.
        places: keys → `mediagate.toml:12`, the variable's name, or the option's.
        source: what to name where a key stands nowhere.
        folder: what relative paths are relative to.
    """

    values: Mapping[str, Any]
    places: Mapping[Keys, str]
    source: str
    folder: Path

    def place(self, keys: Keys) -> str:
        """Returns where `keys` stands, else the nearest place around or below it."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.places:
                return self.places[keys[:length]]
        below = (place for other, place in self.places.items() if keys and other[: len(keys)] == keys)
        return next(below, self.source)


def chosen_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Returns the TOML file to read: the one asked for, else `MEDIAGATE_CONFIG`, else `mediagate.toml` here if it exists."""
    if path is not None:
        return path
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE])
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).exists() else None


def read_written(
    file: Path | None, environ: Mapping[str, str], options: Mapping[Keys, tuple[str, Any]]
) -> Written:
    """Reads and merges file, environment and options.

    Args:
        file: the TOML file, None for none.
        environ: the environment.
        options: keys → the option's name and its value.

    Raises:
        SettingsError: the file cannot be read or is not TOML.
    """
    values: dict[str, Any] = {}
    places: dict[Keys, str] = {}
    if file is not None:
        text = _text(file)
        values = _parsed(file, text)
        places = {keys: f"{file}:{line}" for keys, line in _key_lines(text)}
    for keys, name, value in (*_variables(environ), *((keys, *given) for keys, given in options.items())):
        _put(values, keys, value)
        places[keys] = name
    return Written(
        values,
        places,
        source=str(file) if file else "settings",
        folder=file.absolute().parent if file else Path.cwd(),
    )


def misspelled_variables(environ: Mapping[str, str], names: Iterable[str]) -> list[str]:
    """Returns a sentence for each variable that is one of `names` with one underscore too few (rule 3)."""
    meant = {name.replace("__", "_"): name for name in names}
    # A Kubernetes service called `mediagate-server` makes MEDIAGATE_SERVER_PORT=tcp://...; that is not an operator's mistake.
    wrong = (name for name in environ if name in meant and not environ[name].startswith("tcp://"))
    return [f"{name}: is not a setting: write `{meant[name]}`" for name in sorted(wrong)]


def nearest(name: str, known: Iterable[str], at_most: int = 20) -> str:
    """Returns a clause that names what was probably meant, else what there is if that is not more than `at_most`."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known are {', '.join(f'`{other}`' for other in names)}" if 0 < len(names) <= at_most else ""


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            [f"{file}: does not exist: write it with `mediagate init`, or name another with --config"]
        ) from None
    except OSError as error:
        raise SettingsError([f"{file}: cannot be read: {(error.strerror or 'error').lower()}"]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([f"{file}: is not UTF-8 (byte {error.start})"]) from error


def _parsed(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        at = _TOML_PLACE.search(said)
        line = int(at[1]) if at else len(text.splitlines())
        what = said[: at.start()] if at else said.removesuffix(" (at end of document)")
        raise SettingsError([f"{file}:{line}: is not TOML: {what[:1].lower()}{what[1:]}"]) from error


def _key_lines(text: str) -> Iterator[tuple[Keys, int]]:
    """Yields the keys that stand in a TOML text with their lines; keys of inline tables are not looked for."""
    table: Keys = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.fullmatch(line):
            table = _keys(header[1])
            yield table, number
        elif entry := _ENTRY.match(line):
            yield table + _keys(entry[1]), number


def _keys(dotted: str) -> Keys:
    return tuple("".join(parts) for parts in _KEY.findall(dotted))


def _variables(environ: Mapping[str, str]) -> Iterator[tuple[Keys, str, str]]:
    for name in sorted(environ):
        if name.startswith(PREFIX) and "__" in name.removeprefix(PREFIX):
            yield tuple(name.removeprefix(PREFIX).lower().split("__")), name, environ[name]


def _put(values: dict[str, Any], keys: Keys, value: object) -> None:
    """Sets a nested value; where the file has no table, it is left as it is, so that its mistake is reported."""
    *path, last = keys
    for key in path:
        below = values.setdefault(key, {})
        if not isinstance(below, dict):
            return
        values = below
    values[last] = value
