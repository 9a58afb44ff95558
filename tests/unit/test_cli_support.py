"""`mediagate support`, and the switch that lets support into a domain."""

from pathlib import Path

from commandline import ADA, initialised


def test_support_has_a_credential_and_nothing_is_open(tmp_path: Path) -> None:
    """The token is shown once and listed without its text; no domain lets support in by itself."""
    mediagate = initialised(tmp_path)
    issued = mediagate.json("support", "token", "sam", "--expires", "2h")
    listed = mediagate.json("support", "list")

    assert [(row["name"], row["state"]) for row in listed["tokens"]] == [("sam", "valid")]
    assert listed["domains"] == {}
    assert issued["token"] not in mediagate.ok("support", "list")
    assert mediagate.ok("support", "token", "sam", "--bare").startswith("mg_")
    assert mediagate.json("token", "list")[-1]["user"] == "support:sam"
    mediagate.ok("token", "revoke", issued["id"])
    assert "revoked" in {row["state"] for row in mediagate.json("support", "list")["tokens"]}


def test_a_domain_lets_support_in_for_a_time_and_explain_says_so(tmp_path: Path) -> None:
    """Off, support is refused as `support-off`; on, it reads and does not write; off again, it is out at once."""
    mediagate = initialised(tmp_path)
    mediagate.ok("object", "add", "asset:42", "--owner", ADA)

    def asked(action: str) -> tuple[int, str]:
        answer = mediagate("--json", "explain", "support:", action, "asset:42", "--role", "can_read_assets")
        return answer.code, answer.document["reason"]

    assert asked("read") == (1, "support-off")
    assert mediagate.ok("domain", "set", "default", "--support", "8h").startswith(
        "domain default lets support in until 2"
    )
    assert asked("read") == (0, "support")
    assert asked("write") == (1, "no-grant")
    assert list(mediagate.json("support", "list")["domains"]) == ["default"]
    assert (
        mediagate.ok("domain", "set", "default", "--support", "off") == "domain default lets no support in\n"
    )
    assert asked("read") == (1, "support-off")


def test_support_never_lasts(tmp_path: Path) -> None:
    """Neither a credential nor a switch without an end, or with one too far away, is taken."""
    mediagate = initialised(tmp_path)

    assert "always ends" in mediagate.fails("support", "token", "sam", "--expires", "never", code=2)
    assert "always ends" in mediagate.fails("domain", "set", "default", "--support", "never", code=2)
    assert "within 30 days" in mediagate.fails("support", "token", "sam", "--expires", "31d", code=2)
    assert "within 30 days" in mediagate.fails("domain", "set", "default", "--support", "31d", code=2)
