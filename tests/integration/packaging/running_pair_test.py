#!/usr/bin/env python3
"""Plugins built against the installed SDK, in a pair that runs from the installation:
running_pair_test.py BUILD WORK COMPILER
"""

import json
import pathlib
import re
import sys
import types

TESTS = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TESTS / "scenarios"))
import harness  # noqa: E402
import staging  # noqa: E402
from harness import NODES, expect, wait_for  # noqa: E402
from network import HOST  # noqa: E402

BUILD, WORK = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
COMPILER = sys.argv[3]
KINDS = ("probe", "storage", "transport", "tunnel")


class InstalledPair(harness.Pair):
    """A pair whose programs and plugins are the installed ones."""

    def __init__(self, root):
        options = types.SimpleNamespace(build=root / "usr", log_level="info", keep=False)
        super().__init__(options)
        for node in NODES:
            file = self.path(f"{node}.toml")
            file.write_text(
                re.sub(r'path = \[".*"\]', f'path = ["{root}/usr/lib/umbra/plugins"]', file.read_text())
            )

    def probe(self, node, name):
        return next((p for p in self.status(node)["probes"] if p["name"] == name), None)

    def tunnel(self, node, name):
        return next((t for t in self.status(node)["tunnels"] if t["name"] == name), None)


def listed(root):
    """(kind, name) of the plugins that the installed program finds by itself."""
    answer = staging.run(root / "usr/bin/umbra", "plugin", "list", "--json")
    plugins = json.loads(answer)["plugins"]
    refused = [plugin for plugin in plugins if not plugin["usable"]]
    expect(not refused, f"refused: {refused}")
    return {(plugin["kind"], plugin["name"]) for plugin in plugins}


def probe_is_followed(pair):
    """Healthy while a file exists, on the instance that probes and as the pair reports it."""
    flag = pair.path("flag")
    flag.touch()
    pair.set(
        "alpha", "probe.flag.plugin=smallest", "probe.flag.every=1s", f'probe.flag.options.path="{flag}"'
    )
    for node in NODES:
        wait_for(lambda: pair.probe(node, "flag")["healthy"], 15, f"{node}: the probe is healthy")
    flag.unlink()
    for node in NODES:
        wait_for(lambda: not pair.probe(node, "flag")["healthy"], 15, f"{node}: the probe notices")


def tunnel_is_run(pair):
    """It opens on both instances and is activated on the master only."""
    pair.set("alpha", "tunnel.nowhere.plugin=smallest")
    for node, state in (("alpha", "active"), ("beta", "standby")):
        wait_for(
            lambda: pair.tunnel(node, "nowhere")["state"] == state, 15, f"{node}: nowhere is {state}"
        )
    pair.expect_served()


def loner_runs(pair):
    """A third instance whose transport and storage are the smallest ones: it runs and answers."""
    pair.path("gamma.toml").write_text(
        f"""[instance]
name = "gamma"
role = "shadow"
data_dir = "{pair.path("gamma")}"
[plugins]
path = ["{pair.options.build}/lib/umbra/plugins"]
[peer]
enabled = true
[transport]
plugin = "smallest"
options = {{ publish = "tcp://{HOST}:0", respond = "tcp://{HOST}:0" }}
peer = {{ publish = "tcp://{HOST}:1", respond = "tcp://{HOST}:2" }}
[storage]
plugin = "smallest"
[admin]
listen = "unix:{pair.path("gamma.sock")}"
"""
    )
    staging.run(pair.options.build / "bin/umbra", "check", pair.path("gamma.toml"))
    pair._add("gamma", "umbra")
    pair.start("gamma")
    expect(pair.status("gamma")["role"] == "shadow", "gamma is a shadow")
    status = pair["gamma"].terminate()
    expect(status == 0, f"gamma ended with {status} instead of 0")


def main():
    root = staging.stage(BUILD, WORK / "root")
    before = listed(root)
    sources = TESTS / "integration/sdk/plugins"
    for file in staging.build_plugins(sources, root, WORK / "plugins", COMPILER):
        staging.add_plugin(file, root)
    expected = {(kind, "smallest") for kind in KINDS}
    added = listed(root) - before
    expect(added == expected, f"umbra plugin list shows {added} more instead of {expected}")
    with InstalledPair(root) as pair:
        pair.up()
        probe_is_followed(pair)
        tunnel_is_run(pair)
        loner_runs(pair)


if __name__ == "__main__":
    main()
