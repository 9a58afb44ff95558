"""Tests of gateway.reload: what the folder holds goes live only if it proves itself, and a start follows the same rule."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.folder import USUAL, Reading
from gateway.policy.book import Finding
from gateway.reload import Gate, bounds_of
from gateway.settings import Settings
from gateway.settings.sections import PoliciesSection
from policy_folders import MORE, policies_in, settings_for


@pytest.fixture(name="policies")
def good_policies(tmp_path: Path) -> Path:
    """A good policies folder."""
    return policies_in(tmp_path)


def trials(policies: Path) -> int:
    """Returns how many trials were made."""
    return len(list((policies.parent / ".mediagate-policies" / "trials").iterdir()))


def test_a_good_folder_is_recorded_and_loaded_from_the_record(policies: Path) -> None:
    """What decides is the recorded copy: a change of the folder after its trial does not reach it."""
    gate = Gate(settings_for(policies))
    reading, save = gate.judged()
    (policies / "routes" / "test.yaml").write_text("half a sa")
    bundle = gate.loaded(save.digest)

    assert (save.live, save.digest) == (True, reading.digest)
    assert bundle.digest == reading.digest
    assert [live.digest for live in gate.history.lives()] == [reading.digest]


def test_workers_share_one_trial(policies: Path) -> None:
    """Gates of several workers that see the same save at the same time make one trial, good or bad."""
    for text in (MORE, "routes: ["):
        (policies / "routes" / "test.yaml").write_text(text)
        gates = [Gate(settings_for(policies)) for _ in range(3)]
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(lambda gate: gate.judged()[1].live, gates))
        assert found == [text == MORE] * 3

    assert trials(policies) == 2
    assert [save.live for save in gates[0].history.saves()] == [True, False]


def test_other_upstreams_are_another_trial(policies: Path) -> None:
    """What passed for other settings is tried again: routes may name upstreams that are gone."""
    assert Gate(settings_for(policies)).judged()[1].live
    settings = settings_for(policies).model_copy(update={"upstreams": {}})

    assert not Gate(settings).judged()[1].live


def test_a_start_with_a_broken_folder_serves_the_last_good_one(policies: Path) -> None:
    """The bundle that was live decides, and why the folder does not is at hand."""
    live = Gate(settings_for(policies)).opening().bundle.digest
    (policies / "gates.polar").write_text("gate(")
    opening = Gate(settings_for(policies)).opening()

    assert opening.bundle.digest == live
    assert opening.refused is not None
    assert "gates" in opening.refused.problems[0]


def test_a_start_waits_only_for_a_folder_that_is_not_what_is_live(
    policies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What went live last is read once; anything else must stand still first, also if it is what was live before that."""
    waits: list[str] = []

    def start() -> str:
        gate = Gate(settings_for(policies))
        settled = gate.source.settled

        def noted(stop: threading.Event) -> Reading:
            waits.append(name)
            return settled(stop)

        monkeypatch.setattr(gate.source, "settled", noted)
        return gate.opening().bundle.digest

    routes = policies / "routes" / "test.yaml"
    before = routes.read_text()
    name = "first"
    first = start()
    name = "again"
    assert start() == first
    name = "edited"
    routes.write_text(MORE)
    assert start() != first
    name = "back"
    routes.write_text(before)
    assert start() == first

    assert waits == ["first", "edited", "back"]


def test_a_start_with_nothing_good_recorded_is_refused(policies: Path) -> None:
    """Without a record, or with one that is too old or was tampered with, nothing starts and the problems are told."""
    good = (policies / "gates.polar").read_text()
    (policies / "gates.polar").write_text("gate(")
    with pytest.raises(ConfigurationError, match="gates"):
        Gate(settings_for(policies)).opening()

    (policies / "gates.polar").write_text(good)
    gate = Gate(settings_for(policies))
    live = gate.opening().bundle.digest
    (policies / "gates.polar").write_text("gate(")
    time.sleep(0.02)
    with pytest.raises(ConfigurationError, match="gates"):
        Gate(settings_for(policies, last_good_max_age=0.01)).opening()
    (gate.history.folder / "bundles" / live / "permits.polar").write_text('permit(_, _, _, _, "all");')
    with pytest.raises(ConfigurationError, match="gates"):
        Gate(settings_for(policies)).opening()


def test_a_record_that_no_longer_fits_the_settings_does_not_start(policies: Path) -> None:
    """The last good bundle must still load: routes of a backend that is gone are told beside the folder's problems."""
    Gate(settings_for(policies)).opening()
    (policies / "gates.polar").write_text("gate(")
    settings = settings_for(policies).model_copy(update={"upstreams": {}})

    with pytest.raises(ConfigurationError) as caught:
        Gate(settings).opening()
    assert any("gates" in problem for problem in caught.value.problems)
    assert any("media" in problem for problem in caught.value.problems)


def test_a_state_folder_that_cannot_be_used_is_told(policies: Path) -> None:
    """Nothing starts where what goes live cannot be recorded."""
    with pytest.raises(ConfigurationError, match=r"policies\.state"):
        Gate(settings_for(policies, state=Path(os.devnull) / "x")).opening()


def test_bounds_of_the_settings_are_those_of_reading(policies: Path) -> None:
    """Unwritten settings mean the usual bounds; written ones refuse a folder or let a larger file through to a worker."""
    assert bounds_of(PoliciesSection()) == USUAL
    assert "policies.max_file" in Gate(settings_for(policies, max_file=100)).judged()[1].problems[0]
    (policies / "0.polar").write_text("# much said\n" * 100_000)
    gate = Gate(settings_for(policies, max_file=2_000_000))

    assert gate.opening().bundle.digest == gate.history.lives()[0].digest


def test_the_state_is_not_kept_in_what_is_watched(policies: Path) -> None:
    """A state folder inside the policies folder is a mistake of the settings."""
    with pytest.raises(ValueError, match="must not be inside"):
        settings_for(policies, state=policies / "state")


def test_only_what_this_version_proved_is_taken_over_without_lint(
    policies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle of a trial on record is not linted again; without that record, or with other settings' only, it is, and may be refused."""
    linted: list[str] = []

    def refusing(_: object, **_options: object) -> list[Finding]:
        linted.append("once")
        return [Finding("gates.polar:1", "a later version finds fault here")]

    gate = Gate(settings_for(policies))
    digest = gate.judged()[1].digest
    monkeypatch.setattr("gateway.bundle.lint", refusing)

    assert (gate.loaded(digest).digest, linted) == (digest, [])
    upstreams = {"media": {"url": "http://127.0.0.1:9"}, "more": {"url": "http://127.0.0.1:9"}}
    others = Settings.model_validate({"policies": {"folder": policies}, "upstreams": upstreams})
    for other in (Gate(others), gate):
        with pytest.raises(ConfigurationError, match="a later version finds fault"):
            other.loaded(digest)
        for outcome in (policies.parent / ".mediagate-policies" / "trials").iterdir():
            outcome.unlink()
    assert linted == ["once", "once"]
