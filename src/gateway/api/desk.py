"""Takes a judged request to its operation, off the event loop, and answers it.

Rules:

1. It was judged and audited as any other request. What its operation refuses besides is a refusal with a line of its own.
2. Operations run in few threads of their own, so that they can wait for facts that the loop loads with others. One that is awaited runs on the
   loop, and keeps no thread from others while it waits for its turn.
3. A change is made to its end though its client leaves.
4. A page of another origin changes nothing in the name of whoever looks at it: browsers send credentials of `Basic` by themselves, and say
   where a request comes from (`Sec-Fetch-Site`). A body is JSON and says so.
5. Why a change was refused is told. What is of another domain is told word for word as what is not there.
6. No answer is kept by anybody: each is one caller's, and some hold a credential.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import msgspec

from gateway.api.attempts import Attempts
from gateway.api.call import Call
from gateway.api.conditions import tag_of
from gateway.api.operations import Answer, Operation, told
from gateway.api.services import SERVICES
from gateway.caching import VARY
from gateway.case import Case
from gateway.downstream import Turn
from gateway.errors import GatewayError
from gateway.facts_keeper import FactsKeeper
from gateway.limits import Rates
from gateway.local_services import LOCAL
from gateway.reasons import Reason
from gateway.reception import Reception
from gateway.whole_body import read_body
from models import changes
from models.passwords import PasswordError
from models.store import Store, StoreUnavailableError

THREADS: Final = 4
"""Operations of one worker at a time; others wait, bounded by the requests that may be under way (`limits.in_flight`)."""
MAX_BODY: Final = 1_048_576
"""Bytes of what an operation takes."""

_READING: Final = frozenset(("GET", "HEAD", "OPTIONS"))
_SAME_ORIGIN: Final = (None, b"same-origin", b"none")
_NO_CONTENT: Final = 204


class Desk:
    """Answers for one worker."""

    def __init__(self, store: Store, facts: FactsKeeper, rates: Rates | None, reception: Reception) -> None:
        """Takes what is stored, what is known of it, how often somebody may guess, and where visitors come in; made on the loop."""
        self._store, self._facts, self._reception = store, facts, reception
        self._attempts = Attempts(rates, asyncio.get_running_loop())
        self._threads = ThreadPoolExecutor(THREADS, "mediagate-api")

    def close(self) -> None:
        """Ends the threads, when what they do is done."""
        self._threads.shutdown()

    async def answer(self, case: Case, turn: Turn) -> None:
        """Answers an allowed request whose row names an operation.

        Raises:
            GatewayError: the operation refuses it, or what came cannot be read.
        """
        row, inbound = case.decided.row, case.inbound
        operation = SERVICES[row.upstream.removeprefix(LOCAL)].operations[row.operation]
        reads = inbound.method in _READING
        if not reads and inbound.fields.get(b"sec-fetch-site") not in _SAME_ORIGIN:
            raise GatewayError(Reason.BAD_HEADERS, "a page of another origin sent it")
        body = b"" if reads else await read_body(turn.receive, MAX_BODY)
        if body and not _is_json(inbound.fields.get(b"content-type", b"")):
            raise told(
                Reason.BAD_BODY,
                "the body is not JSON that says so: send it with `Content-Type: application/json`",
            )
        call = Call(case, self._store, self._facts, self._attempts, self._reception)
        if operation.is_awaited:
            with _explained():
                answer = await operation.answer_awaited(call, body, inbound.query_pairs())
        else:
            work = partial(_run, operation, call, body)
            running = asyncio.get_running_loop().run_in_executor(self._threads, work)
            answer = await asyncio.shield(running)
        await _send(turn, operation, case, answer)


def _run(operation: Operation, call: Call, body: bytes) -> Answer[Any]:
    with _explained():
        return operation.answer(call, body, call.case.inbound.query_pairs())


@contextmanager
def _explained() -> Iterator[None]:
    """Makes refusals of what the store refuses (rule 5)."""
    try:
        yield
    except StoreUnavailableError as error:
        raise GatewayError(Reason.STORE_UNAVAILABLE, str(error)) from error
    except changes.ForeignError as error:
        refused = told(Reason.NOT_FOUND, error.unknown)
        refused.detail = str(error)
        raise refused from error
    except changes.UnknownError as error:
        raise told(Reason.NOT_FOUND, str(error)) from error
    except (changes.InvalidError, PasswordError) as error:
        raise told(Reason.BAD_VALUE, str(error)) from error
    except changes.ChangeError as error:
        raise told(Reason.CONFLICT, str(error)) from error


async def _send(turn: Turn, operation: Operation, case: Case, answer: Answer[Any]) -> None:
    headers = [
        (b"cache-control", b"no-store"),
        VARY,
        (b"x-request-id", case.inbound.request_id.encode()),
    ]
    headers += [
        (b"x-mediagate-warning", text.encode("ascii", "backslashreplace")) for text in answer.warnings
    ]
    body, document = b"", answer.document
    if answer.status != _NO_CONTENT:
        body = msgspec.json.encode({} if document is None else document)
        headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if operation.tagged:
            headers.append((b"etag", tag_of(document)))
    await turn.send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await turn.send({"type": "http.response.body", "body": body})


def _is_json(content_type: bytes) -> bool:
    return content_type.partition(b";")[0].strip().lower() == b"application/json"
