"""`mediagate selftest` against real deployments: the gateway alone, behind an nginx that forwards what came, and behind one that repairs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from commandline import Answer, run
from e2e.house import House, house
from e2e.nginx import fronting_nginx

PEM: Final = Path(__file__).parents[1] / "wire" / "loopback.pem"
ROWS: Final = """
  - GET, POST, OPTIONS /{path...}: {action: read, object: file, id: "/{path}", role: can_read_files}
"""
SCENE: Final = ("--allowed", "/files/shows/clip.mp4", "--refused", "/secret/plan.mp4")


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway that trusts the proxies of this machine, with a row for every path."""
    trusting = '[proxies]\ntrusted = ["127.0.0.1/32"]\n'
    with house(tmp_path_factory.mktemp("house"), trusting, ROWS) as found:
        yield found


def selftest(home: House, url: str, *args: str, scene: tuple[str, ...] = SCENE) -> Answer:
    """Runs the command with stan's token in the environment; asserts that it is told to nobody."""
    answer = run("selftest", url, *scene, *args, environ={"MEDIAGATE_SELFTEST_TOKEN": home.tokens["stan"]})
    assert home.tokens["stan"] not in answer.out + answer.err
    return answer


def let_through(document: Any) -> list[dict[str, Any]]:
    """Returns the requests that were not held."""
    return [each for case in document["cases"] for each in case["tries"] if each["verdict"] != "held"]


def test_the_gateway_alone_holds_everything(home: House, tmp_path: Path) -> None:
    """Fired directly, with the token in a file, each request is held, and the backend got none but the allowed path."""
    (tmp_path / "token").write_text(home.tokens["stan"] + "\n")
    home.backend.clear()
    answer = run("--json", "selftest", home.gateway.url, *SCENE, "--token-file", str(tmp_path / "token"))

    assert let_through(answer.document) == []
    assert (answer.code, answer.err) == (0, "")
    assert answer.document["held"] > 180
    assert {each.partition(b" ")[2].partition(b"?")[0] for each in home.backend.lines} == {
        b"/files/shows/clip.mp4"
    }


@pytest.mark.needs_nginx
def test_a_proxy_that_forwards_what_came_holds_everything(home: House, tmp_path: Path) -> None:
    """Through an nginx whose `proxy_pass` has no path nothing passes, and people read so."""
    with fronting_nginx(tmp_path, home.gateway.url) as front:
        answer = selftest(home, front, "--hop", f"gateway={home.gateway.url}")

    assert answer.code == 0, answer.out
    assert "at entry, gateway: " in answer.out
    assert " 0 let through, 0 unclear" in answer.out


@pytest.mark.needs_nginx
def test_a_deployment_behind_tls(home: House, tmp_path: Path) -> None:
    """Over https the same holds, with a certificate that is checked; one that nobody vouches for is a failure."""
    with fronting_nginx(tmp_path, home.gateway.url, pem=PEM) as front:
        answer = selftest(home, front, "--json", "--ca-file", str(PEM))
        unknown = selftest(home, front)

    assert let_through(answer.document) == []
    assert answer.code == 0
    assert unknown.code == 3
    assert "certificate" in unknown.err


@pytest.mark.needs_nginx
def test_a_proxy_that_repairs_targets_is_named(home: House, tmp_path: Path) -> None:
    """Through an nginx that resolves dots and merges slashes something passes; the report says where, and that the gateway holds it."""
    with fronting_nginx(tmp_path, f"{home.gateway.url}/") as front:
        hops = ("--hop", f"nginx={front}", "--hop", f"gateway={home.gateway.url}")
        document = selftest(home, front, *hops, "--json")
        told = selftest(home, front, *hops)
    found = let_through(document.document)
    cases = {case["case"]: case for case in document.document["cases"]}

    assert (document.code, told.code) == (1, 1)
    assert {each["let_through_by"] for each in found} == {"nginx"}
    assert all(each["answers"]["gateway"].startswith("4") for each in found)
    assert {
        "GET /x/../files/shows/clip.mp4",
        "GET /files/shows//clip.mp4",
        "GET /files/shows%2Fclip.mp4",
    } <= {each["request"] for each in found}
    assert cases["CVE-2026-33494"]["let_through_by"] == ["nginx"]
    assert cases["CVE-2025-54576"]["verdict"] == "held"
    assert "GET /files/shows//clip.mp4: let through by nginx (nginx: 200, gateway: 400)" in told.out


@pytest.mark.parametrize(
    ("scene", "says"),
    [
        (("--allowed", "/secret/plan.mp4", "--refused", "/secret/b"), "name a path that the token may read"),
        (("--allowed", "/files/a", "--refused", "/files/b"), "name a path that must be refused"),
    ],
)
def test_nothing_is_fired_at_another_scene(home: House, scene: tuple[str, ...], says: str) -> None:
    """Where the paths are not what they must be the command says so and fires nothing: all would look held, or nothing would."""
    home.backend.clear()
    answer = selftest(home, home.gateway.url, scene=scene)

    assert (answer.code, answer.out) == (3, "")
    assert says in answer.err
    assert len(home.backend.requests) <= 2


def test_what_stands_open_is_no_scene(home: House) -> None:
    """A deployment without a gateway, which answers everything to everybody, is told apart at once."""
    answer = selftest(home, home.backend.url)

    assert answer.code == 3
    assert "answered with 200" in answer.err


def test_an_unreachable_deployment_is_a_failure(home: House) -> None:
    """Nothing listens there: exit code 3 and one sentence."""
    answer = selftest(home, "http://127.0.0.1:1")

    assert (answer.code, answer.out) == (3, "")
    assert "refused" in answer.err
