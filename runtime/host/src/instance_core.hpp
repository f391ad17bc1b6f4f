#pragma once

#include "operation.hpp"
#include <umbra/host/handles.hpp>
#include <umbra/host/surroundings.hpp>
#include <umbra/sdk/abi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>

namespace umbra::host {

/// A call that holds the host's thread for longer is counted, and named in the log once.
inline constexpr std::int64_t call_ns_max = 10'000'000;
/// How many completed operations stay as tombstones, to recognise a second done() of them.
inline constexpr std::size_t tombstones_max = 256;

/// The host's half of one instance: the umbra_host that the plugin sees, and every operation in
/// flight. Outlives its handle when the plugin may still use it.
///
/// Threads: the plugin's threads enter through umbra_host and done() only; the rest belongs to the
/// host's thread.
class InstanceCore : public std::enable_shared_from_this<InstanceCore> {
public:
    /// Makes the state directory and the instance.
    [[nodiscard]] static Result<std::shared_ptr<InstanceCore>> make(const umbra_plugin& plugin,
                                                                    umbra_kind kind,
                                                                    const InstanceSpec& spec,
                                                                    Surroundings surroundings);

    /// Begins an operation. `member` names the function in the kind's table.
    template <class T, class Function, class Api, class... Args>
    void call(const char* name, Function Api::*member, Deadline deadline, Callback<T> done,
              Args... args) {
        const Function function = find(member);
        auto operation = std::make_unique<TypedOperation<T>>(*this, name, std::move(done));
        if (umbra_op* op = begin(std::move(operation), function != nullptr, deadline)) {
            const std::int64_t before = steady_ns();
            function(self_, args..., op);
            measure(name, before);
        }
    }
    /// Whether the plugin takes other values for its live options.
    [[nodiscard]] bool changes_options() const noexcept;
    void change_options(const umbra_value* values, std::size_t count, Deadline deadline,
                        Callback<Done> done);
    void stop(Deadline deadline, Callback<Done> done);
    /// The handle is gone: nothing of the surroundings is touched from here on.
    void detach();

    [[nodiscard]] const std::string& label() const noexcept { return label_; }
    [[nodiscard]] const umbra_plugin& plugin() const noexcept { return plugin_; }
    [[nodiscard]] CallStats stats() const;

    /// done() of every operation; from any thread.
    void completed(Operation& op, const umbra_status* status, const void* result);

private:
    enum class Life : std::uint8_t { running, stopping, destroyed, leaked };

    InstanceCore(const umbra_plugin& plugin, const InstanceSpec& spec, Surroundings surroundings);
    Result<Done> create(const InstanceSpec& spec);

    /// Null when the table ends before the member, or has null there.
    template <class Function, class Api>
    [[nodiscard]] Function find(Function Api::*member) const {
        const auto* table = static_cast<const Api*>(plugin_.api);
        const auto offset = reinterpret_cast<const std::byte*>(&(table->*member)) -
                            reinterpret_cast<const std::byte*>(table);
        if (static_cast<std::size_t>(offset) + sizeof(Function) > table->struct_size)
            return nullptr;
        return table->*member;
    }
    /// @return null when the operation was refused; its callback is queued then.
    [[nodiscard]] umbra_op* begin(std::unique_ptr<Operation> operation, bool supported,
                                  Deadline deadline);
    [[nodiscard]] umbra_op& enter(std::unique_ptr<Operation> operation, Instant now,
                                  std::optional<Instant> limit);
    void refuse(Operation& operation, Errc code, const std::string& why);
    void settle(Operation& op);
    void expire(Operation& op);
    void disarm(Operation& op);
    void retire(Operation& op);
    void answer_the_rest();
    void stopped(const Result<Done>& result, const Callback<Done>& done);
    [[nodiscard]] std::string open_operations() const;

    [[nodiscard]] static std::int64_t steady_ns();
    void measure(const char* operation, std::int64_t began_ns);
    void remark(umbra_log_level level, std::string_view text) const;
    /// At most one remark for each `key`.
    void remark_once(const std::string& key, umbra_log_level level, std::string_view text);
    [[nodiscard]] bool enabled(std::uint32_t level) const;
    void write(std::uint32_t level, std::string_view text) const;

    const umbra_plugin& plugin_;
    const std::string instance_name_, object_name_, state_dir_, label_, room_;
    umbra_host host_{};
    void* self_ = nullptr;
    Life life_ = Life::running;

    /// Guards the use of `outside_`, from any thread, against detach().
    mutable std::shared_mutex gate_;
    Surroundings outside_;
    bool detached_ = false;

    std::list<std::unique_ptr<Operation>> open_;
    std::deque<std::unique_ptr<Operation>> tombstones_;
    CallStats stats_;
    std::atomic<std::uint64_t> twice_ = 0;

    std::mutex remarks_mutex_;
    std::set<std::string> remarks_;
};

}  // namespace umbra::host
