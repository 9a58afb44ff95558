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
