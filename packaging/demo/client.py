"""The cloud client of the demo: asks through the tunnel all the time and notices every gap.

    client.py once PORT              one request; prints the answer
    client.py watch PORT PID         requests in a loop, kills process PID (SIGKILL), goes on until
                                     the next answer, prints what the client saw
"""
import os
import signal
import socket
import sys
import time

GIVE_UP_S = 30
WARM_UP_REQUESTS = 50


def request(port, timeout=GIVE_UP_S):
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: crm.cloud\r\nConnection: close\r\n\r\n")
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    if not answer.startswith(b"HTTP/1.1 200"):
        raise OSError("no answer")
    return answer.split(b"\r\n\r\n", 1)[1].decode().strip()


def watch(port, pid):
    for _ in range(WARM_UP_REQUESTS):
        request(port)
    failed = 0
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    while True:
        try:
            request(port)
            break
        except OSError:
            failed += 1
        if time.monotonic() - killed > GIVE_UP_S:
            print(f"no answer within {GIVE_UP_S} s")
            return 1
    outage = (time.monotonic() - killed) * 1000
    print(f"master killed; the next answer came after {outage:.1f} ms, {failed} requests failed")
    return 0


if sys.argv[1] == "once":
    try:
        print(request(int(sys.argv[2]), timeout=5))
    except OSError as error:
        sys.exit(f"no answer: {error}")
else:
    sys.exit(watch(int(sys.argv[2]), int(sys.argv[3])))
