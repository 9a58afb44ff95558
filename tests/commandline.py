"""The command line for tests: a folder made by `mediagate init`, and its commands run in this process."""

import atexit
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from gateway.cli.app import make_app

ADA = "ada@example.org"
"""The admin whom `init` makes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Commands that work with the settings of one folder."""

    folder: Path

    def __call__(self, *args: str, environ: Mapping[str, str] | None = None) -> Answer:
        """Runs one command in this process."""
        return run("--config", str(self.folder / "mediagate.toml"), *args, environ=environ)

    def ok(self, *args: str) -> str:
        """Runs a command that must succeed and returns what it said."""
        answer = self(*args)
        assert (answer.code, answer.err) == (0, ""), answer
        return answer.out

    def json(self, *args: str) -> Any:
        """Runs a command that must succeed with `--json` and returns its document."""
        answer = self("--json", *args)
        assert (answer.code, answer.err) == (0, ""), answer
        return answer.document

    def fails(self, *args: str, code: int = 3) -> str:
        """Runs a command that must fail with `code` and say nothing but why; returns that without its prefix."""
        answer = self(*args)
        assert (answer.code, answer.out) == (code, ""), answer
        assert all(line.startswith("mediagate: ") for line in answer.err.splitlines()), answer
        return answer.err.replace("mediagate: ", "").strip()

    def authors(self) -> list[str]:
        """Returns who stands in the revision log, oldest first."""
        with sqlite3.connect(self.folder / "mediagate.db") as database:
            return [row[0] for row in database.execute("SELECT author FROM revision_log ORDER BY revision")]


def run(*args: str, environ: Mapping[str, str] | None = None) -> Answer:
    """Runs `mediagate` in this process, without settings of the surroundings."""
    clean: dict[str, str | None] = {"MEDIAGATE_CONFIG": None, **(environ or {})}
    result = CliRunner().invoke(
        make_app(), list(args), env=clean, catch_exceptions=False, prog_name="mediagate"
    )
    return Answer(result.exit_code, result.stdout, result.stderr)


def process(*args: str, cwd: Path, environ: Mapping[str, str] | None = None) -> Answer:
    """Runs `mediagate` as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "from gateway.cli import main; main()", *args],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def initialised(folder: Path) -> CommandLine:
    """Returns the command line of `folder`, filled as `mediagate init --admin ada@example.org` fills it."""
    shutil.copytree(_template(), folder, dirs_exist_ok=True)
    return CommandLine(folder)


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="mediagate-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    answer = run("init", str(folder / "made"), "--admin", ADA)
    assert answer.code == 0, answer
    return folder / "made"
