"""The command line itself: global options, exit codes, sentences, and commands typed wrongly."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from commandline import CommandLine, initialised, process, run
from gateway.cli.app import Mediagate, make_app
from gateway.cli.root import globals_first

DOCUMENT = Path(__file__).parents[2] / "docs" / "command-line.md"


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line."""
    return initialised(tmp_path)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["user", "list", "--json"], ["--json", "user", "list"]),
        (["user", "--config", "a.toml", "list"], ["--config", "a.toml", "user", "list"]),
        (["user", "list", "--config=a.toml"], ["--config=a.toml", "user", "list"]),
        (["--json", "user", "--", "--json"], ["--json", "user", "--", "--json"]),
        (["user", "list", "--config"], ["--config"]),
        ([], []),
    ],
)
def test_global_options_may_stand_anywhere(typed: list[str], meant: list[str]) -> None:
    """`--config` and `--json` are found after the command too, but not after `--`."""
    assert globals_first(typed) == meant


def test_help_lists_every_command_with_examples() -> None:
    """The first page shows all there is and how to begin."""
    answer = run("--help")

    assert answer.code == 0
    for noun in Mediagate.nouns:
        assert f"\n  {noun} " in answer.out
    assert "Examples:\n    mediagate init" in answer.out


def test_no_command_shows_the_help_as_wrong_use() -> None:
    """`mediagate` alone teaches, and a script whose variable is empty does not go on as if all were well."""
    answer = run()

    assert answer.code == 2
    assert answer.out.startswith("Usage: mediagate")


@pytest.mark.parametrize("noun", list(Mediagate.nouns))
def test_every_noun_has_a_help_of_its_own(noun: str) -> None:
    """Each first word of the list can be imported and explains itself."""
    answer = run(noun, "--help")

    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"Usage: mediagate {noun} ")


SUBCOMMANDS = [
    ("user", "add"), ("user", "set"), ("group", "add"), ("group", "give"), ("group", "take"), ("group", "join"),
    ("group", "leave"), ("token", "create"), ("token", "revoke"), ("collection", "add"), ("collection", "put"),
    ("collection", "take"), ("object", "add"), ("object", "owner"), ("object", "remove"), ("object", "settle"),
    ("allow-ip", "add"), ("allow-ip", "remove"), ("policy", "check"), ("policy", "publish"), ("policy", "fetch"),
    ("domain", "add"), ("domain", "set"), ("identity-key",), ("api",), ("selftest",), ("acl", "set"), ("acl", "apply"), ("grant",), ("revoke",), ("explain",), ("init",), ("serve",),
    ("upgrade",),
]  # fmt: skip


@pytest.mark.parametrize("words", SUBCOMMANDS)
def test_help_of_a_command_has_an_example(words: tuple[str, ...]) -> None:
    """A command with arguments is learned from its examples."""
    answer = run(*words, "--help")

    assert "Examples:\n" in answer.out
    assert f"mediagate {' '.join(words)}" in answer.out.split("Examples:")[1].replace(
        "--config /etc/mediagate.toml ", ""
    )


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("usr list", "no such command `usr`; did you mean `user`? see `mediagate --help`"),
        ("user", "missing command; see `mediagate user --help`"),
        ("user ad x@y", "no such command `ad`; did you mean `add`? see `mediagate user --help`"),
        ("user add", "missing argument `EMAIL`; see `mediagate user add --help`"),
        ("user add a@b c", "got unexpected extra argument(s) (c); see `mediagate user add --help`"),
        ("user add a@b --type KING", "invalid value for `--type`: `KING` is not one of `power`, `standard`, `browse_only`, `browse_api_only`; see `mediagate user add --help`"),
        ("user add a@b --typ POWER", "no such option: --typ (Possible options: --type); see `mediagate user add --help`"),
        ("user list extra", "got unexpected extra argument(s) (extra); see `mediagate user list --help`"),
        ("user show", "missing argument `USER`; see `mediagate user show --help`"),
        ("user set ada@example.org", "invalid value: nothing to set: give at least one option, as in --status BLOCKED"),
        ("group add", "missing argument `NAME`; see `mediagate group add --help`"),
        ("group show", "missing argument `GROUP`; see `mediagate group show --help`"),
        ("group give editors", "missing argument `ROLE...`; see `mediagate group give --help`"),
        ("group take editors", "missing argument `ROLE...`; see `mediagate group take --help`"),
        ("group join editors", "missing argument `USER...`; see `mediagate group join --help`"),
        ("group leave editors", "missing argument `USER...`; see `mediagate group leave --help`"),
        ("token create", "missing argument `USER`; see `mediagate token create --help`"),
        ("token create ada@example.org --expires soon", "invalid value: `soon` is no span: write 12h, 30d or never"),
        ("token create ada@example.org --expires 99999999d", "invalid value: `99999999d` is no span: write 12h, 30d or never"),
        ("token list a b", "got unexpected extra argument(s) (b); see `mediagate token list --help`"),
        ("token revoke", "missing argument `ID`; see `mediagate token revoke --help`"),
        ("collection add news", "invalid value: `news` does not name an object: write TYPE:ID"),
        ("collection put asset:1", "missing argument `COLLECTION`; see `mediagate collection put --help`"),
        ("collection take asset:1 news", "invalid value: `news` does not name an object: write TYPE:ID"),
        ("collection show :x", "invalid value: `:x` does not name an object: write TYPE:ID"),
        ("object add asset:", "invalid value: `asset:` does not name an object: write TYPE:ID"),
        ("object show", "missing argument `OBJECT`; see `mediagate object show --help`"),
        ("object owner asset:1", "missing argument `USER`; see `mediagate object owner --help`"),
        ("object remove", "missing argument `OBJECT`; see `mediagate object remove --help`"),
        ("object settle asset:1", "invalid value: look into the backend, then say --happened or --did-not"),
        ("grant a b asset:1", "invalid value: `b` is not a permission; those are read, write, delete, change-acl"),
        ("grant a read,,write asset:1", "invalid value: `` is not a permission"),
        ("revoke a read", "missing argument `OBJECT`; see `mediagate revoke --help`"),
        ("allow-ip add", "missing argument `CIDR`; see `mediagate allow-ip add --help`"),
        ("allow-ip remove", "missing argument `CIDR`; see `mediagate allow-ip remove --help`"),
        ("allow-ip onn", "no such command `onn`; did you mean `on`? see `mediagate allow-ip --help`"),
        ("policy", "missing command; see `mediagate policy --help`"),
        ("policy chek", "no such command `chek`; did you mean `check`? see `mediagate policy --help`"),
        ("policy publish", "missing argument `FOLDER`; see `mediagate policy publish --help`"),
        ("policy fetch", "missing argument `FOLDER`; see `mediagate policy fetch --help`"),
        ("domain set default", "invalid value: nothing to set"),
        ("domain set default --status COLD", "invalid value for `--status`: `COLD` is not one of"),
        ("explain ada@example.org read", "missing argument `OBJECT`; see `mediagate explain --help`"),
        ("explain ada@example.org read asset", "invalid value: `asset` does not name an object: write TYPE:ID"),
        ("explain ada@example.org read asset:1 --from here", "invalid value: `here` is not an IPv4 or IPv6 address"),
        ("explain ada@example.org read asset:1 --at noon", "invalid value: `noon` is no time: write 2030-01-31T23:30:00+01:00"),
        ("serve --port eighty", "invalid value for `--port`: "),
        ("serve now", "got unexpected extra argument(s) (now); see `mediagate serve --help`"),
        ("selftest http://127.0.0.1:1 --allowed /a", "missing option `--refused`"),
        ("selftest 127.0.0.1 --allowed /a --refused /b", "`127.0.0.1` is no place to fire at: write http://HOST:PORT"),
        ("upgrade now", "got unexpected extra argument(s) (now); see `mediagate upgrade --help`"),
        ("demo --port eighty", "invalid value for `--port`: "),
        ("user list --config", "option `--config` requires an argument"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_sentence_and_code_2(mediagate: CommandLine, typed: str, said: str) -> None:
    """Each command typed wrongly says in one sentence what is wrong and where to read on."""
    sentence = mediagate.fails(*typed.split(), code=2)

    assert sentence.startswith(said)
    assert "\n" not in sentence


def test_failure_with_json_is_a_document_too(mediagate: CommandLine) -> None:
    """Who reads standard output as JSON gets a document also when the command fails."""
    answer = mediagate("user", "show", "eve@example.org", "--json")

    assert answer.code == 3
    assert answer.document["exit_code"] == 3
    assert answer.document["error"].startswith("there is no user `eve@example.org`")


def test_missing_store_and_settings_say_what_to_run(tmp_path: Path) -> None:
    """Without a folder made by `init`, each command says so."""
    (tmp_path / "mediagate.toml").write_text("")

    assert "run `mediagate init`" in CommandLine(tmp_path).fails("user", "list")
    assert "does not exist" in CommandLine(tmp_path / "none").fails("user", "list")


def test_all_mistakes_of_the_settings_are_told(tmp_path: Path) -> None:
    """Each problem is a sentence of its own, with its place."""
    (tmp_path / "mediagate.toml").write_text('[server]\nport = "x"\nprefix = "/"\n')

    sentences = CommandLine(tmp_path).fails("user", "list").splitlines()

    assert [sentence.split(": ")[1] for sentence in sentences] == ["server.port", "server.prefix"]


def test_fault_of_ours_is_no_traceback(mediagate: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw is still one sentence and code 3."""

    def fault(*_args: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("models.directory.list_users", fault)

    assert mediagate.fails("user", "list") == "this is a fault of mediagate itself: RuntimeError: unforeseen"


def test_interrupted_command_is_silent(mediagate: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a command without a word, with the code that shells know."""

    def stops(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("models.directory.list_users", stops)

    assert mediagate.fails("user", "list", code=130) == ""


def test_reader_that_has_enough_ends_the_command_silently(tmp_path: Path) -> None:
    """`mediagate user list | head -0` prints no complaint."""
    initialised(tmp_path)
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [sys.executable, "-c", "from gateway.cli import main; main()", "user", "list"],
        cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, check=False, timeout=60,
    )  # fmt: skip
    os.close(writing)

    assert (done.returncode, done.stderr) == (3, b"")


def test_version_is_printed() -> None:
    """`--version` needs no settings."""
    assert run("--version").out.strip().count(".") == 2


def test_process_reads_the_settings_here_and_answers_json(tmp_path: Path) -> None:
    """Run in a folder made by `init`, commands need no option."""
    initialised(tmp_path)

    answer = process("user", "list", "--json", cwd=tmp_path)

    assert answer.code == 0, answer
    assert [user["email"] for user in json.loads(answer.out)] == ["ada@example.org"]
    assert answer.err == ""


def test_process_imports_nothing_heavy_for_its_help(tmp_path: Path) -> None:
    """The help is quick because neither the database nor the policy engine is imported for it."""
    answer = process("--help", cwd=tmp_path, environ={"PYTHONPROFILEIMPORTTIME": "1"})

    assert answer.code == 0
    imported = {line.rpartition("|")[2].strip() for line in answer.err.splitlines()}
    assert "typer" in imported
    assert not imported & {
        "sqlalchemy",
        "pydantic",
        "oso",
        "starlette",
        "httptools",
        "uvloop",
        "websockets",
        "alembic",
    }


def commands() -> Iterator[tuple[str, set[str]]]:
    """Yields every command with the names of its options."""
    root = typer.main.get_command(make_app())
    assert isinstance(root, Mediagate)
    for noun in Mediagate.nouns:
        command = root.get_command(typer.Context(root), noun)
        leaves = getattr(command, "commands", {"": command})
        for name, leaf in leaves.items():
            options = {each for option in leaf.params for each in (*option.opts, *option.secondary_opts)}
            yield f"mediagate {noun} {name}".strip(), {each for each in options if each.startswith("--")}


def test_document_shows_every_command_with_all_its_options() -> None:
    """docs/command-line.md has one line of use for each command, no option too many or too few."""
    blocks = re.findall(r"^```\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines() if line]
    found = {" ".join(re.findall(r"^mediagate [a-z-]+(?: [a-z][a-z-]*)?", line)): line for line in lines}

    documented = {name: set(re.findall(r"--[a-z-]+", line)) for name, line in found.items()}
    assert documented == {name: options - {"--help"} for name, options in commands()}
