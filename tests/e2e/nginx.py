"""A real nginx on loopback: one that serves a folder and takes uploads into it, and one that caches, one whose servers a test writes, and one that only stands in front."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from gateways import free_port
from tools import needed

PATIENCE: Final = 20.0
_CONFIGURATION: Final = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  default_type application/octet-stream;
  types {{ video/mp4 mp4; application/vnd.apple.mpegurl m3u8; video/mp2t ts; text/plain txt; }}
  server {{
    listen 127.0.0.1:{port};
    root {root};
    location / {{ dav_methods PUT DELETE; create_full_put_path on; }}
  }}
}}
"""


_CACHE: Final = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  proxy_cache_path {folder}/cache keys_zone=kept:1m;
  server {{
    listen 127.0.0.1:{port};
    location /inside/ {{ internal; return 200 "inside"; }}
    location / {{
      proxy_pass {url}; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_cache kept; proxy_cache_key $uri; proxy_cache_valid any 10m; add_header X-Cache $upstream_cache_status always;
    }}
  }}
}}
"""


_FRONT: Final = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} {listen}; {tls}
    location / {{
      proxy_pass {passed_to}; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host "";
    }}
  }}
}}
"""

_BARE: Final = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {servers}
}}
"""


@contextmanager
def nginx(folder: Path, root: Path) -> Iterator[str]:
    """Runs nginx until the block ends; yields its address.

    Args:
        folder: for its own files; it must exist.
        root: what it serves.
    """
    with _running(folder, _CONFIGURATION, root=root) as url:
        yield url


@contextmanager
def caching_nginx(folder: Path, url: str) -> Iterator[str]:
    """Runs nginx as a cache that keeps by path alone whatever it is not forbidden to keep; yields its address.

    Args:
        folder: for its own files; it must exist.
        url: what it stands in front of.
    """
    with _running(folder, _CACHE, url=url) as address:
        yield address


@contextmanager
def serving_nginx(folder: Path, servers: str, port: int) -> Iterator[str]:
    """Runs nginx with the servers that a test writes until the block ends; yields its address.

    Args:
        folder: for its own files; it must exist.
        servers: what stands in `http { }`, with a server that listens at `port`.
        port: of the loopback.
    """
    with _running(folder, _BARE, port, servers=servers) as address:
        yield address


@contextmanager
def fronting_nginx(folder: Path, passed_to: str, *, pem: Path | None = None) -> Iterator[str]:
    """Runs nginx in front of something until the block ends; yields its address.

    Args:
        folder: for its own files; it must exist.
        passed_to: the argument of `proxy_pass`: with a path, if only `/`, nginx forwards its own reading of the target.
        pem: certificate and key; None for plain HTTP.
    """
    tls = f"ssl_certificate {pem}; ssl_certificate_key {pem};" if pem else ""
    with _running(folder, _FRONT, passed_to=passed_to, tls=tls, listen="ssl" if pem else "") as url:
        yield url.replace("http://127.0.0.1", "https://localhost") if pem else url


@contextmanager
def _running(folder: Path, configuration: str, port: int = 0, **values: object) -> Iterator[str]:
    program, port = needed("nginx"), port or free_port()
    (folder / "nginx.conf").write_text(configuration.format(folder=folder, port=port, **values))
    command = (program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log"))
    process = subprocess.Popen(command)
    try:
        _wait(process, port, folder / "error.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"nginx ended with {process.returncode}:\n{log.read_text()}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError("nginx does not listen")
