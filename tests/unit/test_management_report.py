"""What a worker writes of itself."""

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gateway.bundle import load_bundle
from gateway.management.report import FOLDER_VARIABLE, Report, Reporter, reporting
from gateway.settings import Settings
from gateway.worker import Worker
from gateways import prepare

TOML = '[upstreams.media]\nurl = "http://127.0.0.1:9"\n'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a folder that is ready to serve."""
    prepare(tmp_path, TOML, routes="upstream: media\nroutes:\n  - GET /open: {anonymous: true}\n").close()
    return Settings.load(tmp_path / "mediagate.toml", environ={}, serving=True)


def test_a_report_tells_of_the_worker_and_a_reload_sets_nothing_back(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the start it says no more than that the worker lives; after it all parts are there; the last one is not ready."""
    folder = tmp_path / "reports"
    folder.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    path = folder / f"{os.getpid()}.json"

    async def scenario() -> None:
        worker = Worker(settings)
        async with reporting(worker) as reporter:
            assert reporter
            await asyncio.sleep(0)
            assert read(path).policy is None
            await worker.start()
            reporter.started = True
            worker.bundle.policy.counts.walked = 5
            reporter.write()
            assert read(path).ready
            worker.bundle.policy.counts.walked = 6  # after the last beat
            worker.bundle = replace(worker.bundle, policy=load_bundle(settings.policies.folder).policy)
            worker.bundle.policy.counts.walked = 1
            reporter.write()
            assert read(path).counted.policy[0] == 7
            reporter.stopping = True
            await worker.stop()

    asyncio.run(scenario())
    last = read(path)
    assert (last.ready, last.counted.policy[0]) == (False, 7)
    assert last.facts
    assert last.policy
    assert last.counted.loads >= 1
    assert (last.pools["media"].open, last.counted.refused) == (0, {"media": 0})
    assert [each.name for each in folder.iterdir()] == [path.name]


def read(path: Path) -> Report:
    """Reads a report."""
    return msgspec.json.decode(path.read_bytes(), type=Report)


def test_nobody_reports_unasked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder for reports there is no reporter."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)

    async def scenario() -> Reporter | None:
        async with reporting(Worker(settings)) as reporter:
            return reporter

    assert asyncio.run(scenario()) is None


def test_a_report_that_cannot_be_written_harms_nobody(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The failure is logged once however often it happens, and writing goes on as soon as it can."""
    reporter = Reporter(Worker(settings), tmp_path / "gone")
    for _ in range(3):
        reporter.write()
    assert caplog.text.count("cannot be written") == 1

    (tmp_path / "gone").mkdir()
    reporter.write()
    assert json.loads(reporter.path.read_bytes())["pid"] == os.getpid()
