"""Umbra and its peers: each leads a client's port to a backend's port over one encrypted hop."""

import os
import pwd
import shutil
import subprocess
import types

import measures
from children import HOST, Children, family
from harness import LINKS, Failure, Pair, wait_for

SUITE = "TLS_AES_128_GCM_SHA256"
SSH_CIPHER = "aes128-gcm"
VIRTUAL_PORT = 8080
ECHO = "echo"  # The service that takes a connection which says nothing.
free_ports = measures.network.free_ports


def straight(port):
    """No line in between: what dials, dials the port itself."""
    return port


def make_certificate(directory):
    """A self-signed one with its key, in one file each."""
    line = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2", "-keyout", "key.pem", "-out", "cert.pem"]  # fmt: skip
    subprocess.run(line, cwd=directory, check=True, capture_output=True)
    both = directory / "both.pem"
    both.write_text((directory / "cert.pem").read_text() + (directory / "key.pem").read_text())


class Peer:
    """One of the contenders.

    services  {name: port of the backend}
    entries   {name: port for clients}
    line      leads from the end that dials to the port given
    """

    name = "direct"
    programs = ()  # Without one of them on the PATH it takes no part.
    encrypts = ()  # Where the suite of TLS is looked at. Umbra takes the one that its agent offers first.

    def __init__(self, directory, build, services, line=straight):
        self.directory, self.build, self.services, self.line = directory, build, services, line
        self.entries = dict(services)
        self.cloud, self.inner = None, None  # The processes of the two ends.
        self.children = Children(directory)

    @classmethod
    def missing(cls):
        return [program for program in cls.programs if shutil.which(program, path=search_path()) is None]

    def new_entries(self):
        self.entries = dict(zip(self.services, free_ports(len(self.services))))

    def file(self, name, text):
        path = self.directory / f"{self.name}-{name}"
        path.write_text(text)
        return path

    def start(self):
        """Returns when all entries listen."""
        self.entries = {name: self.line(port) for name, port in self.services.items()}

    def ends(self):
        """The processes of both ends, each with its children."""
        return [family([end.pid]) for end in (self.cloud, self.inner) if end is not None]

    def pids(self):
        return set().union(*self.ends())

    def stop(self):
        self.children.stop()


def search_path():
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def program(name):
    return shutil.which(name, path=search_path()) or name


class Deployment(Pair):
    """The pair of the scenarios, of which only the first instance runs, with a mapping for each service."""

    def __init__(self, options, services, entries, line, links):
        super().__init__(options)
        shared = self.path("shared.toml").read_text()
        shared = shared.replace(f"{HOST}:{self.agents_port}", f"{HOST}:{line(self.agents_port)}")
        shared = shared.replace(f"links = {LINKS}", f"links = {links}")
        gateway = self.path("gateway.toml").read_text()
        for number, (name, port) in enumerate(services.items(), VIRTUAL_PORT + 1):
            virtual = f"{name}.cloud:{number}"
            shared += f'[tunnel.main.mapping.{name}]\nvirtual = "{virtual}"\ninternal = "{HOST}:{port}"\nprotocol = "tcp"\n'
            gateway += f'[listener.{name}]\naddress = "{HOST}:{entries[name]}"\nvirtual = "{virtual}"\n'
        self.path("shared.toml").write_text(shared)
        self.path("gateway.toml").write_text(gateway)


class Umbra(Peer):
    name = "umbra"

    def __init__(self, directory, build, services, line=straight, links=LINKS):
        super().__init__(directory, build, services, line)
        self.links, self.pair = links, None

    def start(self):
        self.new_entries()
        options = types.SimpleNamespace(build=self.build, log_level="warn", keep=False)
        self.pair = Deployment(options, self.services, self.entries, self.line, self.links)
        self.pair.start("gateway", "alpha")
        self.pair.enrol("alpha")
        wait_for(
            lambda: self.pair.active() == "alpha" and self.pair.status("alpha")["tunnels"][0]["links"] == self.links,
            15, "alpha serves the tunnel on all its links")  # fmt: skip
        self.cloud, self.inner = self.pair["gateway"], self.pair["alpha"]

    def stop(self):
        if self.pair is not None:
            self.pair.__exit__(None, None, None)


class Hop(Peer):
    """A relay that takes part twice: plain to TLS, TLS to plain; a TLS connection for each client."""

    def start(self):
        self.new_entries()
        between = dict(zip(self.services, free_ports(len(self.services))))
        self.encrypts = (between[ECHO],) if ECHO in between else ()
        inner = [(between[name], port) for name, port in self.services.items()]
        self.inner = self.run("inner", self.inner_file(inner), between.values())
        cloud = [(port, self.line(between[name])) for name, port in self.entries.items()]
        self.cloud = self.run("cloud", self.cloud_file(cloud), self.entries.values())

    def run(self, end, text, ports):
        return self.children.start(f"{self.name}-{end}", self.command(self.file(f"{end}.conf", text)), ports)


def nginx_file(name, body, module=""):
    # No master process: killed, it would leave its worker behind with the ports.
    return (f"{module}daemon off; master_process off; worker_processes 1; pid {name}.pid; error_log stderr warn;\n"
            f"events {{ worker_connections 16384; }}\n{body}\n")  # fmt: skip


def nginx_command(directory, path):
    return [program("nginx"), "-p", directory, "-e", "stderr", "-c", path]


class Nginx(Hop):
    name, programs = "nginx", ("nginx",)
    MODULE = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n"

    def command(self, path):
        return nginx_command(self.directory, path)

    def servers(self, ways, listen, options):
        return "stream {\n" + "".join(
            f"server {{ listen {HOST}:{port} backlog=4096{listen}; proxy_pass {HOST}:{to}; {options} }}\n"
            for port, to in ways
        ) + "}"  # fmt: skip

    def cloud_file(self, ways):
        tls = f"proxy_ssl on; proxy_ssl_protocols TLSv1.3; proxy_ssl_conf_command Ciphersuites {SUITE}; proxy_timeout 1h;"
        return nginx_file(f"{self.name}-cloud", self.servers(ways, "", tls), self.MODULE)

    def inner_file(self, ways):
        tls = (f"ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.3; "
               f"ssl_conf_command Ciphersuites {SUITE}; proxy_timeout 1h;")  # fmt: skip
        return nginx_file(f"{self.name}-inner", self.servers(ways, " ssl", tls), self.MODULE)


class Haproxy(Hop):
    name, programs = "haproxy", ("haproxy",)
    HEAD = ("global\n nbthread 1\n maxconn 9000\n tune.ssl.default-dh-param 2048\n"
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n")  # fmt: skip

    def command(self, path):
        return [program("haproxy"), "-db", "-f", path]

    def parts(self, ways, bind, server):
        return self.HEAD + "".join(
            f"listen l{port}\n bind {HOST}:{port} backlog 4096{bind}\n server s {HOST}:{to}{server}\n" for port, to in ways
        )

    def cloud_file(self, ways):
        return self.parts(ways, "", f" ssl verify none force-tlsv13 ciphersuites {SUITE}")

    def inner_file(self, ways):
        return self.parts(ways, f" ssl crt {self.directory}/both.pem force-tlsv13 ciphersuites {SUITE}", "")


class Stunnel(Hop):
    name, programs = "stunnel", ("stunnel4",)
    HEAD = "foreground = yes\nsyslog = no\ndebug = 3\npid =\n"

    def command(self, path):
        return [program("stunnel4"), path]

    def parts(self, ways, more):
        return self.HEAD + "".join(
            f"[l{port}]\naccept = {HOST}:{port}\nconnect = {HOST}:{to}\nsslVersion = TLSv1.3\nciphersuites = {SUITE}\n{more}"
            for port, to in ways
        )

    def cloud_file(self, ways):
        return self.parts(ways, "client = yes\n")

    def inner_file(self, ways):
        return self.parts(ways, "cert = cert.pem\nkey = key.pem\n")


class Ssh(Peer):
    """ssh -R: all clients over one connection that the inner end has dialled, as with Umbra."""

    name, programs = "ssh", ("sshd", "ssh", "ssh-keygen")
    SEPARATION = "/run/sshd"  # sshd run by root wants it, and a system without a running sshd has none.

    def start(self):
        self.new_entries()
        (port,) = free_ports(1)
        for key in ("host", "user"):
            path = self.directory / f"ssh-{key}"
            if not path.exists():
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        host_key = (self.directory / "ssh-host.pub").read_text()
        at = self.line(port)
        known = self.file("known", f"[{HOST}]:{at} {host_key}")
        cipher = f"{SSH_CIPHER}@openssh.com"
        settings = self.file("sshd.conf", "\n".join([
            f"Port {port}", f"ListenAddress {HOST}", f"HostKey {self.directory}/ssh-host", f"Ciphers {cipher}",
            f"AuthorizedKeysFile {self.directory}/ssh-user.pub", "StrictModes no", "UsePAM no", "PermitRootLogin yes",
            "PasswordAuthentication no", "PidFile none", "AllowTcpForwarding yes", "LogLevel ERROR", ""]))  # fmt: skip
        self.made = os.getuid() == 0 and not os.path.isdir(self.SEPARATION)
        if self.made:
            os.mkdir(self.SEPARATION, 0o755)
        self.cloud = self.children.start("sshd", [program("sshd"), "-D", "-e", "-f", settings], [port])
        ways = [("-R", f"{HOST}:{self.entries[name]}:{HOST}:{to}") for name, to in self.services.items()]
        self.inner = self.children.start("ssh", [
            program("ssh"), "-F", "none", "-N", "-T", "-p", at, "-l", pwd.getpwuid(os.getuid()).pw_name,
            "-i", self.directory / "ssh-user", "-c", cipher, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
            "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes",
            "-o", "ExitOnForwardFailure=yes", *(part for way in ways for part in way), HOST,
        ], self.entries.values())  # fmt: skip

    def stop(self):
        super().stop()
        if getattr(self, "made", False):
            os.rmdir(self.SEPARATION)


def suite_of(port):
    """What a server that is offered every suite of TLS 1.3 takes."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"{HOST}:{port}"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=20, check=False)  # fmt: skip
    for line in done.stdout.splitlines():
        if "Cipher is" in line:
            return line.rpartition(" ")[2]
    raise Failure(f"port {port} speaks no TLS: {done.stdout[-300:]}{done.stderr[-300:]}")
