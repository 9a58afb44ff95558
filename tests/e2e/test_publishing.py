"""A running gateway with two workers whose policies stand in the store: what is published decides without a restart."""

import json
from collections.abc import Iterator

import pytest

from e2e.living import MORE, ROUTES, Home, eventually, furnish, spread
from gateways import Gateway, following, running
from recorder import recording


@pytest.fixture(name="home", scope="module")
def publishing_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A gateway with two workers over a bundle that was published from the folder `policies`, which nobody watches."""
    tmp_path = tmp_path_factory.mktemp("publishing")
    with recording() as backend:
        furnish(tmp_path, backend.url)
        toml = tmp_path / "mediagate.toml"
        toml.write_text(toml.read_text().replace('folder = "policies"', 'source = "store"'))
        with pytest.raises(RuntimeError, match="the store holds no policies yet"), running(tmp_path):
            pass
        done = Home(Gateway(tmp_path, "", 0)).run("policy", "publish", str(tmp_path / "policies"))
        assert done.returncode == 0, done
        with running(tmp_path, "--workers", "2") as gateway:
            yield Home(gateway)


def publish(home: Home, **environ: str) -> tuple[int, str]:
    """Publishes the folder; returns exit code and what was said."""
    done = home.run("policy", "publish", str(home.policies), environ=environ)
    assert not done.stderr
    return done.returncode, done.stdout


def digests(home: Home) -> list[str]:
    """Returns what was published, the latest first."""
    return [row["digest"] for row in json.loads(home.run("--json", "policy", "history").stdout)]


def test_what_is_published_decides_in_every_worker(home: Home) -> None:
    """A saved file alone changes nothing; published it decides everywhere, by the same workers; rolling back undoes it."""
    first, workers = str(home.state["live"]), home.workers
    with following(home.gateway.folder, "policy", "status", "--follow") as said:
        assert said.readline().endswith(f"{first}  live\n")
        home.write("routes/test.yaml", MORE)
        assert home.status("/more") == 401
        assert publish(home)[0] == 0
        eventually(lambda: spread(home, "/more", 200))
        second = str(home.state["live"])
        assert said.readline().endswith(f"{second}  live\n")

    assert digests(home)[:2] == [second, first]
    assert home.run("policy", "rollback", first[:8]).returncode == 0
    eventually(lambda: spread(home, "/more", 401))
    assert home.state["live"] == first
    assert spread(home, "/open", 200)
    told = json.loads(home.run("--json", "policy", "status").stdout)
    assert (told["live"], told["published"], told["problems"]) == (first, first, [])
    assert home.workers == workers


def test_what_is_refused_changes_nothing_and_says_why(home: Home) -> None:
    """A broken bundle is not published; one that only another machine's settings let through is told, and the old one decides."""
    live, workers, published = str(home.state["live"]), home.workers, digests(home)
    good = (home.policies / "gates.polar").read_text()
    home.write("gates.polar", good + "gate(")
    code, said = publish(home)
    assert (code, "gates.polar:" in said) == (1, True)
    assert digests(home) == published

    home.write("gates.polar", good)
    home.write("routes/test.yaml", ROUTES.replace("recorder", "other"))
    assert publish(home, MEDIAGATE_UPSTREAMS__OTHER__URL="http://127.0.0.1:9")[0] == 0
    eventually(lambda: "routes/test.yaml:1: " in home.problems)
    assert (home.state["live"], home.workers) == (live, workers)
    assert spread(home, "/open", 200)
    told = home.run("policy", "status")
    assert (told.returncode, "other" in told.stdout) == (1, True)
    assert home.run("policy", "rollback", live).returncode == 0
    eventually(lambda: not home.problems)
