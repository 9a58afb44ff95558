"""docs/wire.md: every test that it names as its proof is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_named_as_proof_exists() -> None:
    """Each `tests/…py` of the page is a file, and each `test_…` is a test in one of the files of its line."""
    missing = []
    for line in (ROOT / "docs" / "wire.md").read_text().splitlines():
        files = [ROOT / name for name in re.findall(r"`(tests/[a-z0-9_/]+\.py)`", line)]
        missing += [file.name for file in files if not file.is_file()]
        text = "".join(file.read_text() for file in files if file.is_file())
        missing += [name for name in re.findall(r"`(test_[a-z0-9_]+)`", line) if f"def {name}(" not in text]

    assert missing == []
