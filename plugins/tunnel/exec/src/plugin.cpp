#include "tunnel.hpp"
#include <umbra/sdk/export.hpp>
#include <umbra/supervised/threaded_tunnel.hpp>

namespace umbra::exec_tunnel {

class ExecTunnel final : public supervised::ThreadedTunnel<Tunnel, ExecOptions> {
public:
    using ThreadedTunnel::ThreadedTunnel;

    static constexpr PluginInfo info{"exec", "0.1.0",
                                     "Any command that makes a tunnel, supervised; cannot fence"};
    static constexpr auto schema = exec_schema;
};

}  // namespace umbra::exec_tunnel

UMBRA_PLUGIN(umbra::exec_tunnel::ExecTunnel)
