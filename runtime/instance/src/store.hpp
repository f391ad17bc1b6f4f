#pragma once

#include "divergence.hpp"
#include "loop.hpp"
#include <umbra/core/effect.hpp>
#include <umbra/core/log.hpp>
#include <umbra/host/handles.hpp>
#include <umbra/sdk/result.hpp>

#include <functional>
#include <memory>

namespace umbra::instance {

/// The replicated log on disk: loads it through the storage plugin and carries out what the core
/// wants stored, in order.
///
/// Any failure to store is final: a master that cannot write must not stay master, and after an
/// fsync error nobody knows what is on disk. `failed` is called once; the process ends.
class Store {
public:
    using Stored = std::function<void(std::uint64_t op)>;
    using Failed = std::function<void(const Error&)>;

    /// @param divergences  Where what is cut goes first; outlives the store.
    Store(std::unique_ptr<host::StorageHandle> handle, const DivergenceFiles& divergences)
        : handle_(std::move(handle)), divergences_(divergences) {}

    /// Opens the storage and reads everything, running `loop` meanwhile.
    [[nodiscard]] Result<core::Log> load(Loop& loop, core::HashFunction hash);
    /// Appends before the core exists: the first import of a configuration.
    [[nodiscard]] Result<Done> append_now(Loop& loop, const core::Logged& entry);

    void listen(Stored stored, Failed failed);
    void carry_out(const core::effect::Append& effect);
    void carry_out(const core::effect::Truncate& effect);
    void carry_out(const core::effect::Install& effect);
    void carry_out(const core::effect::SettleDivergence& effect);

    void stop(Duration limit, std::function<void()> done);

private:
    [[nodiscard]] bool save_divergence(const core::SavedEdits& edits,
                                       const std::vector<core::Logged>& saved);
    [[nodiscard]] host::Callback<Done> completion(std::uint64_t op);

    std::unique_ptr<host::StorageHandle> handle_;
    const DivergenceFiles& divergences_;
    Stored stored_;
    Failed failed_;
};

}  // namespace umbra::instance
