"""The README's second screen, run verbatim by a shell against a real nginx on the port that it names."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools import needed

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"<!-- a test runs the next block verbatim.*?-->\n```sh\n(.*?)```", re.DOTALL)
NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:8000; root {folder}/www; }}
}}
"""
READY = (
    "for _ in $(seq 200); do curl -sf http://127.0.0.1:8080/-/readyz >/dev/null && break; sleep 0.1; done\n"
)


@contextmanager
def newcomers_nginx(folder: Path) -> Iterator[None]:
    """Runs nginx as a newcomer has it: /shows/pilot.mp4 on port 8000."""
    (folder / "www" / "shows").mkdir(parents=True)
    (folder / "www" / "shows" / "pilot.mp4").write_bytes(b"not really a film\n")
    (folder / "nginx.conf").write_text("user root;" * (os.getuid() == 0) + NGINX.format(folder=folder))
    command = ("nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log"))
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def is_free(port: int) -> bool:
    """Tells whether nobody listens on a port of the loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_second_screen_of_the_readme_works_as_it_stands(tmp_path: Path) -> None:
    """The commands run verbatim; Eve gets 200, nobody is told to sign in, and explain names the entry."""
    needed("nginx")
    needed("curl")
    if not (is_free(8000) and is_free(8080) and is_free(9180)):
        pytest.fail(
            "the README's commands use the ports 8000, 8080 and 9180: stop what listens there and run again"
        )
    setting_up, asking = BLOCK.findall((ROOT / "README.md").read_text())
    here = tmp_path / "checkout"
    here.mkdir()
    (here / ".venv").symlink_to(ROOT / ".venv")
    script = f"set -eu\n{setting_up}\n{READY}{asking}\nkill %1\nwait %1 || true\n"
    with newcomers_nginx(tmp_path):
        shell = subprocess.Popen(
            ("bash", "-mc", script), cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            said, complained = shell.communicate(timeout=60)
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGKILL)

    assert shell.returncode == 0, complained
    assert "\n200\n" in said
    assert '"reason":"signed-in"' in said
    assert "inherited-acl" in said.rsplit("allowed: eve@example.org read", 1)[1]
