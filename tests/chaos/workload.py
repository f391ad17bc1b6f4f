"""What goes on while faults come: an editor for each instance, and eyes on every process."""

import json
import threading
import time

import network
from field import ADDRESS, BACKEND_PORT, CLIENT_PORT, NODES
from history import Writer

# Nothing else depends on this key, so a new value disturbs nobody; each edit has a value of its own.
KEY, FIRST_VALUE = "takeover.grace_period", 30_000
EDIT_PAUSE = 0.2  # Seconds between two edits of one editor.
SAMPLE_PAUSE = 0.02
STALL = 0.2  # The sampler was not run for so long: a busy machine, and worth knowing.
EDIT_LIMIT = 4.0


class Editor:
    """Edits at one instance whatever its role is: what a shadow refuses is part of the history. An
    edit whose outcome is unknown is tried again with the same op id, at the other one next.
    """

    numbers = iter(range(FIRST_VALUE, 10**9))
    lock = threading.Lock()

    def __init__(self, field, node, history):
        self.field, self.history = field, history
        self.order = [node, *(other for other in NODES if other != node)]
        self.acknowledged_at = 0.0
        self.running, self.idle, self.stopping = threading.Event(), threading.Event(), False
        self.running.set()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping:
            if not self.running.is_set():
                self.idle.set()
                self.running.wait(0.05)
                continue
            self.idle.clear()
            with self.lock:
                number = next(self.numbers)
            for attempt in range(6):
                if self._try(number, self.order[attempt % 2]) != "unknown" or self.stopping:
                    break
                time.sleep(0.3)
            time.sleep(EDIT_PAUSE)

    def _try(self, number, at):
        op, start = f"op-{number}", time.monotonic()
        change = {"key": KEY, "value": f'"{number}ms"'}
        outcome, revision, text = post(
            self.field.path(f"{at}.sock"), {"op_id": op, "message": op, "changes": [change]}
        )
        end = time.monotonic()
        if outcome == "acknowledged":
            self.acknowledged_at = start
        self.history.write(start, "edit", op=op, end=round(end, 6), at=at, outcome=outcome,
                           revision=revision, text=text)  # fmt: skip
        return outcome

    def pause(self):
        """Returns when no edit is under way."""
        self.running.clear()
        self.idle.wait(30)

    def resume(self):
        self.idle.clear()
        self.running.set()

    def stop(self):
        self.stopping = True
        self.thread.join(30)


def post(path, body):
    """(outcome, revision, text) of one edit. What was certainly not sent is refused."""
    connection = network.UnixConnection(str(path), EDIT_LIMIT)
    try:
        try:
            connection.connect()
        except OSError as error:
            return "refused", None, repr(error)
        try:
            connection.request("POST", "/v1/config/edit", json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = json.loads(answer.read())
        except (OSError, ValueError, network.http.client.HTTPException) as error:
            return "unknown", None, repr(error)
    finally:
        connection.close()
    known = {200: "acknowledged", 202: "provisional", 400: "refused", 409: "refused"}
    outcome = known.get(answer.status, "unknown")
    return outcome, text.get("revision"), text.get("error", "")[:200]


class Sampler:
    """Writes down what one process says of itself, whenever that changes."""

    def __init__(self, field, name, history):
        self.field, self.name, self.history = field, name, history
        self.stopping, self.last = False, None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _look(self):
        if self.name == "gateway":
            register = self.field.register()
            return {key: register[key] for key in ("epoch", "holder", "active")}
        status = self.field.ask(self.name, "GET", "/v1/status", limit=1)
        tunnels = [tunnel["state"] for tunnel in status["tunnels"]]
        return {
            **{key: status[key] for key in ("role", "state", "epoch")},
            "tunnel": tunnels[0] if tunnels else None,
        }

    def _run(self):
        due = time.monotonic()
        while not self.stopping:
            start = time.monotonic()
            if start - due > STALL:
                self.history.write(start, "stall", length=round(start - due, 3))
            try:
                seen = self._look()
            except Exception as error:  # noqa: BLE001 (whatever a dying process answers)
                seen = {"error": type(error).__name__}
            if seen != self.last:
                self.history.write(start, "sample", node=self.name, end=time.monotonic(), **seen)
                self.last = seen
            due = time.monotonic() + SAMPLE_PAUSE
            time.sleep(SAMPLE_PAUSE)

    def stop(self):
        self.stopping = True
        self.thread.join(10)


class Answers:
    """Follows the file of the client: how many answers there were, and when the last one came."""

    def __init__(self, path):
        self.path, self.offset, self.count, self.last = path, 0, 0, 0.0

    def look(self):
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                text = file.read()
        except FileNotFoundError:
            return self
        whole = text.rfind(b"\n") + 1
        self.offset += whole
        for line in text[:whole].splitlines():
            entry = json.loads(line)
            if entry["node"]:
                self.count += 1
                self.last = max(self.last, entry["t"])
        return self


class Workload:
    """All of it, with the files of the history in `directory`."""

    def __init__(self, field, directory, rate):
        self.field, self.directory = field, directory
        self.history = Writer(directory / "run.jsonl")
        client = directory / "client.jsonl"
        for node in NODES:
            field.helper(node, "backend.py", node, BACKEND_PORT, directory / f"backend-{node}.jsonl")
        self.client = (ADDRESS["gateway"], CLIENT_PORT, rate, client)
        self.answers = Answers(client)
        self.editors, self.samplers, self.looks = [], [], 0

    def start(self):
        self.field.helper("client", "client.py", *self.client)
        self.editors = [Editor(self.field, node, self.history) for node in NODES]
        names = ("gateway", *NODES)
        self.samplers = [Sampler(self.field, name, self.history) for name in names]

    def flows(self, since):
        """Requests and edits that began after `since` were answered."""
        answered = self.answers.look().last > since
        return answered and any(editor.acknowledged_at > since for editor in self.editors)

    def record_entries(self, wait_equal, final=False):
        """The configuration's history of both instances while nobody edits."""
        for editor in self.editors:
            editor.pause()
        try:
            wait_equal()
            self.looks += 1
            for node in NODES:
                answer = self.field.ask(node, "GET", f"/v1/config/history?max={10_000 if final else 1000}")
                entries = [[e["revision"], e["message"]] for e in reversed(answer["history"])]
                self.history.write(time.monotonic(), "entries", node=node, look=self.looks,
                                   entries=entries, final=final)  # fmt: skip
        finally:
            for editor in () if final else self.editors:
                editor.resume()

    def stop(self):
        for worker in (*self.editors, *self.samplers):
            worker.stop()
