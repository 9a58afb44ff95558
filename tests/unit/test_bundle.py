"""Tests of gateway.bundle: a folder loads whole or not at all, under one digest."""

import shutil
from pathlib import Path

import pytest

from gateway.bundle import MAX_FILE, MAX_NESTING, bundle_digest, load_bundle
from gateway.errors import ConfigurationError

SHIPPED = Path(__file__).parents[2] / "policies"
ROUTES = "upstream: media\nobjects: {asset: {id: opaque}}\nroutes:\n  - GET /a/{id}: {action: ACTION, object: asset, id: '{id}', role: none}\n"


@pytest.fixture(name="folder")
def bundle_folder(tmp_path: Path) -> Path:
    """A copy of the shipped policies with one route map."""
    folder = tmp_path / "policies"
    shutil.copytree(SHIPPED, folder)
    (folder / "routes" / "a.yaml").parent.mkdir(exist_ok=True)
    (folder / "routes" / "a.yaml").write_text(ROUTES.replace("ACTION", "read"))
    return folder


def problems(folder: Path) -> str:
    """Returns what is wrong with a folder."""
    with pytest.raises(ConfigurationError) as caught:
        load_bundle(folder, {"media"})
    return "\n".join(caught.value.problems)


def test_a_good_folder_loads(folder: Path) -> None:
    """Policy, routes, roles and scenarios of a good folder are there, under its digest."""
    bundle = load_bundle(folder, {"media"})

    assert bundle.digest == bundle_digest(folder)
    assert bundle.routes.rows
    assert bundle.scenarios
    assert bundle.role_floor


def test_all_problems_are_reported_together_each_with_its_place(folder: Path) -> None:
    """A bad Polar file, role catalogue, route map and scenario are told in one go."""
    (folder / "gates.polar").write_text("gates([;")
    (folder / "roles.yaml").write_text("CLERK: [can_read_assets]")
    (folder / "routes" / "b.yaml").write_text("upstream: nowhere\nroutes:\n  - GET /b: {}\n")
    (folder / "scenarios" / "b.yaml").write_text("says: nothing")

    said = problems(folder)

    for place in ("gates", "roles.yaml", "routes/b.yaml:", "scenarios/b.yaml"):
        assert place in said


def test_a_role_of_the_interface_is_for_no_row_and_no_rule(folder: Path) -> None:
    """A GUI-only role refuses nothing, so whoever demands one is told at its line."""
    row = ROUTES.replace("ACTION", "read").replace("role: none", "roles: [can_read_assets, web_can_upload]")
    (folder / "routes" / "a.yaml").write_text(row)
    (folder / "own.polar").write_text(
        'permit(s, _action, _resource, _request, "x") if\n  s.has_role("web_can_upload");\n'
    )

    said = problems(folder)
    assert "routes/a.yaml:4: the role `web_can_upload` only switches something" in said
    assert "own.polar:2: the role `web_can_upload` only switches something" in said


def test_an_action_that_no_policy_knows_is_a_problem(folder: Path) -> None:
    """A route whose action could never be granted does not load."""
    (folder / "routes" / "a.yaml").write_text(ROUTES.replace("ACTION", "teleport"))

    assert "routes/a.yaml:4" in problems(folder)
    assert "actions.polar" in problems(folder)


BAD_POLAR = {
    "not UTF-8": (b"# \xff\n", "not UTF-8"),
    "too large": (b"#" * (MAX_FILE + 1), "larger than"),
    "too deep": (b"a(x) if x = " + b"[" * (MAX_NESTING + 1) + b"]" * (MAX_NESTING + 1) + b";", "brackets"),
}


@pytest.mark.parametrize(("content", "says"), BAD_POLAR.values(), ids=BAD_POLAR.keys())
def test_what_could_kill_the_parser_is_refused_before_it(folder: Path, content: bytes, says: str) -> None:
    """Files that Oso's parser is not made for are refused with their name."""
    (folder / "0.polar").write_bytes(content)

    assert "0.polar" in problems(folder)
    assert says in problems(folder)


def test_an_empty_folder_is_no_policy(tmp_path: Path) -> None:
    """Missing policy files refuse to load; nothing is open by default (CVE-2026-54762)."""
    assert "no *.polar file" in problems(tmp_path)


def test_the_digest_covers_names_and_bytes_of_every_file(folder: Path) -> None:
    """Any change of any file, or of its name, changes the digest."""
    seen = {bundle_digest(folder)}
    for path in ("gates.polar", "roles.yaml", "routes/a.yaml", "scenarios/domains_are_walls.yaml"):
        (folder / path).write_bytes((folder / path).read_bytes() + b"\n")
        seen.add(bundle_digest(folder))
    (folder / "routes" / "a.yaml").rename(folder / "routes" / "b.yaml")
    seen.add(bundle_digest(folder))

    assert len(seen) == 6
