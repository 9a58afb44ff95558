"""`mediagate policy check`."""

from pathlib import Path

import pytest

from commandline import CommandLine, initialised

ROUTES = """\
upstream: {upstream}
objects:
  asset: {{id: opaque}}
routes:
  - GET /assets/{{asset_id}}: {{action: read, object: asset, role: {role}}}
"""


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line."""
    return initialised(tmp_path)


def write_routes(mediagate: CommandLine, *, upstream: str = "media", role: str = "can_read_assets") -> None:
    """Writes a route map into the folder's policies."""
    folder = mediagate.folder / "policies" / "routes"
    folder.mkdir(exist_ok=True)
    (folder / "media.yaml").write_text(ROUTES.format(upstream=upstream, role=role))


def test_shipped_policies_load(mediagate: CommandLine) -> None:
    """What `init` copies is accepted, and its version is told."""
    document = mediagate.json("policy", "check")

    assert document["problems"] == []
    assert document["digest"] in mediagate.ok("policy", "check")


def test_every_problem_is_printed_and_the_code_is_1(mediagate: CommandLine) -> None:
    """Problems of several files come together, each with its file; the check differs from a failure."""
    write_routes(mediagate, role="can_read_asset")
    path = mediagate.folder / "policies" / "gates.polar"
    path.write_text(path.read_text() + "gate(")

    answer = mediagate("policy", "check")

    assert (answer.code, answer.err) == (1, "")
    assert any(line.startswith("gates.polar:") for line in answer.out.splitlines())
    assert any("media.yaml:5" in line for line in answer.out.splitlines())
    assert mediagate("--json", "policy", "check").document["problems"] == answer.out.splitlines()


def test_upstreams_are_compared_where_the_settings_have_some(mediagate: CommandLine) -> None:
    """The settings' own folder is checked as `serve` will; a folder that is named may belong to another machine."""
    write_routes(mediagate, upstream="nowhere")

    assert mediagate("policy", "check").code == 0
    with (mediagate.folder / "mediagate.toml").open("a") as file:
        file.write('\n[upstreams.media]\nurl = "http://127.0.0.1:9000"\n')
    assert mediagate("policy", "check").code == 1
    assert mediagate("policy", "check", str(mediagate.folder / "policies")).code == 0


def test_folder_that_is_not_there_is_a_failure(mediagate: CommandLine) -> None:
    """A misspelled folder is not a policy with problems."""
    assert "is not a folder" in mediagate.fails("policy", "check", "/nowhere")


def test_warnings_are_shown_and_stop_nothing(mediagate: CommandLine) -> None:
    """An unused rule is told, and the folder still loads."""
    path = mediagate.folder / "policies" / "permits.polar"
    path.write_text(f"{path.read_text()}\nlonely(s) if s.is_admin();\n")
    document = mediagate.json("policy", "check")

    assert document["problems"] == []
    assert [line.split(": ")[1] for line in document["warnings"]] == ["warning"]
    assert "loads; its digest is" in mediagate.ok("policy", "check")


def test_a_rule_that_oso_does_not_survive_is_told(mediagate: CommandLine) -> None:
    """The check does not hand Oso what takes it minutes."""
    (mediagate.folder / "policies" / "0.polar").write_text("f(x) if x" + " and x" * 50_000 + ";")
    answer = mediagate("policy", "check")

    assert (answer.code, answer.out.count("\n")) == (1, 1)
    assert answer.out.startswith("0.polar:1: a rule of more than")


def test_words_are_listed_with_examples(mediagate: CommandLine) -> None:
    """Questions, types, examples and the texts that may be named are printed; actions are those of the folder."""
    document = mediagate.json("policy", "words")
    text = mediagate.ok("policy", "words")

    asked = {each["question"]: each for each in document["questions"]}
    assert asked["request.from_network(cidr: str)"]["example"] == 'request.from_network("10.0.0.0/16")'
    assert "change-acl" in document["enums"]["action"]
    assert document["classes"] == {"subject": "Subject", "resource": "Object", "request": "Request"}
    assert all(question in text for question in asked)


def test_scenarios_are_run_and_counted(mediagate: CommandLine) -> None:
    """Shipped scenarios hold; an own one that overrides one of them is shown with its reason."""
    own = mediagate.folder / "policies" / "scenarios" / "own"
    own.mkdir(exist_ok=True)
    (own / "mine.yaml").write_text(
        "says: x\noverrides: routes_open_to_all\nbecause: we have none\n"
        "refuse: [{who: nobody, does: read, because: signed-in}]\n"
    )
    document = mediagate.json("policy", "test")

    assert document["failures"] == []
    assert document["scenarios"]["own"] == 1
    assert "overridden: routes_open_to_all by own/mine.yaml: we have none" in mediagate.ok("policy", "test")


def test_a_failing_case_shows_where_it_went_another_way(mediagate: CommandLine) -> None:
    """The case, what it must be, and every gate and permit in order are printed; the code is 1."""
    path = mediagate.folder / "policies" / "permits.polar"
    path.write_text(path.read_text().replace("    subject.is_admin();", '    subject.is_type("POWER");'))
    answer = mediagate("policy", "test")
    document = mediagate("--json", "policy", "test").document

    assert (answer.code, answer.err) == (1, "")
    lines = [line for line in answer.out.splitlines() if "went another way" in line]
    assert len(lines) == len(document["failures"]) > 0
    assert any(step["turn"] and step["name"] == "admin" for step in document["failures"][0]["steps"])
    assert "cases fail" in answer.out.splitlines()[-1]


def test_a_folder_is_compared_with_the_shipped_one(mediagate: CommandLine) -> None:
    """A fresh folder is as shipped; an edit is a diff."""
    assert "is as shipped" in mediagate.ok("policy", "diff-defaults")
    path = mediagate.folder / "policies" / "actions.polar"
    path.write_text(path.read_text() + 'needs("play", "read");\n')

    assert '+needs("play", "read");' in mediagate.ok("policy", "diff-defaults")
    assert [each["file"] for each in mediagate.json("policy", "diff-defaults")["edited"]] == ["actions.polar"]
