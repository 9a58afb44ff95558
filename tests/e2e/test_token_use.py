"""When a token was last used is written, coarsely, and no decision waits for it."""

from pathlib import Path

import requests

from gateways import prepare, running
from models import changes, directory
from models.store import Store
from models.tables import TokenUse
from recorder import recording

ROUTES = "upstream: media\nroutes:\n  - GET /any: {action: read, role: none}\n"


def test_a_used_token_has_its_last_use_after_the_gateway_stopped(tmp_path: Path) -> None:
    """Uses are kept in memory and written by the time the gateway has stopped; the revision does not move for them."""
    with recording() as backend:
        store = prepare(tmp_path, f'[upstreams.media]\nurl = "{backend.url}"\n', routes=ROUTES)
        with store.write("test") as commit:
            domain = changes.create_domain(commit.session, "home")
            user = changes.create_user(commit.session, domain.id, "kim@example.org")
            application = changes.create_application(commit.session, domain.id, "player")
            token, text = changes.issue_token(commit.session, user.id, application.id)
            token_id = token.id
        revision = store.load(None, ()).mark.revision
        store.close()
        with running(tmp_path) as gateway:
            answer = requests.get(
                f"{gateway.url}/any", headers={"Authorization": f"Bearer {text}"}, timeout=10
            )
    after = Store.open(f"sqlite:///{tmp_path}/mediagate.db")
    with after.read() as session:
        use = session.get(TokenUse, token_id)
        tokens = directory.list_tokens(session, None)

    assert (answer.status_code, len(tokens)) == (200, 1)
    assert use is not None
    assert after.load(None, ()).mark.revision == revision
    after.close()
