#pragma once

#include "agent.hpp"
#include "options.hpp"
#include <umbra/sdk/tunnel.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>
#include <thread>

namespace umbra::gateway {

/// The plugin: carries each call to the one thread on which everything else happens.
class GatewayTunnel final : public TunnelProvider {
public:
    static constexpr const char* capabilities[] = {UMBRA_CAP_FENCES, nullptr};
    static constexpr PluginInfo info{
        .name = "gateway",
        .version = "0.1.0",
        .summary =
            "Reverse tunnel to umbra-gateway: TLS 1.3 links, many streams, epochs that fence",
        .capabilities = capabilities};
    static constexpr auto schema = agent_schema;

    GatewayTunnel(Context context, AgentOptions options);
    ~GatewayTunnel() override;

    void open(TunnelSpec spec, Reply<Done> reply) override;
    void claim(std::uint64_t epoch, umbra::ClaimReason reason, Reply<ClaimResult> reply) override;
    void activate(std::uint64_t epoch, Reply<Done> reply) override;
    void configure(TunnelSpec spec, Reply<Done> reply) override;
    void consent(std::uint64_t epoch, std::string successor, Reply<Done> reply) override;
    void drain(Duration grace, Reply<Done> reply) override;
    void next_event(Reply<TunnelEvent> reply) override;
    void set_in_sync(std::uint64_t epoch, std::uint64_t seq, std::vector<umbra::Member> members,
                     Reply<Done> reply) override;
    void enrol(std::string invitation, Reply<Done> reply) override;
    void check(Reply<std::vector<TunnelCheck>> reply) override;
    void rotate_key(Reply<Done> reply) override;
    void stop(Reply<Done> reply) override;

private:
    template <class F>
    void post(F work);
    void run();

    const Context context_;
    std::unique_ptr<boost::asio::io_context> io_;
    std::unique_ptr<Agent> agent_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    Reply<Done> stopped_;  ///< Written before the work guard is given up, read after the loop.
    bool stop_asked_ = false;
    std::thread thread_;
};

}  // namespace umbra::gateway
