"""Sockets of the scenarios: free ports, a backend, a client, and a proxy whose links can be cut."""

import asyncio
import http.client
import os
import random
import socket
import threading
import time

HOST = "127.0.0.1"
# Below the range from which the system takes the ports of outgoing connections, so that a client
# never sits on the port of a process that is just restarted.
PORTS = range(12000, 32000)


def free_ports(count):
    """Ports nobody listens on, all different."""
    held = {}
    while len(held) < count:
        port = random.choice(PORTS)
        if port in held:
            continue
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            held[port] = listener
        except OSError:
            listener.close()
    for listener in held.values():
        listener.close()
    return list(held)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, as the admin API speaks it."""

    def __init__(self, path, limit):
        super().__init__("localhost", timeout=limit)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def fetch(port, limit=10.0, path="/"):
    """The body of one GET through the gateway. Raises OSError when there is no whole answer."""
    with socket.create_connection((HOST, port), timeout=limit) as client:
        client.sendall(f"GET {path} HTTP/1.0\r\nHost: crm.cloud\r\n\r\n".encode())
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.0 200 "):
        raise OSError(f"no whole answer, only {answer[:60]!r}")
    return body


def by_socks(port, host, host_port, limit=10.0):
    """A connection to a virtual host through the SOCKS5 door at `port`. Raises OSError when it is
    denied."""
    client = socket.create_connection((HOST, port), timeout=limit)
    try:
        name = host.encode()
        request = b"\x05\x01\x00\x03" + bytes([len(name)]) + name + host_port.to_bytes(2, "big")
        for said, size in ((b"\x05\x01\x00", 2), (request, 10)):
            client.sendall(said)
            answer = b""
            while len(answer) < size and (chunk := client.recv(size - len(answer))):
                answer += chunk
            if len(answer) < size or answer[1] != 0:
                raise OSError(f"the gateway answers {answer.hex()} for {host}")
        return client
    except OSError:
        client.close()
        raise


BIG_BLOCK, BIG_BLOCKS = 65536, 1024  # What /big answers with: each block is its number, repeated.


def big_block(number):
    return number.to_bytes(8, "big") * (BIG_BLOCK // 8)


class Download:
    """GET /big through the gateway, read as fast as the caller wants to: what is not read holds the
    stream open. Every byte is compared."""

    def __init__(self, port):
        self.client = socket.create_connection((HOST, port), timeout=20)
        self.client.sendall(b"GET /big HTTP/1.0\r\n\r\n")
        self.reader = self.client.makefile("rb")
        while self.reader.readline().strip():
            pass
        self.blocks = 0

    def read(self, blocks):
        """Reads so many blocks more. Raises OSError when one is not what was sent."""
        for _ in range(blocks):
            if self.reader.read(BIG_BLOCK) != big_block(self.blocks):
                raise OSError(f"block {self.blocks} of the download is not what was sent")
            self.blocks += 1

    def finish(self):
        self.read(BIG_BLOCKS - self.blocks)
        if rest := self.reader.read():
            raise OSError(f"{len(rest)} bytes too many")
        self.client.close()


class Loop:
    """An asyncio loop on a thread of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        # Streams that are cut are what scenarios are about, and no news.
        self.loop.set_exception_handler(lambda loop, context: None)
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    async def _cancel(self):
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def close(self):
        self.run(self._cancel())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


def owner_of(port, pids):
    """Which of the processes {name: pid} holds the socket of this local port, or what is known of
    that socket."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        lines = [line.split() for line in table.readlines()[1:]]
    lines = [line for line in lines if line[1].endswith(f":{port:04X}")]
    inodes = {f"socket:[{line[9]}]" for line in lines}
    for name, pid in pids.items():
        try:
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{descriptor}") in inodes:
                    return name
        except OSError:
            continue
    return f"nobody: state and inode {[(line[3], line[9]) for line in lines]}"


class Backend:
    """The internal system: answers every request with one body and counts. /slow takes its time,
    so that such a request is under way when something happens. "LINES" instead of a request gives
    back each line when it arrives, for streams that stay open. /big is long: see Download.
    """

    BODY = b"hello from the backend\n"
    SLOW = 0.1

    def __init__(self):
        self.count = 0
        self.pids = None  # Callable that gives {name: pid}; then `served_by` is filled.
        self.served_by = []  # (time, name of the instance)
        self.loop = Loop()
        self.server = self.loop.run(asyncio.start_server(self._serve, HOST, 0, backlog=1024))
        self.port = self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer):
        try:
            head = await reader.readline()
            if not head:
                return  # A health probe.
            if self.pids:
                name = owner_of(writer.get_extra_info("peername")[1], self.pids())
                self.served_by.append((time.monotonic(), name))
            if head.startswith(b"LINES"):
                while line := await reader.readline():
                    writer.write(line)
                    await writer.drain()
                return
            while (await reader.readline()).strip():
                pass
            if head.startswith(b"GET /slow "):
                await asyncio.sleep(self.SLOW)
            self.count += 1
            if head.startswith(b"GET /big "):
                writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
                for number in range(BIG_BLOCKS):
                    writer.write(big_block(number))
                    await writer.drain()
                return
            writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.BODY))
            writer.write(self.BODY)
            await writer.drain()
        except (OSError, ValueError):
            pass
        finally:
            writer.close()

    def close(self):
        self.loop.loop.call_soon_threadsafe(self.server.close)
        self.loop.close()


class Proxy:
    """Passes TCP connections on to a port.

    `cut()` lets nothing through any more, as a cable that was pulled: connections stay, new ones
    are accepted by the host in between and lead nowhere. `refuse()` is a host that is up without
    the process: connections are reset, new ones refused. `half()` lets only one direction through:
    what the dialling side says. `heal()` lets all through again; what was under way is reset.
    """

    def __init__(self, target):
        self.target = target
        self.mode = "pass"
        self.writers = set()
        self.loop = Loop()
        self.server = None
        self.port = 0
        self.loop.run(self._listen())

    async def _listen(self):
        if self.server is None:
            self.server = await asyncio.start_server(self._pass, HOST, self.port)
            self.port = self.server.sockets[0].getsockname()[1]

    async def _pass(self, reader, writer):
        self.writers.add(writer)
        far = None
        try:
            while self.mode == "cut":
                await asyncio.sleep(0.02)
            far_reader, far = await asyncio.open_connection(HOST, self.target)
            self.writers.add(far)
            await asyncio.gather(
                self._pump(reader, far, ("cut",)), self._pump(far_reader, writer, ("cut", "half"))
            )
        except OSError:
            pass
        finally:
            for end in (writer, far):
                if end is not None:
                    self.writers.discard(end)
                    end.close()

    async def _pump(self, reader, writer, closed_in):
        try:
            while chunk := await reader.read(65536):
                while self.mode in closed_in:
                    await asyncio.sleep(0.02)
                writer.write(chunk)
                await writer.drain()
        finally:
            writer.close()

    async def _set(self, mode):
        self.mode = mode
        if mode in ("pass", "refuse"):
            for writer in list(self.writers):
                writer.transport.abort()
        if mode == "refuse" and self.server is not None:
            self.server.close()
            self.server = None
        elif mode != "refuse":
            await self._listen()

    def cut(self):
        self.loop.run(self._set("cut"))

    def half(self):
        self.loop.run(self._set("half"))

    def refuse(self):
        self.loop.run(self._set("refuse"))

    def heal(self):
        self.loop.run(self._set("pass"))

    def close(self):
        if self.server is not None:
            self.loop.loop.call_soon_threadsafe(self.server.close)
        self.loop.close()


class RequestLoop:
    """A client that requests through the tunnel again and again until `stop()`."""

    def __init__(self, port, pause=0.005, limit=10.0, clients=1, path="/"):
        self.port, self.pause, self.limit, self.path = port, pause, limit, path
        self.requests = []  # (start, end, None or what went wrong)
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        while not self.stopping.is_set():
            start, wrong = time.monotonic(), None
            try:
                if fetch(self.port, self.limit, self.path) != Backend.BODY:
                    wrong = "another body"
            except OSError as error:
                wrong = repr(error)
            end = time.monotonic()
            self.requests.append((start, end, wrong))
            time.sleep(max(0.0, self.pause - (end - start)))

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(self.limit + 5)
        return self

    def answered(self):
        return sum(1 for _, _, wrong in self.requests if wrong is None)

    def failed(self):
        return [f"{wrong} after {end - at:.3f} s" for at, end, wrong in self.requests if wrong]

    def outage(self):
        """The longest time, in seconds, without an answer that was right."""
        ends = sorted(end for _, end, wrong in self.requests if wrong is None)
        return max((b - a for a, b in zip(ends, ends[1:])), default=float("inf"))
