"""`mediagate export` and `mediagate import`: the whole model as JSON lines, out of one store and into another."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from gateway.cli.desk import author, desk_of
from gateway.cli.failures import CommandError
from gateway.cli.options import examples
from models import moving

STANDARD: Final = "-"
"""Stands for standard input or output."""
EXPORT_EXAMPLES = examples(
    "mediagate export model.jsonl",
    "mediagate export model.jsonl --secrets   (tokens, links and shares, too: keep the file as you keep the store)",
    "mediagate export - | gzip > model.jsonl.gz",
)
IMPORT_EXAMPLES = examples(
    "mediagate import model.jsonl",
    "mediagate import model.jsonl --resume   (takes up one that broke off)",
)


def add_to(app: typer.Typer) -> None:
    """Adds both commands."""
    app.command("export", epilog=EXPORT_EXAMPLES)(export)
    app.command("import", epilog=IMPORT_EXAMPLES)(import_)


def export(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A new file, or - for standard output.", show_default=False)
    ],
    *,
    secrets: Annotated[
        bool,
        typer.Option("--secrets", help="Also tokens, links and shares, with digests and password hashes."),
    ] = False,
) -> None:
    """Writes domains, users, groups, objects and access as JSON lines: the same model gives the same bytes."""
    desk = desk_of(context)
    with desk.reading() as session, _written(file) as out:
        rows = moving.export_model(session, out, _progress, secrets=secrets)
    if file != STANDARD:
        desk.tell({"file": file, "rows": rows, "secrets": secrets}, f"exported {rows} rows to {file}")


def import_(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="As `export` wrote it, or - for standard input.", show_default=False
        ),
    ],
    *,
    resume: Annotated[bool, typer.Option("--resume", help="Take up an import that broke off.")] = False,
) -> None:
    """Reads a model into a new store, in commits of 1,000 rows; nothing is written before the whole file was found sound."""
    desk = desk_of(context)
    with _read(file) as source, desk.store() as store:
        rows = moving.import_model(store, source, author(), _progress, resume=resume)
    desk.tell({"file": file, "rows": rows}, f"imported {rows} rows")


@contextmanager
def _written(file: str) -> Iterator[BinaryIO]:
    """Opens a new file that only its owner can read; it is removed again if the block fails."""
    if file == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CommandError(f"`{file}` cannot be made: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
    except BaseException:
        Path(file).unlink(missing_ok=True)
        raise


@contextmanager
def _read(file: str) -> Iterator[BinaryIO]:
    """Opens a file that can be read twice; standard input is kept in a temporary one."""
    if file == STANDARD:
        with tempfile.TemporaryFile() as kept:
            shutil.copyfileobj(sys.stdin.buffer, kept)
            kept.seek(0)
            yield kept
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115 - what the block raises is not about the file
    except OSError as error:
        raise CommandError(f"`{file}` cannot be read: {error.strerror}") from None
    with source:
        yield source


def _progress(rows: int) -> None:
    """Tells people, and only people, how far it is."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{rows} rows")
        sys.stderr.flush()
