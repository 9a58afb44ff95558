"""Everything that the demo writes, in one folder: made once, kept between runs, thrown away by deleting the folder.

Secrets are made anew at each start; only the services and the gateway read them, each its own.
"""

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.demo import copyparty
from gateway.demo.asset_api import SECRET_HEADER
from gateway.demo.cast import THINGS, Thing
from gateway.demo.catalogue import Catalogue
from gateway.demo.media import Media
from gateway.shipped import shipped_policies

_ROUTES: Final = Path(__file__).with_name("routes")
WELCOME: Final = "inbox/welcome.txt"
"""A file in the inbox that belongs to the admin."""
_TEXTS: Final = {
    WELCOME: "Put your uploads here.\n",
    "board/memo.txt": "For the board only.\n",
    "shows/read-me-first.txt": "Shows of this season.\n",
}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the services and the gateway listen, all on loopback."""

    gateway: int
    assets: int
    copyparty: int


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """The demo's folder and what stands where in it."""

    path: Path

    @property
    def store(self) -> str:
        """The URL of the embedded store."""
        return f"sqlite:///{self.path / 'mediagate.db'}"

    @property
    def settings(self) -> Path:
        """The gateway's TOML file."""
        return self.path / "mediagate.toml"

    @property
    def policies(self) -> Path:
        """A copy of the shipped policies with the route maps of the two services, free to be edited."""
        return self.path / "policies"

    @property
    def media(self) -> Path:
        """The media that ffmpeg made."""
        return self.path / "media"

    @property
    def running(self) -> Path:
        """Says where the demo runs, as long as it does."""
        return self.path / "running.json"

    @property
    def lock(self) -> Path:
        """Locked as long as a demo runs."""
        return self.path / "lock"

    @property
    def copyparty(self) -> copyparty.Places:
        """Where copyparty keeps what."""
        return copyparty.Places(files=self.path / "files", state=self.path / "copyparty")

    def log(self, name: str) -> Path:
        """Returns the file that holds what the process `name` says."""
        return self.path / "log" / f"{name}.log"

    def secret(self, name: str) -> Path:
        """Returns the file that holds the secret for the upstream `name`."""
        return self.path / "secrets" / name

    def make(self) -> None:
        """Makes the folder, private to this user, and what the services expect to find."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (
            "log",
            "secrets",
            "assets/originals",
            "files/inbox",
            "files/shows",
            "files/board",
            "copyparty/hist",
        ):
            (self.path / name).mkdir(parents=True, exist_ok=True)

    def copy_policies(self) -> None:
        """Copies the policies and route maps that are not there yet; an edited one stays as it is."""
        for source, target in ((shipped_policies(), self.policies), (_ROUTES, self.policies / "routes")):
            shutil.copytree(source, target, dirs_exist_ok=True, copy_function=_copy_missing)

    def fill(self, media: Media) -> None:
        """Puts the films, texts, assets and collections of the cast in place, those that are missing."""
        files = self.copyparty.files
        for source, name in (
            (media.clip, "clip.mp4"),
            (media.tone, "tone.mp3"),
            (media.poster, "poster.jpg"),
        ):
            _copy_missing(str(source), str(files / "shows" / name))
        for name, text in _TEXTS.items():
            if not (files / name).exists():
                (files / name).write_text(text, "utf-8")
        catalogue = Catalogue(self.path / "assets" / "catalogue.json")
        known = {each.id for each in catalogue.collections()} | {each.id for each in catalogue.assets()}
        for thing in THINGS:
            if thing.key.id not in known:
                _add(catalogue, thing)

    def write_settings(self, ports: Ports) -> None:
        """Writes the settings of the gateway and of copyparty, with fresh secrets."""
        upstreams = {"assets": (ports.assets, SECRET_HEADER)}
        upstreams |= dict.fromkeys(copyparty.UPSTREAMS.values(), (ports.copyparty, copyparty.HEADER))
        for name in upstreams:
            _write_private(self.secret(name), secrets.token_urlsafe(32))
        keys = {
            account: self.secret(name).read_text("utf-8") for account, name in copyparty.UPSTREAMS.items()
        }
        _write_private(
            self.copyparty.settings, copyparty.settings_text(self.copyparty, ports.copyparty, keys)
        )
        _write_private(self.settings, _settings_text(ports.gateway, upstreams))


def _settings_text(port: int, upstreams: Mapping[str, tuple[int, str]]) -> str:
    head = (
        "# The demo's gateway; written anew at each start of `mediagate demo`.\n\n"
        f'[server]\nhost = "127.0.0.1"\nport = {port}\n\n'
        "[management]\nport = 0\n\n"
        '[store]\nurl = "sqlite:///mediagate.db"\n\n'
        '[policies]\nfolder = "policies"\n\n'
        '[audit]\npath = "log/audit.jsonl"\n'
    )
    return head + "".join(
        f'\n[upstreams.{name}]\nurl = "http://127.0.0.1:{backend}"\n'
        f'credential = {{ kind = "header", name = "{header}", secret_file = "secrets/{name}" }}\n'
        for name, (backend, header) in upstreams.items()
    )


def _add(catalogue: Catalogue, thing: Thing) -> None:
    within = thing.within.id if thing.within else None
    if thing.key.type == "collection":
        catalogue.add_collection(thing.title, within, thing.key.id)
    elif thing.key.type == "asset" and within is not None:
        catalogue.add_asset(thing.title, within, thing.key.id, has_media=thing.has_media)


def _copy_missing(source: str, target: str) -> None:
    if not Path(target).exists():
        shutil.copyfile(source, target)


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
