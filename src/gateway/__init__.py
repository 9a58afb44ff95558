"""What happens to a request. The stages, in order; `pipeline` reads like this list.

request   `inbound`    ASGI scope → `Inbound`: what exactly was asked, from which address (`client_address`)
identity  `identity`   `Inbound` → `Identity`: who asks, and how that was proved
routes    `routes`     `Inbound` → `Operation`: which actions on which objects this is
authorize `authorize`  `Operation` → `Verdict`: `facts_keeper` has the facts, `policy` answers each question
prepare   `effects`    `Verdict` → intent: what a success would make true, written down first
forward   `forward`    `Inbound` → backend → client, through `upstream`; `headers` is the table of header rules
settle    `effects`    the backend's answer → facts, before the client sees it

Around them: `reasons` (the table of refusals), `errors`, `refusals`, `audit`, `bundle` (policies, routes, roles and scenarios as
one version), `settings`, `worker` (what a process holds), `app` and `server` (how it is served), `explain`, `cli`, `demo`.
"""
