"""Tests of gateway.trial: a bundle is tried in a child that cannot harm us, and however that ends there is an answer."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.bundle import load_bundle
from gateway.trial import Trial, failures, problems_of
from policy_folders import policies_in

NEVER = threading.Event()


@pytest.fixture(name="trial")
def good_trial(tmp_path: Path) -> Trial:
    """A trial of a good bundle."""
    return Trial(str(policies_in(tmp_path)), ("media",), "/-/", cpu=10, seconds=30, memory=1 << 30)


def said(trial: Trial) -> str:
    """Returns what is wrong with a bundle."""
    return "\n".join(problems_of(trial, NEVER) or ())


def test_a_good_bundle_has_no_problems(trial: Trial) -> None:
    """The shipped policies pass within the default bounds."""
    assert problems_of(trial, NEVER) == []


def test_problems_of_loading_come_with_their_places(trial: Trial) -> None:
    """What `load_bundle` finds is told as it is, upstreams included."""
    assert "test.yaml:1" in said(replace(trial, upstreams=("other",)))


def endless_reading(trial: Trial) -> None:
    """Writes a file that takes long to read."""
    (Path(trial.folder) / "scenarios" / "long.yaml").write_text(f"says: [{'a, ' * 300_000}]\n")


def test_bounds_end_a_bundle_that_takes_too_long(trial: Trial) -> None:
    """What would hold a worker for long ends by processor time, or by the clock."""
    endless_reading(trial)

    assert "policies.trial_cpu" in said(replace(trial, cpu=1))
    assert "policies.trial_time" in said(replace(trial, seconds=1))


def test_650_kb_of_and_do_not_pass(trial: Trial) -> None:
    """A rule without measure is refused, by whatever notices first."""
    (Path(trial.folder) / "0.polar").write_text("a(x) if x" + " and x" * 108_000 + ";\n")

    assert "more than" in said(replace(trial, cpu=2))


@pytest.mark.parametrize(
    ("ends", "says"),
    [
        ("kill -SEGV $$", "with SIGSEGV"),
        ("kill -KILL $$", "with SIGKILL"),
        ("exit 3", "with code 3"),
        ("echo so", "no answer"),
    ],
)
def test_every_end_of_the_child_is_an_answer(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str, says: str
) -> None:
    """A child that crashes, is killed or talks nonsense refuses the bundle."""
    child = tmp_path / "python"
    child.write_text(f"#!/bin/sh\n{ends}\n")
    child.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(child))

    assert says in said(trial)


def test_too_little_memory_is_an_answer(trial: Trial) -> None:
    """A bundle that needs more memory than it may have does not pass."""
    assert said(replace(trial, memory=40_000_000))


def test_a_rule_without_end_fails_the_scenarios_in_time(trial: Trial) -> None:
    """Endless recursion is a policy error in each case, and the trial ends before its bound with what it found."""
    permits = Path(trial.folder) / "permits.polar"
    permits.write_text(
        f'{permits.read_text()}\npermit(s, a, r, q, "x") if x(s, a, r, q);\nx(s, a, r, q) if x(s, a, r, q);\n'
    )

    assert "is refused as policy-error" in said(replace(trial, cpu=4))


def test_stopping_ends_a_trial_without_an_answer(trial: Trial) -> None:
    """Who stops meanwhile waits for no child."""
    endless_reading(trial)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    begun = time.monotonic()

    assert problems_of(trial, stop) is None
    assert time.monotonic() - begun < 5


def test_the_child_sees_no_secret(trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of our environment but what an interpreter needs reaches the child."""
    seen = tmp_path / "seen"
    spy = tmp_path / "python"
    spy.write_text(f"#!/bin/sh\nenv > {seen}\nexit 1\n")
    spy.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(spy))
    monkeypatch.setenv("MEDIAGATE_SECRET", "hush")

    assert "ended the process" in said(trial)
    assert "hush" not in seen.read_text()


def test_a_case_that_goes_another_way_is_named(trial: Trial) -> None:
    """A failure says which case of which scenario, what was expected, what came, and which rule said so."""
    folder = Path(trial.folder)
    permits = folder / "permits.polar"
    permits.write_text(f'{permits.read_text()}\npermit(s, _a, _r, _q, "everybody") if s.has_account();\n')
    found = list(failures(load_bundle(folder, {"media"}), 1e9))

    assert found[0].startswith("scenarios/")
    assert "must be refused as no-grant, is allowed as everybody at permits.polar:" in found[0]
