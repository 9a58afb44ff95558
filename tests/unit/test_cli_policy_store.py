"""`mediagate policy publish` and `fetch`, and the other commands where the store keeps the policies."""

from pathlib import Path

import pytest

from commandline import CommandLine, initialised
from gateway.reload import Gate
from gateway.settings import Settings
from models.store import Store
from policy_folders import thin


@pytest.fixture(name="mediagate")
def store_folder(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line with the store as source; its policies stand in `edit`, not yet published."""
    mediagate = initialised(tmp_path)
    toml = tmp_path / "mediagate.toml"
    toml.write_text(toml.read_text().replace('folder = "policies"', 'source = "store"'))
    thin(tmp_path / "policies")
    (tmp_path / "policies").rename(tmp_path / "edit")
    return mediagate


def publish(mediagate: CommandLine, remark: str = "") -> str:
    """Publishes the folder `edit`, with a remark at the end of a file."""
    path = mediagate.folder / "edit" / "actions.polar"
    path.write_text(path.read_text() + (f"# {remark}\n" if remark else ""))
    digest: str = mediagate.json("policy", "publish", str(mediagate.folder / "edit"))["digest"]
    return digest


def test_what_is_published_is_fetched_as_it_was(mediagate: CommandLine) -> None:
    """Publishing is one commit by this account; the same again is none; fetching writes a new folder and never over one."""
    edit, copy = mediagate.folder / "edit", mediagate.folder / "deep" / "copy"
    digest = publish(mediagate)
    authors = mediagate.authors()
    assert "live already" in mediagate.ok("policy", "publish", str(edit))

    assert mediagate.authors() == authors
    assert mediagate.json("policy", "fetch", str(copy))["digest"] == digest
    assert (copy / "gates.polar").read_bytes() == (edit / "gates.polar").read_bytes()
    assert (copy / "routes").is_dir()
    assert list(copy.parent.iterdir()) == [copy]
    (copy / "gates.polar").write_text("mine")
    assert "exists: fetch overwrites nothing" in mediagate.fails("policy", "fetch", str(copy))
    assert (copy / "gates.polar").read_text() == "mine"


def test_a_refused_folder_publishes_nothing(mediagate: CommandLine) -> None:
    """Every reason is told, with exit code 1: what does not load, a scenario that fails, a file that is too large."""
    digest = publish(mediagate)
    edit = mediagate.folder / "edit"
    good = (edit / "permits.polar").read_text()
    everybody = '\npermit(s, _a, _r, _q, "everybody") if s.is_signed_in();\n'
    for text, said in (
        (good + "permit(", "permits.polar:"),
        (good + everybody, "is allowed as everybody"),
        ("#" * 2_000_000, "larger than"),
    ):
        (edit / "permits.polar").write_text(text)
        answer = mediagate("policy", "publish", str(edit))
        assert (answer.code, answer.err) == (1, "")
        assert said in answer.out
        assert "nothing was published" in answer.out

    assert [row["digest"] for row in mediagate.json("policy", "history")] == [digest]
    assert "is not a folder" in mediagate.fails("policy", "publish", "/nowhere")


def test_history_diff_and_the_way_back(mediagate: CommandLine) -> None:
    """Publications are listed with who made them; two, or one and a folder, are compared; an earlier one is published again."""
    assert "nothing is published yet" in mediagate.ok("policy", "history")
    assert "holds no policies yet" in mediagate.fails("policy", "diff", "live")
    first, second = publish(mediagate), publish(mediagate, "a remark")
    edit = str(mediagate.folder / "edit")

    history = mediagate.json("policy", "history")
    assert [row["digest"] for row in history] == [second, first]
    assert history[0]["by"].startswith("cli")
    differs = mediagate("policy", "diff", first[:6])
    assert (differs.code, differs.out.splitlines()[-1]) == (1, "+# a remark")
    assert mediagate.ok("policy", "diff", "live", edit) == "no difference\n"
    assert mediagate.json("policy", "rollback", first[:6])["published"] is True
    assert mediagate("policy", "diff", "live", first).code == 0
    assert [row["digest"] for row in mediagate.json("policy", "history")] == [first, second, first]
    assert "no bundle that was published: `zz`" in mediagate.fails("policy", "rollback", "zz")
    assert "no bundle that was published" in mediagate.fails("policy", "rollback", edit)


def test_check_test_words_and_roles_look_at_the_published_bundle(mediagate: CommandLine) -> None:
    """Without a folder named, the store's bundle is meant, and no path of a passing copy is shown."""
    assert "holds no policies yet" in mediagate.fails("policy", "check")
    assert mediagate.json("policy", "words")["enums"]["action"] == []
    edit = mediagate.folder / "edit"
    (edit / "actions.polar").write_text((edit / "actions.polar").read_text() + 'needs("teleport", "read");\n')
    digest = publish(mediagate)

    assert mediagate.ok("policy", "check") == f"the published bundle loads; its digest is {digest}\n"
    assert mediagate.json("policy", "test")["failures"] == []
    assert "teleport" in mediagate.json("policy", "words")["enums"]["action"]
    assert [each["file"] for each in mediagate.json("policy", "diff-defaults")["edited"]] == ["actions.polar"]
    assert "no role `nonsense`" in mediagate.fails("group", "add", "editors", "--role", "nonsense")


def test_status_and_explain_tell_published_and_live_apart(mediagate: CommandLine) -> None:
    """Until a gateway took it the published bundle is not live; one that this machine refuses is exit code 1 with its reasons."""
    first = publish(mediagate)
    asked = ("explain", "ada@example.org", "read", "-")
    assert mediagate.json(*asked)["policy"]["judged_by"] == "store"
    status = mediagate.json("policy", "status")
    assert (status["live"], status["published"]) == (None, first)

    settings = Settings.load(mediagate.folder / "mediagate.toml", environ={})
    store = Store.open(settings.store.url)
    try:
        Gate(settings, store).opening()
        assert mediagate.json("policy", "status")["live"] == first
        assert mediagate.json(*asked)["policy"]["judged_by"] == "live"
        second = publish(mediagate, "a remark")
        assert f"the published bundle is {second}" in mediagate.json(*asked)["policy"]["notice"]
        narrow = settings.model_copy(
            update={"policies": settings.policies.model_copy(update={"trial_memory": 1_000})}
        )
        assert Gate(narrow, store).opening().bundle.digest == first
    finally:
        store.close()
    answer = mediagate("--json", "policy", "status")
    assert (answer.code, answer.document["live"], answer.document["refused"]) == (1, first, second)


def test_with_a_folder_nothing_is_published(tmp_path: Path) -> None:
    """Where a folder decides, both commands refuse and say what to do instead; naming both sources is a mistake of the settings."""
    mediagate = initialised(tmp_path)
    for command in ("publish", "fetch"):
        said = mediagate.fails("policy", command, str(tmp_path / "policies"))
        assert said.startswith("`policies.source` is `folder`, so nothing is published")
    toml = tmp_path / "mediagate.toml"
    toml.write_text(toml.read_text().replace("[policies]", '[policies]\nsource = "store"'))

    assert "only one can decide: take one of the two out" in mediagate.fails("policy", "status")
