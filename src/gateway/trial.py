"""The trial of a bundle, in a process of its own: loading one can end or stall a process, so this one is bounded and expendable.

Rules:

1. The child bounds itself before it loads anything: processor time, memory, wall time; it writes no file.
2. It gets no environment of ours, so no secret.
3. However it ends, that is an answer: an empty list of problems, or sentences that say what to do.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from gateway.bundle import Bundle

MAX_PROBLEMS: Final = 100
MAX_SENTENCE: Final = 500
_SHARE: Final = 0.6
"""Part of the processor time after which no further scenario is begun, so that what was found can be told."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried, and within which bounds.

    Attributes:
        folder: a private copy of the bundle.
        upstreams: the backends that routes may name.
        prefix: the path prefix closed to routes.
        cpu: seconds of processor time.
        seconds: seconds by the clock.
        memory: bytes of address space.
        max_file: bytes that one Polar file may have.
    """

    folder: str
    upstreams: tuple[str, ...]
    prefix: str
    cpu: float
    seconds: float
    memory: int
    max_file: int = 1_048_576


def problems_of(trial: Trial, stop: threading.Event) -> list[str] | None:
    """Runs the trial in a child and returns its problems; None if `stop` ended it before there was an answer."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "gateway.trial"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        cwd=trial.folder,
        start_new_session=True,  # an interrupt from the terminal is for the gateway
    ) as child:
        until = time.monotonic() + trial.seconds
        request: bytes | None = json.dumps(asdict(trial)).encode()
        while True:
            try:
                said, _ = child.communicate(request, timeout=0.05)
                break
            except subprocess.TimeoutExpired:
                request = None
            except BrokenPipeError:  # it ended before it read what to try
                said = b""
                break
            if stop.is_set() or time.monotonic() > until:
                child.kill()
                child.communicate()
                return None if stop.is_set() else [_late(trial)]
    return _answer(child.returncode, said, trial)


def _environment() -> dict[str, str]:
    """Returns what the child may see of our environment (rule 2)."""
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME")
    return {name: value for name in kept if (value := os.environ.get(name))} | {
        "PYTHONDONTWRITEBYTECODE": "1"
    }


def _answer(code: int, said: bytes, trial: Trial) -> list[str]:
    if code == 0:
        try:
            return [str(problem) for problem in json.loads(said)["problems"]]
        except (ValueError, KeyError, TypeError):
            return ["the trial gave no answer that can be read: this is a fault of mediagate"]
    if -code == signal.SIGXCPU:
        return [
            f"loading and proving it takes more than {trial.cpu:g} s of processor time (`policies.trial_cpu`): write less"
        ]
    if -code == signal.SIGALRM:
        return [_late(trial)]
    how = f"with {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
    why = (
        f"expressions nested too deep, or more than {trial.memory} bytes of memory (`policies.trial_memory`)"
    )
    return [f"loading it ended the process that tried it ({how}): {why}: write less"]


def _late(trial: Trial) -> str:
    return f"loading and proving it takes more than {trial.seconds:g} s (`policies.trial_time`): write less"


def main() -> None:
    """The child: reads what to try from standard input, answers with one JSON document."""
    job: dict[str, Any] = json.load(sys.stdin)
    trial = Trial(**job)
    _bound(trial)
    try:
        problems = list(_problems(trial))
    except MemoryError:
        problems = [
            f"it needs more than {trial.memory} bytes of memory (`policies.trial_memory`): write less"
        ]
    except Exception as error:  # noqa: BLE001 - rule 3
        problems = [f"loading it failed: {type(error).__name__}: {error}"]
    shown = [" ".join(problem.split())[:MAX_SENTENCE] for problem in problems[:MAX_PROBLEMS]]
    if len(problems) > MAX_PROBLEMS:
        shown.append(f"and {len(problems) - MAX_PROBLEMS} more")
    print(json.dumps({"problems": shown}))  # noqa: T201 - the answer
    sys.stdout.flush()
    os._exit(0)  # nothing to tidy, and tidying what was loaded may take long


def _bound(trial: Trial) -> None:
    """Sets the bounds of this process (rule 1)."""
    cpu = ceil(trial.cpu)
    wanted = {
        resource.RLIMIT_CPU: (cpu, cpu + 1),  # a signal that tells why, then one that nothing holds up
        resource.RLIMIT_AS: (trial.memory, trial.memory),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_FSIZE: (0, 0),
    }
    for kind, bounds in wanted.items():
        with suppress(ValueError, OSError):  # the system has a lower bound already, or none of this kind
            resource.setrlimit(kind, bounds)
    signal.setitimer(signal.ITIMER_REAL, trial.seconds)


def _problems(trial: Trial) -> Iterator[str]:
    from gateway.bundle import load_bundle
    from gateway.errors import ConfigurationError

    try:
        bundle = load_bundle(Path(trial.folder), set(trial.upstreams), trial.prefix, max_file=trial.max_file)
    except ConfigurationError as error:
        yield from error.problems
        return
    yield from failures(bundle, trial.cpu * _SHARE)


def failures(bundle: "Bundle", cpu: float) -> Iterator[str]:
    """Yields a sentence for each case of the scenarios that the bundle answers otherwise.

    Args:
        bundle: what is asked.
        cpu: seconds of this process's processor time after which no further case is asked.
    """
    from gateway.proving import failure_of

    for scenario in bundle.scenarios:
        for case in scenario.cases:
            failure = failure_of(bundle.policy, bundle.role_floor, scenario, case)
            if failure is not None:
                turn = failure.turn
                yield failure.line + (f" at {failure.steps[turn].rule}" if turn is not None else "")
            if time.process_time() > cpu:
                yield "scenarios: they take too much processor time (`policies.trial_cpu`): a rule without end, or too many"
                return


if __name__ == "__main__":
    main()
