"""Measures the cost of stalled connections to the local cloud, in real seconds.

usage: stalls.py FIREFLY_LOCAL

Holds 200 connections with half a body, and some with half a head or nothing; meanwhile `/health` has to answer within a
second, and each has to be gone at its deadline: 10 s for a head, 30 s for a body, 60 s without a byte.
"""

import asyncio
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.parse

HALF_A_BODY = (b"POST /devices/register HTTP/1.1\r\nHost: x\r\nX-Registration-Key: A1B2C3\r\n"
               b"Content-Length: 1000\r\n\r\n{\"uuid\":")
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
# Name, what is sent, how many, the deadline in seconds, what the answer begins with.
STALLS = [
    ("half a body", HALF_A_BODY, 200, 30, b"HTTP/1.1 408 "),
    ("half a head", b"GET /health HTTP/1.1\r\nHost: ", 20, 10, b""),
    ("half a head ahead of its turn", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\n", 20, 10,
     b"HTTP/1.1 200 "),
    ("nothing", b"", 20, 60, b""),
]
# What a busy machine may add, in seconds.
GRACE = 5


async def stall(address, name, sent, deadline, expected):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    began = time.monotonic()
    try:
        said = await asyncio.wait_for(reader.read(), deadline + GRACE)
    except ConnectionResetError:
        said = expected
    except TimeoutError:
        raise SystemExit(f"{name}: not gone after {deadline + GRACE} s") from None
    lasted = time.monotonic() - began
    if lasted < deadline - 0.5 or not said.startswith(expected):
        raise SystemExit(f"{name}: ended after {lasted:.1f} s with {said!r}")
    return lasted


async def health(address):
    """The slowest of some answers, in seconds."""
    slowest = 0.0
    for _ in range(20):
        began = time.monotonic()
        reader, writer = await asyncio.open_connection(*address)
        writer.write(HEALTH)
        answer = await reader.read()
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"/health answers {answer!r}")
        slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(0.25)
    return slowest


async def check(url):
    address = (url.hostname, url.port)
    stalls = [asyncio.create_task(stall(address, name, sent, deadline, expected))
              for name, sent, count, deadline, expected in STALLS for _ in range(count)]
    await asyncio.sleep(1)
    slowest = await health(address)
    if slowest >= 1:
        raise SystemExit(f"/health took {slowest:.2f} s")
    lasted = await asyncio.gather(*stalls)
    print(f"/health took at most {slowest * 1000:.0f} ms beside {len(stalls)} stalled connections")
    for name, _, count, deadline, _ in STALLS:
        ended, lasted = lasted[:count], lasted[count:]
        print(f"{name}: {count} gone after {min(ended):.1f} to {max(ended):.1f} s (deadline {deadline} s)")


def main():
    if len(sys.argv) != 2:
        raise SystemExit("usage: stalls.py FIREFLY_LOCAL")
    with tempfile.TemporaryDirectory() as directory:
        data = str(pathlib.Path(directory) / "data")
        arguments = [sys.argv[1], "--listen", "127.0.0.1:0", "--ephemeral", "--data-dir", data]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as cloud:
            try:
                asyncio.run(check(urllib.parse.urlsplit(cloud.stdout.readline().split()[-1])))
            finally:
                cloud.terminate()


if __name__ == "__main__":
    main()
