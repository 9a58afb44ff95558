"""`mediagate policy`: checking, proving and comparing a folder of policies before it is used."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.desk import desk_of
from gateway.cli.failures import REFUSED, CommandError
from gateway.cli.options import examples
from gateway.cli.policy_live import add_live
from gateway.cli.policy_store import add_stored, placed
from gateway.cli.text import table

if TYPE_CHECKING:
    from gateway.proving import Failure

_VERDICTS: Final = {
    "gate": {True: "passes", False: "refuses", None: "error"},
    "permit": {True: "allows", False: "no", None: "error"},
}
FolderArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[FOLDER]", help="The policies of the settings by default.", show_default=False),
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this noun."""
    policy = typer.Typer(
        name="policy", help="Polar files, roles, route maps and scenarios.", rich_markup_mode=None
    )
    policy.callback()(_noun)
    policy.command(
        "check", epilog=examples("mediagate policy check", "mediagate policy check ./new-policies")
    )(check)
    policy.command("words", epilog=examples("mediagate policy words", "mediagate policy words --json"))(words)
    policy.command("test", epilog=examples("mediagate policy test", "mediagate policy test ./new-policies"))(
        run_scenarios
    )
    policy.command(
        "diff-defaults",
        epilog=examples("mediagate policy diff-defaults", "mediagate policy diff-defaults ./policies"),
    )(diff_defaults)
    add_live(policy)
    add_stored(policy)
    app.add_typer(policy)


def _noun() -> None:
    """Polar files, roles, route maps and scenarios."""


def check(context: typer.Context, folder: FolderArgument = None) -> None:
    """Loads the folder as `serve` would and prints every problem with its file and line.

    Exit code 0: it loads, 1: it does not. Warnings stop nothing. Upstreams are compared with the settings where no folder is named.
    """
    from gateway.bundle import load_bundle
    from gateway.errors import ConfigurationError

    desk = desk_of(context)
    settings = desk.settings()
    upstreams, bound = None if folder else set(settings.targets) or None, settings.policies.max_file
    with placed(desk, folder) as place:
        problems, warnings = _linted(place.folder, bound)
        digest = ""
        if not any("words and signs" in problem for problem in problems):
            try:
                loaded = load_bundle(
                    place.folder, upstreams=upstreams, prefix=settings.server.prefix, max_file=bound
                )
                digest = loaded.digest
            except ConfigurationError as error:
                problems = sorted({*problems, *map(place.said, error.problems)})
    document: dict[str, Any] = {"folder": place.name, "problems": problems, "warnings": warnings}
    if problems:
        desk.tell(document, "\n".join((*problems, *warnings)))
        raise typer.Exit(REFUSED)
    said = f"{place.name} loads; its digest is {digest}"
    desk.tell({**document, "digest": digest}, "\n".join((*warnings, said)))


def _linted(place: Path, max_file: int) -> tuple[list[str], list[str]]:
    """Returns errors and warnings of the Polar files; what cannot be read is left to the loader."""
    from gateway.bundle import polar_sources
    from gateway.errors import PolicyFileError
    from gateway.policy.lint import MAX_TOKENS, lint
    from gateway.roles import gui_only_of, read_roles

    try:
        roles = read_roles(place)
    except PolicyFileError:
        roles = None
    try:
        gui_only = gui_only_of(roles or {})
        findings = lint(polar_sources(place, max_file), roles, gui_only=gui_only, max_tokens=MAX_TOKENS)
    except PolicyFileError:
        return [], []
    errors = [finding.text for finding in findings if finding.error]
    return errors, [finding.text for finding in findings if not finding.error]


def words(context: typer.Context) -> None:
    """Prints every question that a policy may ask, with an example each, and the texts that it may name."""
    from gateway.bundle import polar_sources
    from gateway.errors import ConfigurationError
    from gateway.policy import words as vocabulary
    from gateway.policy.source import rule_heads

    desk = desk_of(context)
    try:
        with placed(desk) as place:
            sources = polar_sources(place.folder, desk.settings().policies.max_file)
    except (
        ConfigurationError,
        CommandError,
    ):  # words are the same without a folder; only its actions are not known
        sources = {}
    heads = [head for name, text in sources.items() for head in rule_heads(name, text)]
    actions = {action for head in heads if head.name == "needs" and (action := head.literal(0))}
    asked = [
        {"question": word.written, "says": word.says, "example": word.example} for word in vocabulary.words()
    ]
    enums = vocabulary.enums(actions)
    classes = {name: cls for cls in vocabulary.POLAR_NAMES for name in _spoken(cls)}
    lines = [table(asked, ("question", "says", "example"), ""), ""]
    lines += [f"{name}: {', '.join(texts) or '-'}" for name, texts in enums.items()]
    lines.append(f"classes: {', '.join(f'{name} is a {cls}' for name, cls in classes.items())}")
    document = {"questions": asked, "enums": enums, "classes": classes}
    desk.tell(document, "\n".join(lines))


def _spoken(cls: str) -> list[str]:
    from gateway.policy.words import CLASSES, POLAR_NAMES

    return [name for name, each in CLASSES.items() if each is POLAR_NAMES[cls]]


def run_scenarios(context: typer.Context, folder: FolderArgument = None) -> None:
    """Runs the scenarios; for a case that fails, prints gates and permits in order and where it went another way.

    Exit code 0: every case is answered as its scenario says, 1: one is not. Scenarios of your own stand in scenarios/own/.
    """
    from gateway.bundle import read_policy, read_scenarios
    from gateway.proving import prove
    from gateway.roles import floor_of, read_roles

    desk = desk_of(context)
    with placed(desk, folder) as place:
        roles = read_roles(place.folder)
        scenarios = read_scenarios(place.folder, roles)
        policy = read_policy(place.folder, desk.settings().policies.max_file)
        proof = prove(policy, floor_of(roles), scenarios)
    overridden = [
        {"name": each.overrides, "by": each.place, "because": each.because}
        for each in scenarios
        if each.overrides
    ]
    own = sum(each.is_own for each in scenarios)
    document = {
        "folder": place.name,
        "scenarios": {"shipped": proof.scenarios - own, "own": own},
        "cases": proof.cases,
        "overridden": overridden,
        "failures": [_failure(failure) for failure in proof.failures],
    }
    lines = [f"overridden: {each['name']} by {each['by']}: {each['because']}" for each in overridden]
    lines += [_failure_text(failure) for failure in proof.failures]
    failed = f"{len(proof.failures)} of {proof.cases} cases fail" if proof.failures else "all hold"
    lines.append(f"{proof.cases} cases in {proof.scenarios - own} shipped and {own} own scenarios: {failed}")
    desk.tell(document, "\n".join(lines))
    if proof.failures:
        raise typer.Exit(REFUSED)


def _failure(failure: "Failure") -> dict[str, Any]:
    return {
        "scenario": failure.place,
        "case": failure.asked,
        "wanted": failure.wanted,
        "got": failure.got,
        "detail": failure.detail,
        "steps": [
            {
                "kind": step.kind,
                "name": step.name,
                "verdict": _VERDICTS[step.kind][step.holds],
                "rule": step.rule,
                "detail": step.detail,
                "turn": at == failure.turn,
            }
            for at, step in enumerate(failure.steps)
        ],
    }


def _failure_text(failure: "Failure") -> str:
    steps = [
        {**step, "": "<- went another way" if step["turn"] else " "} for step in _failure(failure)["steps"]
    ]
    shown = table(steps, ("kind", "name", "verdict", "rule", ""), "the policy has no rules")
    return "\n".join((failure.line, *(f"  {line}" for line in shown.splitlines())))


def diff_defaults(context: typer.Context, folder: FolderArgument = None) -> None:
    """Shows how the folder differs from the shipped policies of this version, and which of those changed since it was made.

    Exit code 0, also when they differ. Nothing is changed.
    """
    from gateway.defaults import compare

    desk = desk_of(context)
    with placed(desk, folder) as place:
        compared = compare(place.folder)
    document = {
        "folder": place.name,
        "edited": [{"file": each.name, "diff": each.diff} for each in compared.edited],
        "only_shipped": list(compared.only_shipped),
        "only_here": list(compared.only_here),
        "changed_since": None if compared.changed_since is None else list(compared.changed_since),
    }
    lines = [each.diff.rstrip("\n") for each in compared.edited]
    lines += [f"only shipped: {name}" for name in compared.only_shipped]
    lines += [f"only here: {name}" for name in compared.only_here]
    if compared.changed_since is None:
        lines.append("no record of the version that this folder was made from: .shipped.json is missing")
    lines += [f"shipped anew since this folder was made: {name}" for name in compared.changed_since or ()]
    desk.tell(document, "\n".join(lines) or f"{place.name} is as shipped")
