"""One measurement of one rung: wrk at its fastest, one long stream, or a constant rate; each answer must be a whole 2xx."""

import json
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import processor
from bench.openloop import Order
from bench.questions import Questions

Figures = dict[str, float]
SIZES = {"1k": 1 << 10, "64k": 1 << 16, "1g": 1 << 30}
GIB = SIZES["1g"]
_CHUNK = 1 << 20
_PATIENCE = 60
"""Seconds beyond its own time in which a load generator must have ended."""
_SCRIPT = Path(__file__).with_name("questions.lua")


class LoadError(Exception):
    """A measurement that means nothing, since something was not answered as it should be."""


@dataclass(frozen=True, slots=True)
class Rung:
    """Something that answers.

    Attributes:
        name: what it is called in tables.
        port: where it listens on the loopback.
        questions: what it is asked.
        processes: what is counted for it, with all descendants: neither backend nor load generator.
    """

    name: str
    port: int
    questions: Questions
    processes: tuple[int, ...] = ()


def fastest(rung: Rung, body: str, connections: int, seconds: float, seed: int) -> Figures:
    """Returns what wrk sees when every connection asks again as soon as it is answered."""
    questions = rung.questions
    arguments = [str(seed), str(questions.objects), questions.below, body]
    if questions.tokens:
        arguments.append(str(questions.tokens))
    command = ("wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(_SCRIPT))
    begun = processor.seconds(rung.processes)
    said = subprocess.run(
        (*command, f"http://127.0.0.1:{rung.port}/", "--", *arguments),
        check=True,
        capture_output=True,
        text=True,
        timeout=seconds + _PATIENCE,
    ).stdout
    spent = processor.seconds(rung.processes) - begun
    saw = json.loads(said.partition("RESULT ")[2].partition("\n")[0])
    if saw["errors"] or not saw["requests"] or saw["bytes"] < saw["requests"] * SIZES[body]:
        raise LoadError(f"{rung.name} did not answer everything with 2xx and {body}:\n{said}")
    figures = {
        "rps": saw["requests"] / saw["us"] * 1e6,
        "p50_ms": saw["p50"] / 1000,
        "p99_ms": saw["p99"] / 1000,
    }
    return figures | ({"cpu_us": spent / saw["requests"] * 1e6} if rung.processes else {})


def stream(rung: Rung, seed: int) -> Figures:
    """Returns how fast one gibibyte comes (MB/s, of a million bytes) and the processor seconds it costs."""
    request = next(rung.questions.drawn("1g", 1, seed))
    begun, clock = processor.seconds(rung.processes), time.perf_counter()
    with socket.create_connection(("127.0.0.1", rung.port), timeout=60) as client:
        client.sendall(request)
        buffer = bytearray(_CHUNK)
        got = client.recv_into(buffer)
        head, _, body = bytes(buffer[:got]).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200") or f"content-length: {GIB}" not in head.decode().lower():
            raise LoadError(f"{rung.name} did not stream:\n{head.decode('latin-1')}")
        left = GIB - len(body)
        while left:
            got = client.recv_into(buffer)
            if not got:
                raise LoadError(f"{rung.name} ended {left} bytes before the end")
            left -= got
    taken = time.perf_counter() - clock
    spent = processor.seconds(rung.processes) - begun
    return {"mb_per_s": GIB / taken / 1e6} | ({"cpu_s_per_gib": spent} if rung.processes else {})


def held(rung: Rung, rate: float, seconds: float, seed: int) -> Figures:
    """Returns latencies of 1 KiB at a constant rate over 64 connections, from when each request was due."""
    questions = rung.questions
    order = Order(
        port=rung.port,
        connections=64,
        rate=rate,
        seconds=seconds,
        tokens=str(questions.tokens or ""),
        objects=questions.objects,
        body="1k",
        seed=seed,
    )
    begun = processor.seconds(rung.processes)
    ran = subprocess.run(
        (sys.executable, "-m", "bench.openloop"),
        input=json.dumps(asdict(order)),
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + _PATIENCE,
    )
    spent = processor.seconds(rung.processes) - begun
    if ran.returncode:
        raise LoadError(f"{rung.name} at {rate:.0f} requests per second:\n{ran.stderr}")
    figures: Figures = json.loads(ran.stdout)
    return figures | ({"cpu_us": spent / int(rate * seconds) * 1e6} if rung.processes else {})
