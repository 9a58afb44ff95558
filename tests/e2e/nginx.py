"""A real nginx on loopback: one that serves a folder and takes uploads, one that caches, one that stands in front, and one whose servers a test writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from e2e.servers import listening
from gateways import free_port
from tools import needed

_WHOLE: Final = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{inside}
}}
"""
_CONFIGURATION: Final = """
  sendfile on; client_max_body_size 0;
  default_type application/octet-stream;
  types {{ video/mp4 mp4; application/vnd.apple.mpegurl m3u8; video/mp2t ts; text/plain txt; }}
  server {{
    listen 127.0.0.1:{port};
    root {root};
    location / {{ dav_methods PUT DELETE; create_full_put_path on; }}
  }}
"""


_CACHE: Final = """
  proxy_cache_path {folder}/cache keys_zone=kept:1m;
  server {{
    listen 127.0.0.1:{port};
    location /inside/ {{ internal; return 200 "inside"; }}
    location / {{
      proxy_pass {url}; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_cache kept; proxy_cache_key $uri; proxy_cache_valid any 10m; add_header X-Cache $upstream_cache_status always;
    }}
  }}
"""


_FRONT: Final = """
  server {{
    listen 127.0.0.1:{port} {listen}; {tls}
    location / {{
      proxy_pass {passed_to}; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host "";
    }}
  }}
"""


@contextmanager
def nginx(folder: Path, root: Path) -> Iterator[str]:
    """Runs nginx until the block ends; yields its address.

    Args:
        folder: for its own files; it must exist.
        root: what it serves.
    """
    port = free_port()
    with _running(folder, _CONFIGURATION.format(port=port, root=root), port) as url:
        yield url


@contextmanager
def caching_nginx(folder: Path, url: str) -> Iterator[str]:
    """Runs nginx as a cache that keeps by path alone whatever it is not forbidden to keep; yields its address.

    Args:
        folder: for its own files; it must exist.
        url: what it stands in front of.
    """
    port = free_port()
    with _running(folder, _CACHE.format(folder=folder, port=port, url=url), port) as address:
        yield address


@contextmanager
def serving_nginx(folder: Path, servers: str, port: int) -> Iterator[str]:
    """Runs nginx with the servers that a test writes until the block ends; yields its address.

    Args:
        folder: for its own files; it must exist.
        servers: what stands in `http { }`, with a server that listens at `port`.
        port: of the loopback.
    """
    with _running(folder, servers, port) as address:
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
    port, listen = free_port(), "ssl" if pem else ""
    server = _FRONT.format(port=port, listen=listen, passed_to=passed_to, tls=tls)
    with _running(folder, server, port) as url:
        yield url.replace("http://127.0.0.1", "https://localhost") if pem else url


@contextmanager
def _running(folder: Path, inside: str, port: int) -> Iterator[str]:
    program, configuration = needed("nginx"), folder / "nginx.conf"
    configuration.write_text(_WHOLE.format(folder=folder, inside=inside))
    log = folder / "error.log"
    with listening((program, "-c", str(configuration), "-e", str(log)), port, log) as url:
        yield url
