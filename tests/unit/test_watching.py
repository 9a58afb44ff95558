"""Tests of gateway.watching: saves are noticed by notifications and by looking, and taken over on the loop, in order."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from gateway.bundle import Bundle
from gateway.folder import Reading
from gateway.reload import Gate
from gateway.watching import Watcher
from models.store import StoreUnavailableError
from policy_folders import MORE, ROUTES, policies_in, settings_for


class Worker:
    """Takes bundles over as a worker does."""

    def __init__(self, policies: Path, **given: object) -> None:
        """Takes the folder to follow."""
        self.gate = Gate(settings_for(policies, **given))
        self.bundles: list[Bundle] = []
        self.failing = False

    async def adopt(self, bundle: Bundle) -> None:
        """Makes a bundle decide."""
        if self.failing:
            raise RuntimeError("no")
        self.bundles.append(bundle)

    async def __aenter__(self) -> Self:
        """Starts following."""
        opening = await asyncio.to_thread(self.gate.opening)
        self.watcher = Watcher(self.gate, opening, self.adopt)
        self.watcher.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stops following."""
        await self.watcher.stop()

    @property
    def state(self) -> dict[str, Any]:
        """What readiness tells."""
        return dict(self.watcher.state)


async def until(condition: Callable[[], object]) -> None:
    """Waits until something holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - another thread brings it about
            await asyncio.sleep(0.02)


@pytest.fixture(name="policies")
def good_policies(tmp_path: Path) -> Path:
    """A good policies folder."""
    return policies_in(tmp_path)


@pytest.mark.parametrize("given", [{"poll_interval": 60}, {"watch": "poll"}], ids=["notified", "looking"])
def test_a_save_is_taken_over(policies: Path, given: dict[str, object]) -> None:
    """Notifications alone are enough, and so is looking alone."""

    async def scene() -> None:
        async with Worker(policies, **given) as worker:
            await asyncio.sleep(0.3)
            (policies / "routes" / "test.yaml").write_text(MORE)
            await until(lambda: worker.bundles)
            await until(lambda: worker.state["live"] == worker.bundles[0].digest)
            assert len(worker.bundles[0].routes.rows) == 2
            assert (worker.state["refused"], worker.state["loads"]) == (None, 1)

    asyncio.run(scene())


def test_a_refused_save_is_told_and_taken_back(policies: Path) -> None:
    """What is refused reaches nobody; going back to what is live clears it without loading anything."""

    async def scene() -> None:
        async with Worker(policies) as worker:
            live = worker.state["live"]
            (policies / "routes" / "test.yaml").write_text("routes: [")
            await until(lambda: worker.state["refused"])
            assert "test.yaml" in worker.state["refused"]["problems"][0]
            (policies / "routes" / "test.yaml").write_text(ROUTES)
            await until(lambda: not worker.state["refused"])
            assert (worker.state["live"], worker.state["refusals"], worker.bundles) == (live, 1, [])

    asyncio.run(scene())


def test_a_folder_that_goes_and_comes_is_followed(policies: Path) -> None:
    """Deleting the folder is a refusal; one made anew is watched."""

    async def scene() -> None:
        async with Worker(policies) as worker:
            shutil.rmtree(policies)
            await until(lambda: worker.state["refused"])
            assert "no such folder" in worker.state["refused"]["problems"][0]
            policies_in(policies.parent)
            await until(lambda: not worker.state["refused"])
            (policies / "routes" / "test.yaml").write_text(MORE)
            await until(lambda: worker.bundles)

    asyncio.run(scene())


def test_notifications_that_fail_leave_looking(policies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no more watches to give, saves are still found."""

    def no_more(*_args: object, **_options: object) -> None:
        raise OSError("no space left on device")

    async def scene() -> None:
        async with Worker(policies) as worker:
            (policies / "routes" / "test.yaml").write_text(MORE)
            await until(lambda: worker.bundles)

    monkeypatch.setattr("gateway.sources.watch", no_more)
    asyncio.run(scene())


def test_a_source_that_does_not_answer_is_asked_again(
    policies: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that is out of reach for a while is no refusal of anything; what it holds later is taken."""

    async def scene() -> None:
        async with Worker(policies, watch="poll") as worker:
            source, reached = worker.gate.source, worker.gate.source.now
            with monkeypatch.context() as gone:
                gone.setattr(source, "now", unreachable)
                await until(lambda: "cannot look" in caplog.text)
                assert worker.state["refused"] is None
                gone.setattr(source, "now", reached)
                (policies / "routes" / "test.yaml").write_text(MORE)
                await until(lambda: worker.bundles)

    def unreachable() -> Reading:
        raise StoreUnavailableError("the store does not answer")

    asyncio.run(scene())


def test_a_failure_to_take_over_does_not_end_following(policies: Path) -> None:
    """What goes wrong with one save is logged; the next is taken."""

    async def scene() -> None:
        async with Worker(policies) as worker:
            worker.failing = True
            (policies / "routes" / "test.yaml").write_text(MORE)
            await until(lambda: len(worker.gate.history.lives()) == 2)
            await until(lambda: worker.state["refused"])
            assert "fault of mediagate itself: RuntimeError" in worker.state["refused"]["problems"][0]
            worker.failing = False
            (policies / "routes" / "test.yaml").write_text(MORE.replace("more", "other"))
            await until(lambda: worker.bundles)
            await until(lambda: worker.state["live"] == worker.bundles[-1].digest)

    asyncio.run(scene())


def test_a_bundle_loaded_in_a_thread_decides_on_the_loop(policies: Path) -> None:
    """Policies pass from the thread that loads them to the loop that asks them, many times over."""
    gate = Gate(settings_for(policies))
    digest = gate.opening().bundle.digest

    async def scene() -> None:
        from gateway.bundle import load_bundle
        from gateway.trial import failures

        full = await asyncio.to_thread(load_bundle, policies, {"media"})
        for _ in range(5):
            bundle = await asyncio.to_thread(gate.loaded, digest)
            asked = Bundle(digest, bundle.policy, bundle.routes, bundle.role_floor, full.scenarios)
            assert list(failures(asked, 1e9)) == []

    asyncio.run(scene())
