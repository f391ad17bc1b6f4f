#!/usr/bin/env python3
"""A client of the cloud: client.py ADDRESS PORT RATE FILE. Sends numbered requests through the
tunnel, each once and on a connection of its own, at that rate whether or not answers come."""

import asyncio
import signal
import sys
import time

from history import Writer

LIMIT = 15.0  # Seconds for one request; longer than a gateway parks.
UNDER_WAY = 256  # Requests at a time; past it the rate sinks.


async def fetch(address, port, number):
    """Which instance answered."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(b"GET /%d HTTP/1.0\r\n\r\n" % number)
        body = (await reader.read()).partition(b"\r\n\r\n")[2]
    finally:
        writer.close()
    name, _, said = body.decode().strip().partition(" ")
    if said != str(number):
        raise OSError(f"another answer: {body[:60]!r}" if body else "closed without an answer")
    return name


async def request(history, free, address, port, number):
    start, node, error = time.monotonic(), None, None
    try:
        node = await asyncio.wait_for(fetch(address, port, number), LIMIT)
    except asyncio.TimeoutError:
        error = f"no answer within {LIMIT} s"
    except (OSError, ValueError) as problem:
        error = str(problem) or repr(problem)
    finally:
        free.release()
    history.write(start, "request", n=number, end=round(time.monotonic(), 6), node=node, error=error)


async def main():
    address, port, rate, path = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    history, free, tasks = Writer(path), asyncio.Semaphore(UNDER_WAY), set()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    due, number = time.monotonic(), 0
    while not stop.is_set():
        await free.acquire()  # Given back within LIMIT, so a stop is seen soon enough.
        number += 1
        task = asyncio.create_task(request(history, free, address, port, number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        # What could not be sent in time is not caught up with: a burst would measure itself.
        due = max(due + 1 / rate, time.monotonic() - 1 / rate)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    await asyncio.gather(*tasks)
    history.close()


if __name__ == "__main__":
    asyncio.run(main())
