#pragma once

#include "alerts.hpp"
#include "divergence.hpp"
#include "journal.hpp"
#include "loop.hpp"
#include "paced.hpp"
#include "peer_link.hpp"
#include "probes.hpp"
#include "state_file.hpp"
#include "store.hpp"
#include "tunnels.hpp"
#include "worker.hpp"
#include <umbra/config/instance_file.hpp>
#include <umbra/core/node.hpp>
#include <umbra/host/registry.hpp>
#include <umbra/instance/control.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

namespace umbra::instance {

/// The shell around the core: carries facts in and wishes out, in order. Decides nothing.
///
/// Threads: the loop's; the functions of `Control` may be called from any.
class Instance final : public Control {
public:
    /// Registry and loop outlive the instance.
    Instance(config::InstanceConfig config, Loop& loop, const host::Registry& registry,
             InstanceState state);
    ~Instance() override;

    /// Opens the storage, imports the first configuration, binds the transport, begins. Runs the
    /// loop meanwhile. Everything that can be wrong with the environment is said here.
    [[nodiscard]] Result<umbra::Done> start();
    /// SIGTERM: switches roles first where that is possible. A second call stops at once.
    void request_stop();
    /// Called once, when the instance has nothing left to do. @param failed  Why, if not as asked.
    void on_end(std::function<void(std::optional<Error> failed)> handler);
    /// Ends plugins and threads, running the loop meanwhile.
    void stop();

    Status status() const override;
    void switch_roles(bool force, Done done) override;
    void pause(std::optional<Duration> length, Done done) override;
    void resume(Done done) override;
    void show(std::string key, std::string revision, Done done) override;
    void edit(Edit edit, Done done) override;
    void history(std::size_t max,
                 std::function<void(Reply, std::vector<HistoryEntry>)> done) override;
    void diff(std::string from, std::string to,
              std::function<void(Reply, Comparison)> done) override;
    void divergences(std::string id,
                     std::function<void(Reply, std::vector<DivergenceView>)> done) override;
    void divergence_merge(std::string id, std::string author, Done done) override;
    void divergence_drop(std::string id, std::string author, Done done) override;
    void explain(std::size_t max, std::function<void(Reply, std::vector<Decision>)> done) override;
    void peer_enable(bool on, Done done) override;
    void peer_connect(bool on, Done done) override;
    void peer_reset(Done done) override;
    void peer_invite(Done done) override;
    void peer_join(std::string invitation, Done done) override;
    void peer_check(Done done) override;
    void reload(std::function<void(Reply, config::ReloadPlan)> done) override;
    void tunnel_enrol(std::string tunnel, std::string invitation, Done done) override;
    void tunnel_rotate_key(std::string tunnel, Done done) override;
    void tunnel_check(std::string tunnel,
                      std::function<void(Reply, std::vector<TunnelCheckView>)> done) override;

private:
    // --- start, instance_start.cpp
    [[nodiscard]] Result<core::Log> open_store();
    [[nodiscard]] Result<umbra::Done> judge_log(const core::Log& log);
    void note_log();
    [[nodiscard]] Result<umbra::Done> import_initial(core::Log& log);
    [[nodiscard]] Result<umbra::Done> open_transport();
    void make_node(core::Log log);
    void load_divergences();
    std::vector<std::string> warn_of_damaged_divergences();
    [[nodiscard]] host::Surroundings surroundings();

    // --- facts and effects, instance.cpp
    void feed(core::Fact fact);
    void tick();
    void arm_tick();
    void end_pause();
    void carry_out(const core::Effect& effect);
    template <class E>
    void perform(const E& effect);
    void save(std::function<void()> done);
    void disk_is_full(std::string& place, const std::string& why);
    void answer(core::effect::Reply effect);
    void send_answers();
    void apply_document();
    [[nodiscard]] std::optional<config::SharedUpdate> read_changes();
    [[nodiscard]] std::optional<config::SharedUpdate> read_whole();
    void fail(const Error& error);
    void end(std::optional<Error> failed);

    // --- control, instance_control.cpp
    core::RequestId expect(Done done);
    void ask(Done done, std::function<core::Fact(core::RequestId)> fact);
    void with_peer_link(Done done, const std::function<void(Done)>& use);

    // --- reload, instance_reload.cpp
    struct Reload;
    void read_file(const std::shared_ptr<Reload>& reload);
    void take_file(const std::shared_ptr<Reload>& reload, config::InstanceLoad load);
    void change_log(const std::shared_ptr<Reload>& reload);
    void redirect_peer(const std::shared_ptr<Reload>& reload);
    void change_storage(const std::shared_ptr<Reload>& reload);
    void change_transport(const std::shared_ptr<Reload>& reload);
    void enable_peer(const std::shared_ptr<Reload>& reload);
    void finish(const std::shared_ptr<Reload>& reload, Reply reply);
    void end_reloads();

    // --- repair, instance_repair.cpp
    void load_repair();
    [[nodiscard]] std::optional<core::Document> repaired() const;
    void settle_repair();
    void forget_repair(const std::string& why);

    // --- status, instance_status.cpp
    void publish_status();
    [[nodiscard]] Timers timers() const;

    config::InstanceConfig config_;
    Loop& loop_;
    const host::Registry& registry_;
    InstanceState state_;
    Worker worker_;
    std::unique_ptr<Worker> reader_;  ///< Of the instance file; made when it is first read again.
    std::deque<std::shared_ptr<Reload>> reloads_;  ///< The first is under way.
    Journal journal_;
    Alerts alerts_;
    DivergenceFiles divergences_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<PeerLink> peer_link_;
    std::unique_ptr<Tunnels> tunnels_;
    std::unique_ptr<Probes> probes_;
    std::optional<core::Node> node_;

    std::deque<core::Fact> facts_;
    bool stepping_ = false;
    bool ended_ = false;
    Instant next_tick_{};
    std::optional<Loop::Id> tick_;  ///< Armed for `next_tick_`.
    Instant next_pong_{};
    Instant started_{};
    std::optional<core::Position> applied_;
    core::Epoch applied_epoch_ = 0;
    config::SharedConfig shared_;  ///< As of `applied_`.
    core::RequestId last_request_ = 0;
    std::map<core::RequestId, Done> requests_;
    std::vector<core::effect::Reply> answers_;  ///< For the end of the step.
    std::vector<core::effect::Reply> held_;     ///< Until what they acknowledge is applied here.
    Paced applying_;
    Paced publishing_;
    std::optional<Edit> repair_;  ///< In force here until there is a master.
    bool repair_asked_ = false;
    bool log_lost_ = false;  ///< Found empty at the start, and nobody has sent anything yet.
    std::string storage_full_, state_full_;  ///< Why nothing can be stored; empty: there is space.
    std::function<void(std::optional<Error>)> on_end_;

    SharedNames plugins_, peer_plugins_;

    mutable std::mutex status_mutex_;
    std::shared_ptr<const Status> status_;  // Protected by status_mutex_.
    std::optional<Instant> heard_;          // Protected by status_mutex_.
};

}  // namespace umbra::instance
