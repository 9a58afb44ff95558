"""`mediagate init`: a folder to begin with, and nothing half-written."""

import json
import os
import stat
from pathlib import Path

import pytest

from commandline import ADA, CommandLine, process, run
from gateway.settings import Settings
from models.store import Store


def names(folder: Path) -> set[str]:
    """Returns what stands in a folder, without the store's companions."""
    return {path.name for path in folder.iterdir() if not path.name.startswith("mediagate.db-")}


def test_folder_is_ready_to_use(tmp_path: Path) -> None:
    """Settings, policies and a store are there, and each is accepted by what will read it."""
    folder = tmp_path / "a" / "b"

    answer = run("init", str(folder), "--upstream", "media=http://127.0.0.1:9000")

    assert (answer.code, answer.err) == (0, "")
    assert names(folder) == {"mediagate.toml", "policies", "mediagate.db"}
    settings = Settings.load(folder / "mediagate.toml", environ={}, serving=True)
    assert settings.upstreams["media"].url == "http://127.0.0.1:9000"
    assert settings.server.host == "127.0.0.1"
    Store.open(settings.store.url).close()
    assert CommandLine(folder)("policy", "check").code == 0


def test_store_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    """Digests of tokens are nobody else's business."""
    run("init", str(tmp_path))

    assert stat.S_IMODE((tmp_path / "mediagate.db").stat().st_mode) == 0o600


def test_admin_is_made_and_the_token_is_printed_once(tmp_path: Path) -> None:
    """The first admin is a POWER user of the first domain, with a credential to begin with."""
    answer = run("--json", "init", str(tmp_path), "--admin", ADA, "--domain", "studio")
    issued = answer.document["admin"]

    assert issued["token"].startswith("mg_")
    assert issued["token"].encode() not in (tmp_path / "mediagate.db").read_bytes()
    (user,) = CommandLine(tmp_path).json("user", "list")
    assert (user["email"], user["type"], user["admin"], user["domain"]) == (ADA, "POWER", True, "studio")


def test_text_tells_the_token_and_what_is_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer reads what was written, how to try the token, and what to do then."""
    monkeypatch.chdir(tmp_path)
    answer = run("init", "--admin", ADA)

    assert "wrote mediagate.toml, policies/ and mediagate.db with the domain default" in answer.out
    assert "  curl -H 'App-ID: " in answer.out
    assert "write your backend into mediagate.toml" in answer.out
    assert answer.out.endswith("  mediagate serve\n")


@pytest.mark.parametrize("name", ["mediagate.toml", "policies", "mediagate.db", "mediagate.db-wal"])
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    """A file that is there stays as it is, is named, and nothing else appears."""
    (tmp_path / name).write_text("mine")

    answer = run("init", str(tmp_path))

    assert (answer.code, answer.out) == (3, "")
    assert f"mediagate: `{tmp_path}/{name}` exists: init overwrites nothing" in answer.err
    assert (tmp_path / name).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--admin", "ada"), 2, "`ada` is not an e-mail address"),
        (("--domain", " "), 2, "the name of a domain is empty"),
        (("--upstream", "media"), 2, "`media` is no upstream: write NAME=URL"),
        (("--upstream", 'media=http://x"'), 2, "is no upstream: write NAME=URL"),
        (("--upstream", "media=ftp://x"), 3, "/mediagate.toml:"),
        (("--upstream", "Media=http://x"), 3, "is not a name for an upstream"),
        (("--upstream", "media=http://127.0.0.1:8080"), 3, "`media` points at this gateway itself"),
        (("--upstream", "media=http://x", "--upstream", "media=http://y"), 3, "is not TOML"),
    ],
)
def test_failure_leaves_nothing_behind(
    tmp_path: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    """Whatever is wrong, no folder, file or half a store is left, and places are named as the user knows them."""
    answer = run("init", str(tmp_path / "a" / "b"), *options)

    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err
    assert ".mediagate-init" not in answer.err
    assert list(tmp_path.iterdir()) == []


def test_failed_move_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the last step fails, what was moved already is removed again."""
    moves: list[Path] = []
    rename = Path.rename

    def fails_late(source: Path, target: Path) -> Path:
        if moves and source.name == "mediagate.toml":
            raise OSError(28, "No space left on device", str(target))
        moves.append(target)
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", fails_late)
    answer = run("init", str(tmp_path / "new"))

    assert answer.code == 3
    assert "no space left on device" in answer.err
    assert len(moves) >= 2
    assert list(tmp_path.iterdir()) == []


def test_config_is_refused_since_init_writes_it(tmp_path: Path) -> None:
    """`--config` would be misunderstood as where to write."""
    answer = run("--config", str(tmp_path / "x.toml"), "init")

    assert answer.code == 2
    assert "give FOLDER instead of --config" in answer.err


def test_unwritable_folder_is_named(tmp_path: Path) -> None:
    """A file where the folder should be is said to be so."""
    (tmp_path / "file").write_text("")

    answer = run("init", str(tmp_path / "file"))

    assert answer.code == 3
    assert "file exists" in answer.err


def test_store_elsewhere_is_filled_where_the_environment_says(tmp_path: Path) -> None:
    """A container that is given MEDIAGATE_STORE__URL gets its store there."""
    other = tmp_path / "elsewhere.db"
    answer = run("init", str(tmp_path / "new"), environ={"MEDIAGATE_STORE__URL": f"sqlite:///{other}"})

    assert answer.code == 0, answer
    assert other.exists()
    assert "and the store that the environment names" in answer.out
    assert names(tmp_path / "new") == {"mediagate.toml", "policies"}


def test_process_exits_with_its_code(tmp_path: Path) -> None:
    """As a process, `init` ends with 0, and the second time with 3."""
    first = process("--json", "init", cwd=tmp_path, environ={"HOME": str(tmp_path)})
    second = process("--json", "init", cwd=tmp_path, environ={"HOME": str(tmp_path)})

    assert (first.code, first.document["domain"]) == (0, "default")
    assert second.code == 3
    assert json.loads(second.out)["exit_code"] == 3
    assert "Traceback" not in second.err
    assert os.listdir(tmp_path / "policies")  # noqa: PTH208 - names are enough
