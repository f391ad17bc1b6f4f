#!/usr/bin/env python3
"""Request loops as a process of their own: load.py ADDRESS PORT LOOPS PAUSE FILE [PATH].

Each loop asks once, waits until PAUSE seconds have passed since it began, and asks again, each on a
connection of its own. One line a request: start, end (monotonic seconds), what went wrong or nothing.
SIGTERM ends it when all have their answers.
"""

import asyncio
import gc
import signal
import sys
import time

LIMIT = 20.0


async def fetch(address, port, path):
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: crm.cloud\r\n\r\n".encode())
        answer = await reader.read()
    finally:
        writer.close()
    if not (answer.startswith(b"HTTP/1.0 200 ") and answer.endswith(b"\n")):
        raise OSError(f"no whole answer, only {answer[:60]!r}" if answer else "closed, no answer")


async def loop(stop, lines, address, port, pause, path, delay):
    await asyncio.sleep(delay)  # Spread evenly, not all at once.
    due = time.monotonic()
    while not stop.is_set():
        start, wrong = time.monotonic(), ""
        try:
            await asyncio.wait_for(fetch(address, port, path), LIMIT)
        except asyncio.TimeoutError:
            wrong = f"no answer within {LIMIT:.0f} s"
        except OSError as error:
            wrong = str(error).replace("\n", " ") or repr(error)
        lines.write(f"{start:.6f} {time.monotonic():.6f} {wrong}\n")
        due = max(due + pause, time.monotonic())
        await asyncio.sleep(due - time.monotonic())


async def main():
    address, port, count, pause, path = sys.argv[1:6]
    target = sys.argv[6] if len(sys.argv) > 6 else "/1"
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    gc.freeze()
    with open(path, "w", encoding="utf-8", buffering=1) as lines:
        await asyncio.gather(
            *(
                loop(stop, lines, address, int(port), float(pause), target, float(pause) * n / int(count))
                for n in range(int(count))
            )
        )


if __name__ == "__main__":
    asyncio.run(main())
