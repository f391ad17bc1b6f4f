#pragma once

#include "divergence.hpp"
#include "loop.hpp"
#include <umbra/config/options.hpp>
#include <umbra/core/effect.hpp>
#include <umbra/core/log.hpp>
#include <umbra/host/handles.hpp>
#include <umbra/sdk/result.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace umbra::instance {

/// The replicated log on disk: loads it through the storage plugin and carries out what the core
/// wants stored, in order.
///
/// One operation is under way at a time; appends of one turn of the loop, and those that wait for
/// another, go together, with one fsync for all of them.
///
/// A full disk is waited out: what was asked for is tried again until there is space, and `full` is
/// told when it begins and ends. Any other failure is final: after an fsync error nobody knows what
/// is on disk. `failed` is called once; the process ends.
class Store {
public:
    using Stored = std::function<void(std::uint64_t op)>;
    using Failed = std::function<void(const Error&)>;
    /// @param why  Empty: there is space again.
    using Full = std::function<void(const std::string& why)>;
    static constexpr Duration full_retry{std::chrono::milliseconds{500}};
    /// Bodies that go together; one larger entry goes alone.
    static constexpr std::size_t batch_bytes_max = 4 * 1024 * 1024;

    /// @param divergences  Where what is cut goes first; outlives the store.
    Store(std::unique_ptr<host::StorageHandle> handle, const DivergenceFiles& divergences)
        : handle_(std::move(handle)), divergences_(divergences) {}

    /// Opens the storage and reads everything, running `loop` meanwhile.
    [[nodiscard]] Result<core::Log> load(Loop& loop, core::HashFunction hash);
    /// Appends before the core exists: the first import of a configuration.
    [[nodiscard]] Result<Done> append_now(Loop& loop, const core::Logged& entry);

    void listen(Stored stored, Failed failed, Full full);
    void carry_out(const core::effect::Append& effect);
    void carry_out(const core::effect::Truncate& effect);
    void carry_out(const core::effect::Install& effect);
    void carry_out(const core::effect::Compact& effect);
    void carry_out(const core::effect::SettleDivergence& effect);

    /// Other values for the live options of the plugin; what is under way is not waited for.
    void change_options(const config::OptionValues& values, host::Callback<Done> done);

    void stop(Duration limit, std::function<void()> done);

private:
    [[nodiscard]] bool save_divergence(const core::SavedEdits& edits,
                                       const std::vector<core::Logged>& saved);
    struct Job {
        std::uint64_t op;
        std::vector<LogEntry> entries;                         ///< Of an append.
        std::function<void(host::Callback<Done>)> other = {};  ///< Of anything else.
    };
    void add(Job job);
    void run();
    [[nodiscard]] std::size_t begin();
    void finished(const Result<Done>& result);

    std::unique_ptr<host::StorageHandle> handle_;
    const DivergenceFiles& divergences_;
    Loop* loop_ = nullptr;
    Stored stored_;
    Failed failed_;
    Full full_;
    std::deque<Job> jobs_;
    std::size_t under_way_ = 0;  ///< So many from the front.
    bool is_full_ = false;
    bool retry_armed_ = false;
    bool run_armed_ = false;
};

}  // namespace umbra::instance
