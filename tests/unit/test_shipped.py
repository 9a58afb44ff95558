"""Where the shipped policies stand."""

from pathlib import Path

import pytest

from gateway import shipped


def test_policies_of_a_working_copy_are_found() -> None:
    """Without an installed copy, the top-level folder of the working copy is the shipped one."""
    assert shipped.shipped_policies().name in ("policies", "shipped_policies")
    assert shipped.shipped_policies().is_dir()


def test_corpus_of_a_working_copy_is_found() -> None:
    """The cases that selftest fires are those that the tests fire."""
    assert shipped.shipped_corpus().name in ("corpus", "shipped_corpus")
    assert (shipped.shipped_corpus() / "paths.yaml").is_file()


def test_installed_policies_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies inside the installed package win over a folder that happens to stand beside it."""
    (tmp_path / "shipped_policies").mkdir()
    monkeypatch.setattr(shipped, "files", lambda _package: tmp_path)

    assert shipped.shipped_policies() == tmp_path / "shipped_policies"


def test_incomplete_installation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no policies are, the error says that the installation is incomplete."""
    monkeypatch.setattr(shipped, "files", lambda _package: tmp_path)
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "a" / "b" / "shipped.py"))

    with pytest.raises(FileNotFoundError, match="install mediagate again"):
        shipped.shipped_policies()
