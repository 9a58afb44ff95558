"""Policies folders for tests: the shipped policies with one small route map and few scenarios, and settings that watch them.

Each start of a gateway tries its policies, and the shipped scenarios are most of what a trial costs; they have tests of their own.
"""

import shutil
from pathlib import Path

from gateway.settings import Settings

SHIPPED = Path(__file__).parents[1] / "policies"
ROUTES = "upstream: media\nroutes:\n  - GET /open: {anonymous: true}\n"
SCENARIOS = {"a_group_that_only_reads.yaml", "object_owners_change_who_has_access.yaml"}
"""Those of the shipped ones that a folder gets."""
MORE = ROUTES + "  - GET /more: {anonymous: true}\n"


def policies_in(folder: Path, routes: str = ROUTES) -> Path:
    """Writes a good policies folder and returns it."""
    policies = folder / "policies"
    shutil.copytree(SHIPPED, policies, ignore=_needless)
    (policies / "routes").mkdir()
    (policies / "routes" / "test.yaml").write_text(routes)
    return policies


def thin(policies: Path) -> None:
    """Takes from a folder of policies the scenarios that others do not get either."""
    (policies / "capabilities.yaml").unlink()
    for path in (policies / "scenarios").glob("*.yaml"):
        if path.name not in SCENARIOS:
            path.unlink()


def _needless(folder: str, names: list[str]) -> set[str]:
    kept = SCENARIOS if Path(folder).name == "scenarios" else set(names) - {"routes", "capabilities.yaml"}
    return set(names) - kept


def settings_for(policies: Path, **given: object) -> Settings:
    """Returns settings that watch a policies folder, quickly."""
    quick = {"folder": policies, "settle": 0.02, "poll_interval": 0.05, **given}
    return Settings.model_validate({"policies": quick, "upstreams": {"media": {"url": "http://127.0.0.1:9"}}})
