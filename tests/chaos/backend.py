#!/usr/bin/env python3
"""The internal system behind one instance: backend.py NAME PORT FILE. Answers GET /N with its name
and N, and records that it was asked."""

import asyncio
import signal
import sys
import time

from history import Writer


async def main():
    name, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    history = Writer(path)

    async def serve(reader, writer):
        try:
            head = (await reader.readline()).split()
            if len(head) > 1:  # Otherwise a health probe.
                number = int(head[1][1:])
                history.write(time.monotonic(), "served", node=name, n=number)
                while (await reader.readline()).strip():
                    pass
                writer.write(b"HTTP/1.0 200 OK\r\n\r\n%s %d\n" % (name.encode(), number))
                await writer.drain()
        except (OSError, ValueError):
            pass
        finally:
            writer.close()

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=1024)
    await stop.wait()
    server.close()
    history.close()


if __name__ == "__main__":
    asyncio.run(main())
