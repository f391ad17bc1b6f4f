"""Mappings of a tunnel that serves: their changes reach it, and touch nothing else."""

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
