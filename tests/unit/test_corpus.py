"""How the corpus is written: fields that become bytes, and files that are refused."""

from pathlib import Path

import pytest
import yaml

from gateway.corpus import CorpusError, Forwarded, Scene, load_corpus, load_excuses
from gateway.shipped import shipped_corpus

SCENE = Scene("/files/clip.mp4", "/secret/plan.mp4", "gw.example", "t0k3n")


def write(folder: Path, *tries: object, **more: object) -> Path:
    """Writes a folder with one case of these tries; returns it."""
    case = {"ids": ["CVE-1"], "product": "p", "because": "b", "tries": list(tries), **more}
    (folder / "a.yaml").write_text(yaml.safe_dump([case]))
    return folder


def test_fields_become_bytes(tmp_path: Path) -> None:
    """A head is put together from the fields, names in braces stand for what is there, and each character is one byte."""
    written = {
        "method": "POST",
        "target": "{folder}//{name}\xff",
        "headers": ["Content-Length: {length}"],
        "body": "{hidden}",
        "then": "x",
        "refused": "400 bad-target | closed",
        "live": False,
    }
    (case,) = load_corpus(write(tmp_path, written))
    hidden = (
        b"GET /files/clip.mp4?smuggled HTTP/1.1\r\nHost: gw.example\r\nAuthorization: Bearer t0k3n\r\n\r\n"
    )

    assert case.tries[0].request(SCENE) == (
        b"POST /files//clip.mp4\xff HTTP/1.1\r\nHost: gw.example\r\nAuthorization: Bearer t0k3n\r\n"
        b"Content-Length: %d\r\n\r\n%bx" % (len(hidden), hidden)
    )
    assert case.tries[0].refused == ("400 bad-target", "closed")
    assert case.tries[0].has_more


def test_a_request_without_host_or_credential(tmp_path: Path) -> None:
    """What a case leaves out is not sent, and raw bytes are sent as they are written."""
    (case,) = load_corpus(
        write(
            tmp_path,
            {"target": "/", "host": None, "signed": False, "refused": 401},
            {"raw": "PRI {host}\r\n\r\n", "forwarded": {"lacks": ["a"]}, "live": False},
        )
    )
    bare, raw = case.tries

    assert bare.request(SCENE) == b"GET / HTTP/1.1\r\n\r\n"
    assert raw.request(SCENE) == b"PRI gw.example\r\n\r\n"
    assert (raw.method, raw.has_more, raw.forwarded) == (
        "PRI",
        False,
        Forwarded("{allowed}", (), ("a",), None),
    )


@pytest.mark.parametrize(
    ("tries", "more", "says"),
    [
        ([{"target": "/"}], {}, "what must happen"),
        ([{"refused": "200"}], {}, "`200` is no refusal"),
        ([{"refused": "400", "targt": "/"}], {}, "unknown key `targt`"),
        ([{"forwarded": {"hass": []}}], {}, "unknown key `hass`"),
        ([{"method": "DELETE", "forwarded": {}}], {}, "could be let through"),
        ([], {}, "a case has ids"),
        ([{"refused": "400"}], {"why": "x"}, "unknown key `why`"),
    ],
)
def test_what_is_written_wrongly_is_named(
    tmp_path: Path, tries: list[object], more: dict[str, object], says: str
) -> None:
    """A case that says nothing, or something unknown, is no case; nor is one that could do harm to a deployment."""
    with pytest.raises(CorpusError, match=says):
        load_corpus(write(tmp_path, *tries, **more))


@pytest.mark.parametrize("text", ["a: b", "- a", "- {ids: [a]}", "- {ids: [a], because: b, shown: []}"])
def test_excuses_have_a_reason(tmp_path: Path, text: str) -> None:
    """An advisory is excused with a sentence or not at all."""
    (tmp_path / "not_applicable.yaml").write_text(text)
    with pytest.raises(CorpusError):
        load_excuses(tmp_path)


def test_the_shipped_corpus_does_no_harm() -> None:
    """What is fired at a deployment in use is of a safe method, or must be refused."""
    fired = [each for case in load_corpus(shipped_corpus()) for each in case.tries if each.live]

    assert len(fired) > 200
    assert {each.method for each in fired if each.forwarded is not None} <= {"GET", "HEAD", "OPTIONS"}
    unsafe = [each for each in fired if each.method not in ("GET", "HEAD", "OPTIONS")]
    named = {each.fields.get("target", "{allowed}") for each in unsafe if "raw" not in each.fields}
    assert named == {"{absent}", "{host}:443"}
    assert {each.method for each in unsafe if "raw" in each.fields} <= {
        "GET\t{allowed}\tHTTP/1.1\r\nHost:",
        "PRI",
    }


def test_a_scene_hides_its_token() -> None:
    """Printing where cases are fired does not print the credential."""
    assert "t0k3n" not in repr(SCENE)
