"""`mediagate client-ip` tells what the gateway believes, hop by hop."""

from pathlib import Path

from commandline import CommandLine


def gate(folder: Path) -> CommandLine:
    """A command line whose settings trust the proxies in 10.0.0.0/8."""
    (folder / "mediagate.toml").write_text('[proxies]\ntrusted = ["10.0.0.0/8"]\n')
    return CommandLine(folder)


def test_hops_are_shown_from_the_peer_leftwards(tmp_path: Path) -> None:
    """Proxies are passed over, what stands left of the client is not looked at, lines are joined."""
    told = gate(tmp_path).json(
        "client-ip", "--peer", "::ffff:10.0.0.2", "--header", "X-Forwarded-For: 1.1.1.1",
        "--header", "x-forwarded-for: 203.0.113.9, 10.0.0.3",
    )  # fmt: skip

    assert told["client"] == "203.0.113.9"
    assert [step["address"] for step in told["steps"]] == ["10.0.0.2", "10.0.0.3", "203.0.113.9"]
    assert [step["why"].startswith("not") for step in told["steps"]] == [False, False, True]


def test_a_peer_that_is_no_proxy_is_the_client(tmp_path: Path) -> None:
    """What such a peer claims is not looked at, be it garbage."""
    said = gate(tmp_path).ok("client-ip", "--peer", "192.0.2.1", "--header", "X-Forwarded-For: rubbish")

    assert said == "192.0.2.1: not a configured proxy\nthe client is 192.0.2.1\n"


def test_what_would_be_refused_is_said(tmp_path: Path) -> None:
    """An entry that cannot be parsed where one must be believed is a refusal, exit code 1; a header without colon is wrong use."""
    command = gate(tmp_path)

    assert "refused" in command.fails(
        "client-ip", "--peer", "10.0.0.2", "--header", "X-Forwarded-For: x", code=1
    )
    assert "NAME: VALUE" in command.fails("client-ip", "--peer", "10.0.0.2", "--header", "x", code=2)
