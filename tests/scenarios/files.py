"""The files of a pair, as text: one place for the scenarios and the chaos runs."""

VIRTUAL = "crm.cloud:8080"


def gateway_file(*, data_dir, admin, agents, clients, more=""):
    """`agents` and `clients` are endpoints; `more` is lines of [gateway]."""
    return f"""[gateway]
name = "cloud-1"
data_dir = "{data_dir}"
listen = "{agents}"
{more}
[admin]
listen = "unix:{admin}"
[listener.crm]
address = "{clients}"
virtual = "{VIRTUAL}"
"""


def ends(publish, respond):
    """An inline table with both endpoints of one side."""
    return f'{{ publish = "tcp://{publish}", respond = "tcp://{respond}" }}'


def instance_file(
    *, name, role, data_dir, plugins, own, theirs, admin, log_level, storage="", peer=""
):
    """`own` and `theirs` are made by ends(); `storage` is lines of [storage], `peer` of [peer]."""
    return f"""[instance]
name = "{name}"
role = "{role}"
data_dir = "{data_dir}"
[plugins]
path = ["{plugins}"]
[peer]
enabled = true
{peer}
[transport]
plugin = "zeromq"
options = {own}
peer = {theirs}
[storage]
{storage or 'plugin = "file"'}
[admin]
listen = "unix:{admin}"
[log]
level = "{log_level}"
[shared]
initial = "shared.toml"
"""


def shared_file(*, agents, backend, links, takeover=""):
    """`agents` is where the gateway listens for them; `takeover` is lines of [takeover]."""
    return f"""[tunnel.main]
plugin = "gateway"
options = {{ address = "{agents}", links = {links} }}
[tunnel.main.mapping.crm]
virtual = "{VIRTUAL}"
internal = "{backend}"
protocol = "tcp"
[probe.crm-backend]
plugin = "tcp"
every = "2s"
options = {{ address = "{backend}" }}
[takeover]
{takeover}
"""
