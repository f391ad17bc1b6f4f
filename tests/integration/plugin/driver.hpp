#pragma once

#include <umbra/sdk/plugin.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// Drives the real shared object of a plugin through the binary interface alone, as a host does:
/// for tests of plugins that need no runtime. Failures of the interface itself (a second
/// completion, a plugin that cannot be loaded) end the test program with a message.
namespace umbra::plugin_test {

/// Nothing that a plugin is asked for takes longer in a test.
inline constexpr std::chrono::seconds patience{60};

/// The answer to one operation, as it comes in. The operation lives until it is completed, also
/// when this object is gone.
template <class T>
class Pending {
public:
    using Decode = std::function<T(const void* result)>;

    explicit Pending(Decode decode, std::int64_t deadline_ns = 0)
        : state_(std::make_shared<State>()) {
        static_cast<umbra_op&>(*state_) = {sizeof(umbra_op), &State::complete,
                                           [](const umbra_op*) { return 0; }, deadline_ns};
        state_->decode = std::move(decode);
        state_->self = state_;
    }

    [[nodiscard]] umbra_op* op() const { return state_.get(); }

    [[nodiscard]] bool ready() const {
        const std::lock_guard lock{state_->mutex};
        return state_->answer.has_value();
    }
    /// Waits for the answer; one that does not come is `Errc::timeout`.
    [[nodiscard]] Result<T> get() const {
        std::unique_lock lock{state_->mutex};
        if (!state_->answered.wait_for(lock, patience, [&] { return state_->answer.has_value(); }))
            return Error{Errc::timeout, "no answer from the plugin"};
        return *state_->answer;
    }
    /// Called on the plugin's thread, before the answer is visible to `get()`.
    void on_answer(std::function<void(const Result<T>&)> f) { state_->hook = std::move(f); }

private:
    struct State : umbra_op {
        Decode decode;
        std::function<void(const Result<T>&)> hook;
        std::shared_ptr<State> self;  ///< Until it is completed.
        mutable std::mutex mutex;
        std::condition_variable answered;
        std::optional<Result<T>> answer;

        static void complete(umbra_op* op, const umbra_status* status, const void* result);
    };
    std::shared_ptr<State> state_;
};

[[noreturn]] void broken_interface(const char* what);

template <class T>
void Pending<T>::State::complete(umbra_op* op, const umbra_status* status, const void* result) {
    auto* state = static_cast<State*>(op);
    const auto self = std::move(state->self);
    if (!self) broken_interface("an operation was completed twice");
    Result<T> answer =
        status->code == UMBRA_OK
            ? Result<T>{state->decode(result)}
            : Result<T>{Error{static_cast<Errc>(status->code),
                              std::string{detail::to_view(status->message)}, status->sys_errno}};
    if (state->hook) state->hook(answer);
    const std::lock_guard lock{state->mutex};
    state->answer.emplace(std::move(answer));
    state->answered.notify_all();
}

/// A loaded plugin file. Stays loaded until the program ends, as in the runtime.
class PluginFile {
public:
    /// @param file  Of the kind `kind`, or the program ends.
    PluginFile(const std::string& file, umbra_kind kind);

    [[nodiscard]] const umbra_plugin& plugin() const { return *plugin_; }

private:
    const umbra_plugin* plugin_;
};

/// Values of options: numbers for integers, booleans, durations (ns) and sizes, lists for lists,
/// texts for the rest.
using OptionValue = std::variant<std::int64_t, std::string, std::vector<std::string>>;
using OptionValues = std::map<std::string, OptionValue>;

/// As arguments of another program, and back: "name#number", "name=text", "name+element".
std::vector<std::string> to_arguments(const OptionValues& values);
OptionValues from_arguments(const char* const* first, const char* const* last);

/// One instance: made in the constructor, stopped and destroyed in the destructor.
class PluginInstance {
public:
    /// @param state_dir  Exists.
    PluginInstance(const PluginFile& file, const std::string& state_dir,
                   const OptionValues& values = {});
    ~PluginInstance();
    PluginInstance(const PluginInstance&) = delete;
    PluginInstance& operator=(const PluginInstance&) = delete;

    /// Null when create() refused; see `why()`.
    [[nodiscard]] void* self() const { return self_; }
    [[nodiscard]] const Error& why() const { return why_; }
    /// For a test of stop() itself; the destructor then only destroys.
    [[nodiscard]] Pending<Done> stop();
    [[nodiscard]] std::vector<std::string> log() const;

private:
    struct Host;
    const umbra_plugin& plugin_;
    std::unique_ptr<Host> host_;
    void* self_ = nullptr;
    Error why_;
    bool stopped_ = false;
};

/// In memory where there is a place for that, for tests of hundreds of runs: what a kill leaves
/// behind does not depend on the disk.
std::string fast_place();

/// A directory under the system's place for temporary files, gone with the object.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    /// Below another place.
    explicit TemporaryDirectory(const std::string& place);
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

}  // namespace umbra::plugin_test
