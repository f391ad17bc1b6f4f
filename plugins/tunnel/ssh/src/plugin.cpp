#include "tunnel.hpp"
#include <umbra/sdk/export.hpp>
#include <umbra/supervised/threaded_tunnel.hpp>

namespace umbra::ssh_tunnel {

class SshTunnel final : public supervised::ThreadedTunnel<Tunnel, SshOptions> {
public:
    using ThreadedTunnel::ThreadedTunnel;

    static constexpr PluginInfo info{"ssh", "0.1.0",
                                     "Forwards of the system's OpenSSH client, supervised; cannot "
                                     "fence"};
    static constexpr auto schema = ssh_schema;
};

}  // namespace umbra::ssh_tunnel

UMBRA_PLUGIN(umbra::ssh_tunnel::SshTunnel)
