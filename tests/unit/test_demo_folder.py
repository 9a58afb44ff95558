"""Tests of gateway.demo.folder: what the demo writes, that it is private, and that a second run keeps it."""

from pathlib import Path

import pytest

from gateway.bundle import load_bundle
from gateway.demo.cast import THINGS
from gateway.demo.catalogue import Catalogue
from gateway.demo.folder import WELCOME, DemoFolder, Ports
from gateway.demo.media import Media, make_media
from gateway.settings import Settings

PORTS = Ports(gateway=18080, assets=18081, copyparty=18082)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    """The media."""
    return make_media(tmp_path_factory.mktemp("media") / "media")


@pytest.fixture
def folder(tmp_path: Path, media: Media) -> DemoFolder:
    """A folder in which everything is prepared but the store."""
    made = DemoFolder(tmp_path / "demo")
    made.make()
    made.copy_policies()
    made.fill(media)
    made.write_settings(PORTS)
    return made


def test_the_folder_and_its_secrets_are_private(folder: DemoFolder) -> None:
    """Only this user enters the folder, and only this user reads what holds secrets."""
    private = [folder.settings, folder.copyparty.settings, *folder.secret("x").parent.iterdir()]

    assert folder.path.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in private)


def test_the_settings_are_those_of_a_gateway(folder: DemoFolder) -> None:
    """The gateway takes them: four upstreams on loopback, each with a secret of its own."""
    settings = Settings.load(folder.settings, environ={}, serving=True)
    upstreams = settings.upstream_settings({})

    assert (settings.server.host, settings.server.port) == ("127.0.0.1", PORTS.gateway)
    assert settings.store.url == folder.store
    assert set(upstreams) == {"assets", "copyparty", "copyparty-inbox", "copyparty-remove"}
    assert all("127.0.0.1" in str(each.url) for each in upstreams.values())
    assert len({file.read_text("utf-8") for file in folder.secret("x").parent.iterdir()}) == len(upstreams)


def test_the_policies_load_with_the_route_maps(folder: DemoFolder) -> None:
    """The copy is a bundle whose maps name the configured upstreams."""
    settings = Settings.load(folder.settings, environ={})

    assert load_bundle(settings.policies.folder, set(settings.upstreams)).routes.rows


def test_copyparty_gets_the_secrets_that_the_gateway_sends(folder: DemoFolder) -> None:
    """Each of its upstreams' secrets stands in its settings, that of the asset API does not."""
    text = folder.copyparty.settings.read_text("utf-8")

    for name in ("copyparty", "copyparty-inbox", "copyparty-remove"):
        assert f"^{folder.secret(name).read_text('utf-8')}^" in text
    assert folder.secret("assets").read_text("utf-8") not in text


def test_the_cast_finds_its_assets_and_files(folder: DemoFolder) -> None:
    """What the lines speak of is there."""
    catalogue = Catalogue(folder.path / "assets" / "catalogue.json")
    files = {str(file.relative_to(folder.copyparty.files)) for file in folder.copyparty.files.rglob("*")}

    assert {each.id for each in catalogue.collections()} == {
        each.key.id for each in THINGS if each.key.type == "collection"
    }
    assert {each.id for each in catalogue.assets()} == {
        each.key.id for each in THINGS if each.key.type == "asset"
    }
    assert {"shows/clip.mp4", "shows/tone.mp3", "board/memo.txt", WELCOME} <= files


def test_a_second_run_keeps_what_was_changed(folder: DemoFolder, media: Media) -> None:
    """Edited policies, uploads and deletions stay; what is missing and was never changed comes back; secrets are new."""
    before = folder.secret("copyparty").read_text("utf-8")
    edited = folder.policies / "actions.polar"
    edited.write_text("# mine\n", "utf-8")
    (folder.copyparty.files / WELCOME).write_text("mine", "utf-8")
    (folder.copyparty.files / "shows/clip.mp4").unlink()
    folder.make()
    folder.copy_policies()
    folder.fill(media)
    folder.write_settings(PORTS)

    assert edited.read_text("utf-8") == "# mine\n"
    assert (folder.copyparty.files / WELCOME).read_text("utf-8") == "mine"
    assert (folder.copyparty.files / "shows/clip.mp4").exists()
    assert folder.secret("copyparty").read_text("utf-8") != before
