"""Reverse tunnels that Debian does not have: they take part when their programs are on the PATH."""

import re
import subprocess

from children import HOST
from tunnel_peers import Peer, free_ports, program

SECRET = "bench"


class Reverse(Peer):
    """A server with the clients' ports, and a client beside the backends that dials it once."""

    def start(self):
        self.new_entries()
        (port,) = free_ports(1)
        self.cloud = self.children.start(f"{self.name}-cloud", self.server(port), [port])
        line = self.client(self.line(port))
        self.inner = self.children.start(f"{self.name}-inner", line, self.entries.values())

    def ways(self):
        """Name, entry and backend of each service."""
        return [(name, self.entries[name], to) for name, to in self.services.items()]


class Frp(Reverse):
    """As it is by itself: TLS, all clients over one connection."""

    name, programs = "frp", ("frps", "frpc")

    def is_old(self):
        """Before 0.52 it reads no TOML."""
        said = subprocess.run([program("frps"), "--version"], capture_output=True, text=True, check=True).stdout
        major, minor = map(int, re.search(r"(\d+)\.(\d+)", said).groups())
        return (major, minor) < (0, 52)

    def server(self, port):
        if self.is_old():
            text = f"[common]\nbind_addr = {HOST}\nproxy_bind_addr = {HOST}\nbind_port = {port}\ntls_only = true\nlog_level = warn\n"
            return [program("frps"), "-c", self.file("cloud.ini", text)]
        text = (f'bindAddr = "{HOST}"\nproxyBindAddr = "{HOST}"\nbindPort = {port}\n'
                'transport.tls.force = true\nlog.level = "warn"\n')  # fmt: skip
        return [program("frps"), "-c", self.file("cloud.toml", text)]

    def client(self, port):
        if self.is_old():
            text = f"[common]\nserver_addr = {HOST}\nserver_port = {port}\ntls_enable = true\nlog_level = warn\n"
            for name, entry, to in self.ways():
                text += f"[{name}]\ntype = tcp\nlocal_ip = {HOST}\nlocal_port = {to}\nremote_port = {entry}\n"
            return [program("frpc"), "-c", self.file("inner.ini", text)]
        text = f'serverAddr = "{HOST}"\nserverPort = {port}\ntransport.tls.enable = true\nlog.level = "warn"\n'
        for name, entry, to in self.ways():
            text += (f'[[proxies]]\nname = "{name}"\ntype = "tcp"\nlocalIP = "{HOST}"\n'
                     f"localPort = {to}\nremotePort = {entry}\n")  # fmt: skip
        return [program("frpc"), "-c", self.file("inner.toml", text)]


class Chisel(Reverse):
    """The encryption is that of SSH."""

    name, programs = "chisel", ("chisel",)

    def server(self, port):
        return [program("chisel"), "server", "--host", HOST, "--port", port, "--reverse"]

    def client(self, port):
        ways = [f"R:{HOST}:{entry}:{HOST}:{to}" for _, entry, to in self.ways()]
        return [program("chisel"), "client", f"http://{HOST}:{port}", *ways]


class Rathole(Reverse):
    """With TLS; it opens a connection of its own for each client, from the inner end."""

    name, programs = "rathole", ("rathole",)

    def server(self, port):
        subprocess.run(["openssl", "pkcs12", "-export", "-out", "rathole.pfx", "-inkey", "key.pem", "-in", "cert.pem",
                        "-passout", f"pass:{SECRET}"], cwd=self.directory, check=True, capture_output=True)  # fmt: skip
        text = (f'[server]\nbind_addr = "{HOST}:{port}"\ndefault_token = "{SECRET}"\n'
                f'[server.transport]\ntype = "tls"\n[server.transport.tls]\npkcs12 = "rathole.pfx"\n'
                f'pkcs12_password = "{SECRET}"\n')  # fmt: skip
        text += "".join(f'[server.services.{name}]\nbind_addr = "{HOST}:{entry}"\n' for name, entry, _ in self.ways())
        return [program("rathole"), self.file("cloud.toml", text)]

    def client(self, port):
        text = (f'[client]\nremote_addr = "{HOST}:{port}"\ndefault_token = "{SECRET}"\n'
                f'[client.transport]\ntype = "tls"\n[client.transport.tls]\ntrusted_root = "cert.pem"\n'
                f'hostname = "localhost"\n')  # fmt: skip
        text += "".join(f'[client.services.{name}]\nlocal_addr = "{HOST}:{to}"\n' for name, _, to in self.ways())
        return [program("rathole"), self.file("inner.toml", text)]
