"""`mediagate selftest` typed wrongly; what it does stands in tests/e2e/test_selftest.py."""

from pathlib import Path

import pytest

from commandline import CommandLine, run
from gateway.cli.failures import CommandError
from gateway.cli.selftest import _hops

URL = "http://127.0.0.1:1"
SCENE = ("--allowed", "/a", "--refused", "/b")


@pytest.mark.parametrize(("args", "says"), [
    (("ftp://a", *SCENE), "no place to fire at"), (("http://a/b", *SCENE), "no place to fire at"), (("http://u:p@a", *SCENE), "no place to fire at"),
    (("http://a:x", *SCENE), "no place to fire at"), ((URL, *SCENE, "--hop", "nginx"), "write NAME=URL"),
    ((URL, *SCENE, "--hop", "a=http://b", "--hop", "a=http://c"), "each name once"), ((URL, *SCENE, "--hop", "a=b"), "no place to fire at"),
    ((URL, "--allowed", "a", "--refused", "/b"), "no path of a file"), ((URL, "--allowed", "/a?b", "--refused", "/b"), "no path of a file"),
    ((URL, "--allowed", "/a", "--refused", "/b/"), "no path of a file"), ((URL, "--allowed", "/a b", "--refused", "/b"), "no path of a file"),
    ((URL, *SCENE), "name a file with --token-file, or set MEDIAGATE_SELFTEST_TOKEN"),
    ((URL, *SCENE, "--token", "secret"), "no such option"),
])  # fmt: skip
def test_wrong_use_is_told(tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    """Wrong places, paths and hops, and a token on the command line, are wrong use; nothing is fired."""
    assert says in CommandLine(tmp_path).fails("selftest", *args, code=2)


def test_a_missing_token_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is a failure that names it; an empty one holds no token."""
    (tmp_path / "empty").touch()

    missing = run("selftest", URL, *SCENE, "--token-file", str(tmp_path / "none"))
    empty = run("selftest", URL, *SCENE, "--token-file", str(tmp_path / "empty"))

    assert (missing.code, empty.code) == (3, 2)
    assert str(tmp_path / "none") in missing.err


def test_the_url_has_the_name_of_the_hop_with_the_same_url() -> None:
    """Hops keep their order; the first one is the URL, called `entry` where no hop names it."""
    named = _hops("https://front", ["nginx=https://front/", "gate=http://gate:8080"])
    unnamed = _hops("https://front", ["gate=http://gate:8080"])

    assert [(hop.name, hop.url) for hop in named] == [
        ("nginx", "https://front"),
        ("gate", "http://gate:8080"),
    ]
    assert [hop.name for hop in unnamed] == ["entry", "gate"]
    with pytest.raises(CommandError):
        _hops("https://front", ["=http://a"])
