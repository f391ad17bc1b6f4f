#pragma once

namespace umbra::config {

/// The samples that users are shown; line numbers in the tests count from the first `[`.
inline constexpr const char* instance_sample = R"([instance]
name = "alpha"
role = "master"
data_dir = "/var/lib/umbra"

[plugins]
path = ["/usr/lib/umbra/plugins"]

[peer]
enabled = true
permitted = "beta"
profile = "balanced"

[transport]
plugin = "zeromq"
options = { publish = "tcp://127.0.0.1:7401", respond = "tcp://127.0.0.1:7402" }
peer    = { publish = "tcp://127.0.0.1:7411", respond = "tcp://127.0.0.1:7412" }

[storage]
plugin = "file"
options = {}

[admin]
listen = "unix:/run/umbra/admin.sock"

[log]
level = "info"
format = "text"

[shared]
initial = "shared.toml"
)";

inline constexpr const char* shared_sample = R"([tunnel.main]
plugin = "gateway"
options = { address = "127.0.0.1:7443", links = 2 }

[tunnel.main.mapping.crm]
virtual  = "crm.cloud:8080"
internal = "127.0.0.1:8000"
protocol = "tcp"
active   = true

[tunnel.main.channel.db]
listen = "127.0.0.1:5433"
target = "db.cloud:5432"

[probe.crm-backend]
plugin = "tcp"
every = "2s"
options = { address = "127.0.0.1:8000" }

[takeover]
on_tunnel_loss = "5s"
grace_period = "30s"
acknowledge = "both"
)";

}  // namespace umbra::config
