"""The services of the documented API that the gateway can answer itself, and how rows name them.

Rules:

1. A service is answered here only where the setting `services.local` names it; else its paths are a backend's, or nobody's.
2. The rows of a local service ship with the program (`local_routes/`), pass the same reader and are judged like any other row. No
   other map may state rows on the paths that it owns, and what it owns without a row is refused, whatever rows cover it.
3. A row of the kind `each` stands there once for every type of object whose ids are one segment of a path.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

Service = Literal["acls", "auth", "own", "settings", "shares", "users"]
LOCAL: Final = "local:"
"""What the name of a local service begins with where upstreams are named."""
ROUTES: Final = Path(__file__).with_name("local_routes")

TYPES: Final = {
    "assets": "asset",
    "collections": "collection",
    "custom_actions": "custom_action",
    "export_locations": "export_location",
    "groups": "group",
    "metadata_views": "metadata_view",
    "saved_searches": "saved_search",
    "storages": "storage",
    "transcoders": "transcoder",
}
"""The documented names of object types → the types of this gateway; any other type is called by its own name."""


def maps_of(service: str, types: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yields name and text of each map of a service; what stands there for each type of object comes once for each of `types`."""
    plain, each = f"{service}.yaml", f"{service}.each.yaml"
    if (ROUTES / plain).is_file():
        yield plain, (ROUTES / plain).read_text("utf-8")
    if (ROUTES / each).is_file():
        text = (ROUTES / each).read_text("utf-8")
        for kind in types:
            yield each, text.replace("OBJECTS", documented_of(kind)).replace("OBJECT", kind)


def type_of(documented: str) -> str:
    """Returns the type that the documented API calls `documented`."""
    return TYPES.get(documented, documented)


def documented_of(type_: str) -> str:
    """Returns what the documented API calls a type."""
    return _DOCUMENTED.get(type_, type_)


_DOCUMENTED: Final = {type_: documented for documented, type_ in TYPES.items()}
