"""The other media service: copyparty, unmodified from the package index, told to trust the gateway and nobody else.

Rules:

1. It listens on loopback only, announces itself nowhere and asks nobody for updates.
2. Nobody signs in to it: without one of the secrets that only the gateway knows, nothing is shown. A secret comes as
   a header, not as a password, so that copyparty never hands a session cookie of its own to a browser.
3. There is a secret for each kind of operation, and each opens only what that kind needs: whatever a form or a
   parameter might ask for beyond what the route map judged, copyparty itself refuses.
4. Banning is off: to copyparty all callers are one, and one clumsy caller must not lock out the others.
"""

import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEADER: Final = "x-copyparty-gateway"
BROWSE, INBOX, REMOVE = "browse", "inbox", "remove"
UPSTREAMS: Final = {BROWSE: "copyparty", INBOX: "copyparty-inbox", REMOVE: "copyparty-remove"}
"""Account → the gateway's upstream that uses it: reading and adding everywhere, adding in the inbox, deleting."""

_SETTINGS: Final = """\
  i: 127.0.0.1
  env-expand: 0
  http-only
  no-crt
  no-robots
  name: mediagate demo

  # who is trusted: connections of this machine that bring a secret
  xff-src: 127.0.0.0/8
  rproxy: -1
  idp-store: 0
  no-ses
  no-bauth
  dont-ban: any

  # what could show or change more than the folder or file that the gateway judged
  no-zip
  no-readme
  no-logues
  no-html
  no-cp
  no-mv
  no-tail
  no-lifetime
  force-js
  blank-wt: 0
  unpost: 0
  u2abort: 0
  apnd-who: no
  urlform: get
  th-covers: .no-cover

  # pages for its administrator
  no-rescan
  no-reload
  no-stack
  no-ups-page
  no-up-list
  nid
  ui-nocpla
  ui-noacci
"""


@dataclass(frozen=True, slots=True)
class Places:
    """Where copyparty keeps what.

    Attributes:
        files: the folder that it serves; `inbox` stands in it.
        state: its own folder: settings, thumbnails.
    """

    files: Path
    state: Path

    @property
    def settings(self) -> Path:
        """The file with its settings, secrets among them."""
        return self.state / "copyparty.conf"


def settings_text(places: Places, port: int, keys: dict[str, str]) -> str:
    """Returns the settings that serve `places` on `port`, opened by the `keys` of the accounts."""
    trusted = "".join(f"  idp-hm-usr: ^{HEADER}^{keys[name]}^{name}\n" for name in UPSTREAMS)
    accounts = "".join(f"  {name}: {secrets.token_urlsafe(32)}\n" for name in UPSTREAMS)
    return (
        f"[global]\n  p: {port}\n  hist: {places.state / 'hist'}\n{_SETTINGS}{trusted}\n"
        f"[accounts]\n{accounts}\n"
        f"[/]\n  {places.files}\n  accs:\n    rw: {BROWSE}\n    rd: {REMOVE}\n\n"
        f"[/inbox]\n  {places.files / 'inbox'}\n  accs:\n    rw: {BROWSE}\n    rd: {REMOVE}\n    w: {INBOX}\n"
    )


def command(places: Places) -> list[str]:
    """Returns the command line that starts it; it holds no secret."""
    return [sys.executable, "-m", "copyparty", "-q", "-c", str(places.settings)]


def environment(places: Places) -> dict[str, str]:
    """Returns the variables that keep everything it writes inside its own folder."""
    home = str(places.state)
    return {"HOME": home, "XDG_CONFIG_HOME": home, "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
