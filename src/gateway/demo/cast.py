"""The cast: who is there, what stands in which collection or folder, and who was granted what; data and nothing else.

Names and the groups of this file are what the lines of `gateway.demo.lines` speak of. The roles and the ACL entries
are chosen so that each refusal has exactly one cause.
"""

from dataclasses import dataclass
from typing import Final

from models.records import ObjectKey, UserStatus, UserType

DOMAIN: Final = "demo"
APPLICATION: Final = "mediagate demo"


@dataclass(frozen=True, slots=True)
class Group:
    """A group, the roles it gives, and the networks its members must come from (none: from anywhere)."""

    name: str
    roles: frozenset[str]
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the demo; `part` says in a few words what the person is there to show."""

    first_name: str
    last_name: str
    part: str
    groups: tuple[Group, ...] = ()
    type: UserType = UserType.STANDARD
    status: UserStatus = UserStatus.ACTIVE
    is_admin: bool = False

    @property
    def email(self) -> str:
        """The name to sign in with; the domain of documentation, so that no mail finds anybody."""
        return f"{self.first_name.lower()}@demo.example"


@dataclass(frozen=True, slots=True)
class Thing:
    """An object, its title, and the collections that it stands in beside the folder of its path."""

    key: ObjectKey
    title: str
    within: ObjectKey | None = None
    owner: Person | None = None
    has_media: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """An ACL entry; one that `propagates` holds for the content of the object too."""

    group: Group
    permissions: tuple[str, ...]
    on: ObjectKey
    propagates: bool = True


def _collection(id_: str) -> ObjectKey:
    return ObjectKey("collection", id_)


def _asset(id_: str) -> ObjectKey:
    return ObjectKey("asset", id_)


def _folder(path: str) -> ObjectKey:
    return ObjectKey("file", path)


READING: Final = frozenset(
    ("can_read_assets", "can_read_collections", "can_read_files", "can_read_proxies", "can_search")
)
WRITING: Final = frozenset(
    ("can_create_assets", "can_create_collections", "can_write_assets", "can_write_files")
)
DELETING: Final = frozenset(("can_delete_assets", "can_delete_collections", "can_delete_files"))

STUDIO: Final = Group("Studio", READING | WRITING)
VIEWERS: Final = Group("Viewers", READING | WRITING)
"""Gives writing too: whoever is browse-only by type cannot make use of it."""
UPLOADERS: Final = Group("Uploaders", frozenset(("can_read_files", "can_write_files")))
TIDY: Final = Group("Tidy uploaders", frozenset(("can_delete_files",)))
NEWSROOM: Final = Group("Newsroom", READING, ("127.0.0.2/32",))
GROUPS: Final = (STUDIO, VIEWERS, UPLOADERS, TIDY, NEWSROOM)

ADA: Final = Person(
    "Ada", "Admin", "domain owner (admin): may do everything", type=UserType.POWER, is_admin=True
)
STAN: Final = Person("Stan", "Standard", "standard user: reads and uploads where the studio may", (STUDIO,))
BEA: Final = Person("Bea", "Browser", "browse-only: reads and downloads", (VIEWERS,), UserType.BROWSE_ONLY)
ULI: Final = Person("Uli", "Uploader", "uploader: sees only what he uploaded himself", (UPLOADERS,))
UMA: Final = Person("Uma", "Uploader", "uploader who may delete what she uploaded", (UPLOADERS, TIDY))
NELL: Final = Person("Nell", "Newsroom", "may come from 127.0.0.2 only", (NEWSROOM,))
BOB: Final = Person(
    "Bob", "Blocked", "blocked, with everything else in order", (STUDIO,), status=UserStatus.BLOCKED
)
CAST: Final = (ADA, STAN, BEA, ULI, UMA, NELL, BOB)

LIBRARY: Final = _collection("library")
SERIES: Final = _collection("series")
EPISODES: Final = _collection("episodes")
VAULT: Final = _collection("vault")
PILOT: Final = _asset("pilot")
SECRET: Final = _asset("secret")
ROOT: Final = _folder("/")
SHOWS: Final = _folder("/shows")
BOARD: Final = _folder("/board")
INBOX: Final = _folder("/inbox")

THINGS: Final = (
    Thing(LIBRARY, "Library"),
    Thing(SERIES, "Series", LIBRARY),
    Thing(EPISODES, "Episodes", SERIES),
    Thing(PILOT, "The pilot", EPISODES, has_media=True),
    Thing(VAULT, "Vault"),
    Thing(SECRET, "The unreleased ending", VAULT, has_media=True),
    Thing(ROOT, "All files"),
    Thing(SHOWS, "Shows"),
    Thing(BOARD, "Board"),
    Thing(INBOX, "Inbox"),
)
"""Collections and folders before what stands in them."""

GRANTS: Final = (
    Grant(STUDIO, ("read", "write"), LIBRARY),
    Grant(VIEWERS, ("read",), LIBRARY),
    Grant(NEWSROOM, ("read",), LIBRARY),
    Grant(STUDIO, ("read", "write"), SHOWS),
    Grant(STUDIO, ("read", "write"), INBOX),
    Grant(VIEWERS, ("read", "write"), SHOWS),
    Grant(UPLOADERS, ("write",), INBOX),
    Grant(STUDIO, ("read",), ROOT, propagates=False),
    Grant(VIEWERS, ("read",), ROOT, propagates=False),
)
"""The library's entries reach its episodes three levels down; those on `/` show the listing and nothing below it."""
