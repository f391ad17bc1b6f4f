#pragma once

#include <umbra/host/surroundings.hpp>
#include <umbra/sdk/probe.hpp>
#include <umbra/sdk/result.hpp>
#include <umbra/sdk/storage.hpp>
#include <umbra/sdk/transport.hpp>
#include <umbra/sdk/tunnel.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace umbra::host {

template <class T>
using Callback = std::function<void(Result<T>)>;

class InstanceCore;

/// One instance of a plugin, from the host's side. The four kinds derive from it.
///
/// Threads: every function is called on the host's one thread; every callback runs on it, once,
/// never inside the call that it belongs to.
///
/// Deadlines: when one passes, the caller is answered `Errc::timeout` at once; the plugin still
/// owes its completion, which is counted and swallowed whenever it comes.
///
/// Errors carry who and what once, outermost: "tunnel main (gateway 0.1.0): claim failed: …". An
/// operation that the plugin does not have is `Errc::unsupported`; after stop() began everything is
/// `Errc::closed`.
///
/// Life: make() … stop() … destructor. A plugin that does not stop in time is named in the log and
/// left as it is, never destroyed under its own threads. A handle that is destroyed without stop()
/// does the same; callbacks that are still open are then dropped without being called.
class InstanceHandle {
public:
    InstanceHandle(const InstanceHandle&) = delete;
    InstanceHandle& operator=(const InstanceHandle&) = delete;

    /// Cancels what is open, ends the instance and destroys it. Open operations are answered before
    /// `done`: by the plugin, or `Errc::closed`.
    void stop(Deadline deadline, Callback<Done> done);

    /// Whether the plugin takes other values for its live options while it runs.
    [[nodiscard]] bool changes_options() const noexcept;
    /// Hands it other values, aligned with its option table and borrowed for the call; those of
    /// options that are not live are the ones that it was made with.
    void change_options(const umbra_value* values, std::size_t count, Deadline deadline,
                        Callback<Done> done);

    /// "tunnel main (gateway 0.1.0)"
    [[nodiscard]] const std::string& label() const noexcept;
    [[nodiscard]] CallStats stats() const;

protected:
    explicit InstanceHandle(std::shared_ptr<InstanceCore> core);
    ~InstanceHandle();

    std::shared_ptr<InstanceCore> core_;
};

class TransportHandle final : public InstanceHandle {
public:
    /// @return The plugin's own refusal, or why it could not be made; both with the label.
    [[nodiscard]] static Result<std::unique_ptr<TransportHandle>> make(const umbra_plugin& plugin,
                                                                       const InstanceSpec& spec,
                                                                       Surroundings surroundings);

    void open(const TransportSpec& spec, Deadline deadline, Callback<TransportOpened> done);
    void reconfigure(const TransportSpec& spec, Deadline deadline, Callback<Done> done);
    void publish(const Frames& frames, Deadline deadline, Callback<Done> done);
    void request(const Frames& frames, Deadline deadline, Callback<Frames> done);
    void next_event(Deadline deadline, Callback<TransportEvent> done);
    void answer(std::uint64_t id, const Frames& frames, Deadline deadline, Callback<Done> done);
    void set_pong(const std::string& ping, const Frames& pong, Deadline deadline,
                  Callback<Done> done);
    void mint(Deadline deadline, Callback<Minted> done);
    void introduce(const std::string& respond, const std::string& server_identity,
                   const std::string& secret, const Frames& frames, Deadline deadline,
                   Callback<Frames> done);

private:
    using InstanceHandle::InstanceHandle;
};

class StorageHandle final : public InstanceHandle {
public:
    [[nodiscard]] static Result<std::unique_ptr<StorageHandle>> make(const umbra_plugin& plugin,
                                                                     const InstanceSpec& spec,
                                                                     Surroundings surroundings);

    void open(Deadline deadline, Callback<StorageOpened> done);
    void append(const std::vector<LogEntry>& entries, Deadline deadline, Callback<Done> done);
    void read(std::uint64_t from_seq, std::size_t max, Deadline deadline,
              Callback<std::vector<LogEntry>> done);
    void read_snapshot(Deadline deadline, Callback<LogEntry> done);
    void truncate(std::uint64_t seq, Deadline deadline, Callback<Done> done);
    void install(const LogEntry& snapshot, Deadline deadline, Callback<Done> done);
    void compact(const LogEntry& snapshot, Deadline deadline, Callback<Done> done);

private:
    using InstanceHandle::InstanceHandle;
};

class ProbeHandle final : public InstanceHandle {
public:
    [[nodiscard]] static Result<std::unique_ptr<ProbeHandle>> make(const umbra_plugin& plugin,
                                                                   const InstanceSpec& spec,
                                                                   Surroundings surroundings);

    void check(Deadline deadline, Callback<ProbeResult> done);

private:
    using InstanceHandle::InstanceHandle;
};

class TunnelHandle final : public InstanceHandle {
public:
    [[nodiscard]] static Result<std::unique_ptr<TunnelHandle>> make(const umbra_plugin& plugin,
                                                                    const InstanceSpec& spec,
                                                                    Surroundings surroundings);

    /// Whether its far end arbitrates: UMBRA_CAP_FENCES.
    [[nodiscard]] bool fences() const noexcept;

    void open(const TunnelSpec& spec, Deadline deadline, Callback<Done> done);
    void claim(std::uint64_t epoch, ClaimReason reason, Deadline deadline,
               Callback<ClaimResult> done);
    void activate(std::uint64_t epoch, Deadline deadline, Callback<Done> done);
    void configure(const TunnelSpec& spec, Deadline deadline, Callback<Done> done);
    void consent(std::uint64_t epoch, const std::string& successor, Deadline deadline,
                 Callback<Done> done);
    void drain(Duration grace, Deadline deadline, Callback<Done> done);
    void next_event(Deadline deadline, Callback<TunnelEvent> done);
    void set_in_sync(std::uint64_t epoch, std::uint64_t seq, const std::vector<Member>& members,
                     Deadline deadline, Callback<Done> done);
    void enrol(const std::string& invitation, Deadline deadline, Callback<Done> done);
    void check(Deadline deadline, Callback<std::vector<TunnelCheck>> done);
    void rotate_key(Deadline deadline, Callback<Done> done);

private:
    using InstanceHandle::InstanceHandle;
};

}  // namespace umbra::host
