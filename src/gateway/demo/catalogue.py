"""What the asset API knows: collections, the assets in them, and where their bytes lie; kept in one JSON file.

Rules:

1. Each change is on the disk, whole, before it is answered.
2. An id is a lower-case word; a caller may choose it, and none is used twice.
3. A collection is deleted only when it is empty, so that one request never removes what another one guards.
"""

import json
import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
MAX_TITLE: Final = 200


class CatalogueError(Exception):
    """A change cannot be made.

    Attributes:
        status: the HTTP status that says so.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection; `parent_id` None stands at the top."""

    id: str
    title: str
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset in one collection; `has_media` says whether a proxy and HLS are there to play."""

    id: str
    title: str
    collection_id: str
    has_media: bool = False


class Catalogue:
    """The collections and assets in one file."""

    def __init__(self, file: Path) -> None:
        """Reads `file`; a missing one is an empty catalogue."""
        self._file = file
        read = json.loads(file.read_text("utf-8")) if file.exists() else {"collections": [], "assets": []}
        self._collections = {row["id"]: Collection(**row) for row in read["collections"]}
        self._assets = {row["id"]: Asset(**row) for row in read["assets"]}

    def collections(self, within: str | None = None) -> list[Collection]:
        """Returns the collections in the collection `within`; all if None, in the order of their titles."""
        found = [each for each in self._collections.values() if within is None or each.parent_id == within]
        return sorted(found, key=lambda each: each.title)

    def assets(self, query: str = "", within: str | None = None) -> list[Asset]:
        """Returns the assets whose title holds `query`, in the collection `within` if given, in the order of their titles."""
        wanted = query.casefold()
        found = [each for each in self._assets.values() if wanted in each.title.casefold()]
        return sorted(
            (each for each in found if within in (None, each.collection_id)), key=lambda each: each.title
        )

    def collection(self, id_: str) -> Collection:
        """Returns a collection.

        Raises:
            CatalogueError: there is none.
        """
        if id_ not in self._collections:
            raise CatalogueError(404, f"there is no collection `{id_}`")
        return self._collections[id_]

    def asset(self, id_: str) -> Asset:
        """Returns an asset.

        Raises:
            CatalogueError: there is none.
        """
        if id_ not in self._assets:
            raise CatalogueError(404, f"there is no asset `{id_}`")
        return self._assets[id_]

    def add_collection(self, title: str, parent_id: str | None = None, id_: str | None = None) -> Collection:
        """Makes a collection and returns it.

        Raises:
            CatalogueError: the title or id is not one, the id is taken, or there is no such parent.
        """
        if parent_id is not None:
            self.collection(parent_id)
        made = Collection(self._fresh(id_, self._collections), _title(title), parent_id)
        self._collections[made.id] = made
        self._save()
        return made

    def add_asset(
        self, title: str, collection_id: str, id_: str | None = None, *, has_media: bool = False
    ) -> Asset:
        """Makes an asset and returns it.

        Raises:
            CatalogueError: the title or id is not one, the id is taken, or there is no such collection.
        """
        self.collection(collection_id)
        made = Asset(self._fresh(id_, self._assets), _title(title), collection_id, has_media)
        self._assets[made.id] = made
        self._save()
        return made

    def remove_collection(self, id_: str) -> None:
        """Deletes an empty collection.

        Raises:
            CatalogueError: there is none, or something stands in it.
        """
        self.collection(id_)
        if self.collections(id_) or self.assets(within=id_):
            raise CatalogueError(409, f"the collection `{id_}` is not empty")
        del self._collections[id_]
        self._save()

    def remove_asset(self, id_: str) -> None:
        """Deletes an asset.

        Raises:
            CatalogueError: there is none.
        """
        self.asset(id_)
        del self._assets[id_]
        self._save()

    def _fresh(self, id_: str | None, taken: dict[str, Collection] | dict[str, Asset]) -> str:
        if id_ is None:
            return secrets.token_hex(16)
        if not _ID.fullmatch(id_):
            raise CatalogueError(422, f"`{id_}` is not an id: use up to 64 of a-z, 0-9 and `-`")
        if id_ in taken:
            raise CatalogueError(409, f"the id `{id_}` is taken")
        return id_

    def _save(self) -> None:
        rows = {
            "collections": [asdict(each) for each in self._collections.values()],
            "assets": [asdict(each) for each in self._assets.values()],
        }
        started = self._file.with_suffix(".part")
        started.write_text(json.dumps(rows, indent=1, ensure_ascii=False), "utf-8")
        started.replace(self._file)


def _title(title: str) -> str:
    if not title.strip() or len(title) > MAX_TITLE:
        raise CatalogueError(422, f"a title has 1 to {MAX_TITLE} characters")
    return title
