"""docs/policies.md teaches by edits that work: each is applied to the shipped folder as it stands there, and its cases run."""

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from commandline import CommandLine, initialised
from gateway.bundle import load_bundle, polar_sources
from gateway.policy.lint import lint
from gateway.proving import prove
from gateway.roles import read_role_floor
from gateway.shipped import shipped_policies

TEXT = (Path(__file__).parents[2] / "docs" / "policies.md").read_text("utf-8")
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SECTION = re.compile(r"^## (\d+)\. ([^\n]*) \((policy|data)\)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Lesson:
    """One worked edit: its number, whether it is policy or data, and its blocks with what they are."""

    number: str
    kind: str
    blocks: tuple[tuple[str, str], ...]

    def of(self, info: str) -> list[str]:
        """Returns the blocks that are `info`."""
        return [text for name, text in self.blocks if name == info]


LESSONS = [
    Lesson(number, kind, tuple((info, text) for info, text in FENCE.findall(body)))
    for number, _title, kind, body in SECTION.findall(TEXT)
]
POLICY = [lesson for lesson in LESSONS if lesson.kind == "policy"]
DATA = [lesson for lesson in LESSONS if lesson.kind == "data"]


def edited(folder: Path, lesson: Lesson) -> Path:
    """Copies the shipped policies to `folder` and does to them what the lesson says."""
    shutil.copytree(shipped_policies(), folder)
    old: dict[str, str] = {}
    for info, text in lesson.blocks:
        words = info.split()
        if len(words) != 3:
            continue
        path, how = folder / words[1], words[2]
        content = path.read_text("utf-8")
        if how == "old":
            assert content.count(text.rstrip("\n")) == 1, text
            old[words[1]] = text.rstrip("\n")
        elif how == "new":
            path.write_text(content.replace(old.pop(words[1]), text.rstrip("\n")), "utf-8")
        else:
            assert how == "add"
            path.write_text(f"{content}\n{text}", "utf-8")
    assert not old
    own = folder / "scenarios" / "own"
    own.mkdir(exist_ok=True)
    for scenario in lesson.of("yaml"):
        (own / f"lesson_{lesson.number}.yaml").write_text(scenario, "utf-8")
    return folder


def test_there_are_ten_lessons() -> None:
    """Ten edits, numbered, some of them data and some policy; each has what it teaches by."""
    assert [lesson.number for lesson in LESSONS] == [str(number) for number in range(1, 11)]
    assert len(re.findall(r"^## ", TEXT, re.MULTILINE)) == len(LESSONS)
    assert all(len(lesson.of("sh")) == 1 and not lesson.of("yaml") for lesson in DATA)
    assert all(len(lesson.of("yaml")) == 1 and not lesson.of("sh") for lesson in POLICY)


@pytest.mark.parametrize("lesson", POLICY, ids=lambda lesson: lesson.number)
def test_the_edit_does_what_its_cases_say(tmp_path: Path, lesson: Lesson) -> None:
    """The edited folder loads without a finding, and all shipped scenarios and the lesson's own hold."""
    folder = edited(tmp_path / "policies", lesson)
    bundle = load_bundle(folder)

    assert lint(polar_sources(folder), read_role_floor(folder)) == []
    assert [
        failure.line for failure in prove(bundle.policy, bundle.role_floor, bundle.scenarios).failures
    ] == []
    assert bundle.scenarios[-1].place == f"own/lesson_{lesson.number}.yaml"


@pytest.mark.parametrize("lesson", POLICY, ids=lambda lesson: lesson.number)
def test_without_the_edit_its_cases_do_not_hold(tmp_path: Path, lesson: Lesson) -> None:
    """The cases show the edit: the shipped policy answers at least one of them otherwise."""
    unedited = Lesson(lesson.number, lesson.kind, tuple(("yaml", text) for text in lesson.of("yaml")))
    bundle = load_bundle(edited(tmp_path / "policies", unedited))

    assert prove(bundle.policy, bundle.role_floor, bundle.scenarios).failures


@pytest.mark.parametrize("lesson", DATA, ids=lambda lesson: lesson.number)
def test_the_commands_do_what_they_say(tmp_path: Path, lesson: Lesson) -> None:
    """The commands run as they stand there, and the explanations end as their comments say."""
    mediagate: CommandLine = initialised(tmp_path)
    explained = 0
    for line in lesson.of("sh")[0].splitlines():
        words = shlex.split(line, comments=True)[1:]
        if words[0] == "explain":
            explained += 1
            assert mediagate(*words).code == {"allowed": 0, "refused": 1}[line.split("# ")[1]], line
        else:
            mediagate.ok(*words)
    assert explained > 1
