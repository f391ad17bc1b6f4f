"""Mappings of a tunnel that serves: their changes reach it, and touch nothing else."""

import http.client
import http.server
import ssl
import subprocess
import threading

import network
from harness import Pair, expect, scenario, wait_for

ERP = ("erp.cloud", 8080)
TABLE = "tunnel.main.mapping.erp"


class Erp:
    """A second internal system that cloud clients ask for by SOCKS5."""

    def __init__(self, pair, door):
        self.pair, self.door = pair, door
        self.systems = [network.Backend(), network.Backend()]
        for number, system in enumerate(self.systems):
            system.BODY = b"system %d\n" % number

    def address(self, number):
        return f"{network.HOST}:{self.systems[number].port}"

    def connect(self):
        return network.by_socks(self.door, *ERP)

    def fetch(self):
        with self.connect() as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return client.makefile("rb").read().partition(b"\r\n\r\n")[2]

    def denied(self):
        try:
            self.connect().close()
        except ConnectionRefusedError:
            raise  # Nobody listens there, which is no denial.
        except OSError:
            return True
        return False

    def wait_served_by(self, number):
        body = self.systems[number].BODY
        wait_for(lambda: self.fetch() == body, 5, f"requests go to system {number}")

    def wait_denied(self, why):
        wait_for(self.denied, 5, f"it is denied when the mapping is {why}")

    def lines(self):
        """A stream that stays open, and works."""
        client = self.connect()
        lines = client.makefile("rwb", buffering=0)
        lines.write(b"LINES\nhello\n")
        expect(lines.readline() == b"hello\n", "the stream carries")
        return client, lines

    def close(self):
        for system in self.systems:
            system.close()


def tunnel(pair):
    return pair.status("alpha")["tunnels"][0]


def ended(lines):
    try:
        return lines.read() == b""
    except ConnectionResetError:
        return True


@scenario
def mapping_changes_touch_nothing_else(options):
    """T7: a long download through one mapping goes on, byte for byte, while another is added, led
    elsewhere, suspended, allowed again and removed, probes and policy change, and the instance file
    is read again. The streams of the other mapping end when it does not permit them any more."""
    door = network.free_ports(1)[0]
    with Pair(options, gateway=f'socks5 = "{network.HOST}:{door}"').up() as pair:
        erp = Erp(pair, door)
        download = network.Download(pair.port)
        download.read(16)
        wait_for(lambda: tunnel(pair)["streams"] == 1, 5, "the download is the one stream")

        def edit(*pairs):
            """An edit, and a part of the download that comes after it."""
            pair.set("alpha", *pairs)
            download.read(16)

        try:
            expect(erp.denied(), "denied before there is a mapping")
            edit(f"{TABLE}.virtual={ERP[0]}:{ERP[1]}", f"{TABLE}.internal={erp.address(0)}")
            erp.wait_served_by(0)
            client, lines = erp.lines()
            edit(f"{TABLE}.internal={erp.address(1)}")
            erp.wait_served_by(1)
            lines.write(b"still here\n")
            expect(lines.readline() == b"still here\n", "it permits what it permitted")
            edit(f"{TABLE}.active=false")
            expect(ended(lines), "a suspended mapping ends its streams")
            client.close()
            erp.wait_denied("suspended")
            edit(f"{TABLE}.active=true")
            erp.wait_served_by(1)
            edit('probe.crm-backend.every="3s"', 'takeover.grace_period="20s"')
            pair.run("umbra", "reload", at="alpha")
            client, lines = erp.lines()
            pair.run("umbra", "config", "unset", TABLE, at="alpha")
            expect(ended(lines), "a removed mapping ends its streams")
            client.close()
            erp.wait_denied("removed")
            wait_for(lambda: tunnel(pair)["streams"] == 1, 5, "again it is the one stream")
            expect(tunnel(pair)["state"] == "active", f"{tunnel(pair)}")
            download.finish()
        finally:
            erp.close()
        pair.wait_settled("alpha")


@scenario
def mapping_suspended_ends_its_own_streams(options):
    """The other way round: what serves the download is suspended, so the download ends."""
    with Pair(options).up() as pair:
        download = network.Download(pair.port)
        download.read(16)
        pair.set("alpha", "tunnel.main.mapping.crm.active=false")
        try:
            download.finish()
            whole = True
        except OSError:
            whole = False
        expect(not whole, "the download of a suspended mapping ends early")
        pair.set("alpha", "tunnel.main.mapping.crm.active=true")
        wait_for(lambda: network.fetch(pair.port) == pair.backend.BODY, 5, "served again")


class Internal(http.server.BaseHTTPRequestHandler):
    """An internal system that says what it was asked, and by whom."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        answer = f"{self.path} for {self.headers['X-Forwarded-For']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class WebServer:
    """`Internal` on a free port; over TLS when there is a certificate."""

    def __init__(self, certificate=None):
        self.server = http.server.ThreadingHTTPServer((network.HOST, 0), Internal)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"{network.HOST}:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def certificate(path):
    """A key and a certificate that vouches for itself, for 127.0.0.1."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "1", "-subj", "/CN=internal", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", path, "-out", f"{path}.crt"],
        check=True, capture_output=True)  # fmt: skip
    with open(path, "a", encoding="utf-8") as file, open(f"{path}.crt", encoding="utf-8") as cert:
        file.write(cert.read())
    return path


class ByHttp(http.client.HTTPConnection):
    """HTTP through the SOCKS5 door; one connection for all that it asks."""

    def __init__(self, door, host, port):
        super().__init__(host, port, timeout=10)
        self.door = door

    def connect(self):
        self.sock = network.by_socks(self.door, self.host, self.port)

    def get(self, path, method="GET"):
        self.request(method, path)
        answer = self.getresponse()
        return answer.status, answer.read().decode()


@scenario
def http_and_tls_mappings(options):
    """T2: an http mapping permits what its resources say, request by request on one connection; TLS
    towards an internal system is verified, and a system that is not the right one is not served."""
    door = network.free_ports(1)[0]
    web = tls = None
    with Pair(options, gateway=f'socks5 = "{network.HOST}:{door}"').up() as pair:
        try:
            pem = certificate(str(pair.path("internal.pem")))
            web, tls = WebServer(), WebServer(pem)
            table = "tunnel.main.mapping"
            refused = pair.tool("umbra", "config", "set", f'{table}.web.virtual="web.cloud:80"',
                                f'{table}.web.internal="{web.address}"', f'{table}.web.protocol="http"',
                                at="alpha")  # fmt: skip
            expect(refused.returncode != 0 and "denies every request" in refused.stderr,
                   f"without a resource it is a mistake: {refused.stderr}")
            pair.set("alpha", f'{table}.web.virtual="web.cloud:80"',
                     f'{table}.web.internal="{web.address}"', f'{table}.web.protocol="http"',
                     f'{table}.web.resource.api.path="/api"', f"{table}.web.resource.api.sub_paths=true",
                     f'{table}.web.resource.api.methods=["GET"]')  # fmt: skip
            client = ByHttp(door, "web.cloud", 80)
            expect(client.get("/api/a?b=c") == (200, "/api/a?b=c for 127.0.0.1"), "permitted")
            connection = client.sock
            expect(client.get("/apis")[0] == 403, "not a segment of it")
            expect(client.get("/api", "POST")[0] == 403, "another method")
            expect(client.get("/api/b")[1].startswith("/api/b"), "the next one is permitted again")
            expect(client.sock is connection, "all of that on one connection")
            expect(client.get("/api/%2e%2e/admin")[0] == 400, "refused, not normalised")
            wait_for(lambda: tunnel(pair)["denied"] == 3, 5, "each is counted")
            expect("127.0.0.1" in pair["alpha"].log_text().rpartition("denied")[2], "with its client")

            pair.set("alpha", f'{table}.tls.virtual="tls.cloud:443"',
                     f'{table}.tls.internal="{tls.address}"', f'{table}.tls.protocol="tcp+tls"',
                     f'{table}.tls.tls_ca_file="{pem}.crt"')  # fmt: skip
            secure = ByHttp(door, "tls.cloud", 443)
            expect(secure.get("/x")[0] == 200, "a verified system is served")
            secure.close()
            pair.set("alpha", f'{table}.tls.tls_server_name="other.internal"')
            try:
                ByHttp(door, "tls.cloud", 443).get("/x")
                served = True
            except OSError:
                served = False
            expect(not served, "another name: not served")
            wait_for(lambda: "hostname mismatch" in pair["alpha"].log_text(), 5, "the log says why")
        finally:
            for server in (web, tls):
                if server:
                    server.close()
