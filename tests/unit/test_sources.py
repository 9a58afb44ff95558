"""Tests of gateway.sources: what stands in the store is a reading like that of a folder, and its news comes by the bell."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import update

from gateway.bundle import digest_of
from gateway.errors import ConfigurationError
from gateway.folder import Reading, read_once
from gateway.reload import Gate, problems_with
from gateway.settings import Settings
from gateway.sources import StoreSource
from models.changes import publish_policies
from models.store import Store
from models.tables import PolicyFile
from policy_folders import MORE, policies_in
from stores import behind, change


def publish(store: Store, files: dict[str, bytes]) -> str:
    """Publishes files under their digest, whatever they say."""
    digest = digest_of(files)
    with change(store) as session:
        publish_policies(session, digest, files, author="ada", keep=9)
    return digest


def settings_for_store(folder: Path, **given: object) -> Settings:
    """Returns settings of a gateway whose policies stand in the store."""
    policies = {"source": "store", "state": folder / "state", "poll_interval": 0.05, **given}
    upstreams = {"media": {"url": "http://127.0.0.1:9"}}
    return Settings.model_validate({"policies": policies, "upstreams": upstreams})


@pytest.fixture(name="files")
def good_files(tmp_path: Path) -> dict[str, bytes]:
    """The files of a good bundle."""
    return dict(read_once(policies_in(tmp_path)).files)


def test_what_is_published_is_read_with_its_digest(store: Store) -> None:
    """An empty store says what to do; then the latest publication is the reading."""
    source = StoreSource(store, 9)
    assert "mediagate policy publish" in source.now().problems[0]

    for text in (b"one", b"two"):
        files = {"a.polar": text}
        assert source.now() != Reading(digest_of(files), files)
        publish(store, files)
        assert source.settled(threading.Event()) == Reading(digest_of(files), files)


def test_bytes_that_do_not_give_their_digest_are_not_used(store: Store, url: str) -> None:
    """Damage in the store is a problem; publishing again mends it."""
    files = {"a.polar": b"one"}
    digest = publish(store, files)
    with behind(url) as connection:
        connection.execute(update(PolicyFile).values(content=b"permit everything"))
    source = StoreSource(store, 9)

    assert source.now().problems == (f"the stored files of `{digest}` are damaged: publish the bundle again",)
    publish(store, files)
    assert source.now().files == files


def test_a_commit_wakes_and_so_does_time(sqlite_store: Store) -> None:
    """The bell wakes at once where looking alone would take an hour; without it, looking is enough."""
    stop = threading.Event()

    def woken(source: StoreSource) -> threading.Event:
        second = threading.Event()

        def follow() -> None:
            wakings = source.wakings(stop)
            next(wakings)
            next(wakings, None)
            second.set()

        threading.Thread(target=follow, daemon=True).start()
        return second

    by_bell = woken(StoreSource(sqlite_store, 3600))
    assert not by_bell.wait(0.3)
    publish(sqlite_store, {"a.polar": b"one"})
    assert by_bell.wait(10)
    by_time = woken(StoreSource(sqlite_store, 0.05))
    assert by_time.wait(10)
    stop.set()
    assert list(StoreSource(sqlite_store, 1).wakings(stop)) == []


def test_a_gate_over_the_store_follows_the_rules_of_a_folder(
    sqlite_store: Store, tmp_path: Path, files: dict[str, bytes]
) -> None:
    """The published bundle is tried, recorded and loaded; a broken one leaves the last good; on a fresh machine nothing starts."""
    gate = Gate(settings_for_store(tmp_path), sqlite_store)
    with pytest.raises(ConfigurationError, match="mediagate policy publish"):
        gate.opening()
    digest = publish(sqlite_store, files)
    assert gate.opening().bundle.digest == digest
    broken = publish(sqlite_store, {**files, "gates.polar": b"gate("})

    opening = Gate(settings_for_store(tmp_path), sqlite_store).opening()
    assert opening.bundle.digest == digest
    assert opening.refused is not None
    assert (opening.refused.digest, "gates" in opening.refused.problems[0]) == (broken, True)
    with pytest.raises(ConfigurationError, match="gates"):
        Gate(settings_for_store(tmp_path, state=tmp_path / "other"), sqlite_store).opening()


def test_a_trial_outside_a_gateway_records_nothing(tmp_path: Path, files: dict[str, bytes]) -> None:
    """What is to be published is tried under the same settings, without a state folder."""
    settings = settings_for_store(tmp_path)
    other = {**files, "routes/test.yaml": MORE.replace("media", "nowhere").encode()}

    assert problems_with(settings, Reading(digest_of(files), files)) == []
    assert "routes/test.yaml:1: " in problems_with(settings, Reading(digest_of(other), other))[0]
    assert problems_with(settings, Reading(problems=("gone",))) == ["gone"]
    assert not (tmp_path / "state").exists()
