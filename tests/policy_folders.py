"""Policies folders for tests of reloading: the shipped policies with one small route map, and settings that watch them."""

import shutil
from pathlib import Path

from gateway.settings import Settings

SHIPPED = Path(__file__).parents[1] / "policies"
ROUTES = "upstream: media\nroutes:\n  - GET /open: {anonymous: true}\n"
MORE = ROUTES + "  - GET /more: {anonymous: true}\n"


def policies_in(folder: Path) -> Path:
    """Writes a good policies folder and returns it."""
    policies = folder / "policies"
    shutil.copytree(SHIPPED, policies, ignore=shutil.ignore_patterns("routes"))
    (policies / "routes").mkdir()
    (policies / "routes" / "test.yaml").write_text(ROUTES)
    return policies


def settings_for(policies: Path, **given: object) -> Settings:
    """Returns settings that watch a policies folder, quickly."""
    quick = {"folder": policies, "settle": 0.02, "poll_interval": 0.05, **given}
    return Settings.model_validate({"policies": quick, "upstreams": {"media": {"url": "http://127.0.0.1:9"}}})
