#pragma once

#include "checker.hpp"
#include "gateway.hpp"
#include "instance.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace umbra::simulation {

/// A pair, its gateway, its clients, its operators and its bad luck; first chaos, then healing.
class Simulation {
public:
    explicit Simulation(const Options& options);

    void play();
    [[nodiscard]] const World& world() const { return world_; }

private:
    enum class Fault : std::uint8_t {
        kill,
        power_loss,
        freeze,
        gateway_crash,
        gateway_freeze,
        peer_cut,
        peer_cut_one_way,
        uplink_cut,
        uplink_cut_one_way,
        uplink_reset,
        wipe,
        record_loss,
        switch_roles,
        force,
        maintenance,
        disconnect,
        stop,
        count,
    };
    struct Request {
        std::string op;
        std::optional<core::Revision> base;
    };

    void choose_faults();
    void inject();
    void strike(Fault fault);
    void take_down(Instance& instance, bool host_down, bool wipe);
    void cut(std::size_t a, std::size_t b, bool both);
    [[nodiscard]] bool may_lose_disk(const Instance& instance) const;
    Instance& any() { return world_.random.chance(500) ? alpha_ : beta_; }
    core::RequestId request() { return ++last_request_; }

    void serve_clients();
    void note_disturbances();
    void edit();
    void submit(Instance& instance, const std::string& op, bool on_revision);
    void on_reply(Instance& instance, core::RequestId id, const core::effect::Reply& reply);

    void heal();
    void help();
    void take_back_orders();
    void check_liveness();
    [[nodiscard]] std::string unrest() const;
    void check_messages() const;

    const Options options_;
    World world_;
    std::array<Instance*, 2> instances_{};
    Checker checker_;
    Gateway gateway_;
    Instance alpha_, beta_;
    bool chaos_ = true;
    std::vector<Fault> faults_;
    std::map<core::RequestId, Request> requests_;
    core::RequestId last_request_ = 0;
    std::vector<std::string> ops_;  ///< Asked for and not acknowledged yet.
    std::vector<std::string> done_;
    std::uint64_t last_op_ = 0;
    std::uint64_t attempts_ = 0;
    bool help_is_due_ = false;  ///< What happened can leave the pair to an operator.
};

}  // namespace umbra::simulation
