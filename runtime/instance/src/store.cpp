#include "store.hpp"

#include <umbra/base/log.hpp>

#include <optional>
#include <utility>

namespace umbra::instance {

namespace {

using namespace std::chrono_literals;

constexpr Duration storage_open_limit = 60s;
constexpr Duration storage_options_limit = 5s;
constexpr std::size_t read_batch = 1000;

LogPosition to_log_position(const core::Position& p) {
    return {p.revision.seq, p.revision.epoch, p.hash};
}
core::Position to_position(const LogPosition& p) { return {{p.epoch, p.seq}, p.hash}; }
LogEntry to_entry(const core::Logged& logged) {
    return {to_log_position(logged.position), logged.body};
}

/// Runs the loop until the operation that `start` begins is complete.
template <class T, class Start>
Result<T> await(Loop& loop, Start start) {
    std::optional<Result<T>> answer;
    start([&](Result<T> result) { answer.emplace(std::move(result)); });
    loop.run_until([&] { return answer.has_value(); });
    return *answer;
}

Error damaged(const std::string& what) {
    return {
        Errc::data_loss,
        "the stored configuration is damaged: " + what +
            "; restore a backup, or empty the storage (move its files away) so that this instance "
            "fetches everything from its peer"};
}

}  // namespace

Result<core::Log> Store::load(Loop& loop, core::HashFunction hash) {
    loop_ = &loop;
    const auto opened = await<StorageOpened>(loop, [&](auto done) {
        handle_->open(host::Deadline::after(storage_open_limit), std::move(done));
    });
    if (!opened.ok()) return opened.error();
    if (!opened->detail.empty()) base::warn("storage", "{}", opened->detail);

    core::Log log(hash);
    if (opened->snapshot.seq != 0) {
        const auto snapshot = await<LogEntry>(loop, [&](auto done) {
            handle_->read_snapshot(host::Deadline::after(storage_open_limit), std::move(done));
        });
        if (!snapshot.ok()) return snapshot.error();
        auto content = core::decode_snapshot(to_position(snapshot->position), snapshot->body);
        if (!content) return damaged("the snapshot cannot be read");
        log.install(std::move(*content));
    }
    while (log.last().revision.seq < opened->last.seq) {
        const auto entries = await<std::vector<LogEntry>>(loop, [&](auto done) {
            handle_->read(log.last().revision.seq + 1, read_batch,
                          host::Deadline::after(storage_open_limit), std::move(done));
        });
        if (!entries.ok()) return entries.error();
        if (entries->empty()) return damaged("entries are missing");
        for (const auto& entry : *entries) {
            if (!log.push(entry.body) || log.last() != to_position(entry.position)) {
                return damaged("entry " + std::to_string(entry.position.seq) +
                               " does not follow the one before it");
            }
        }
    }
    return log;
}

Result<Done> Store::append_now(Loop& loop, const core::Logged& entry) {
    return await<Done>(loop, [&](auto done) {
        handle_->append({to_entry(entry)}, host::Deadline::after(storage_open_limit),
                        std::move(done));
    });
}

void Store::listen(Stored stored, Failed failed, Full full) {
    stored_ = std::move(stored);
    failed_ = std::move(failed);
    full_ = std::move(full);
}

/// Begun when this turn of the loop is over: what else it brings goes with it, and need not wait
/// for the fsync of the first.
void Store::add(Job job) {
    jobs_.push_back(std::move(job));
    if (under_way_ != 0 || std::exchange(run_armed_, true)) return;
    loop_->post([this] {
        run_armed_ = false;
        run();
    });
}

void Store::run() {
    if (under_way_ != 0 || retry_armed_ || jobs_.empty()) return;
    under_way_ = begin();
}

/// Begins what is at the front. @return how many jobs that is
std::size_t Store::begin() {
    const auto done = [this](const Result<Done>& result) { finished(result); };
    if (jobs_.front().other) {
        jobs_.front().other(done);
        return 1;
    }
    std::vector<LogEntry> entries;
    std::size_t count = 0;
    std::size_t bytes = 0;
    for (const Job& job : jobs_) {
        for (const auto& entry : job.entries) bytes += entry.body.size();
        if (job.other || (count != 0 && bytes > batch_bytes_max)) break;
        entries.insert(entries.end(), job.entries.begin(), job.entries.end());
        ++count;
    }
    handle_->append(entries, host::Deadline::none(), done);
    return count;
}

void Store::finished(const Result<Done>& result) {
    const std::size_t count = std::exchange(under_way_, 0);
    if (result.ok()) {
        const auto op = jobs_[count - 1].op;
        jobs_.erase(jobs_.begin(), jobs_.begin() + static_cast<std::ptrdiff_t>(count));
        if (std::exchange(is_full_, false)) full_({});
        stored_(op);
        run();
    } else if (result.error().code == Errc::exhausted) {
        if (!std::exchange(is_full_, true)) full_(result.error().message);
        retry_armed_ = true;
        loop_->schedule(loop_->now() + full_retry, [this] {
            retry_armed_ = false;
            run();
        });
    } else if (result.error().code != Errc::closed) {
        failed_(result.error());
    }
}

void Store::carry_out(const core::effect::Append& effect) {
    Job job{effect.op, {}};
    job.entries.reserve(effect.entries.size());
    for (const auto& logged : effect.entries) job.entries.push_back(to_entry(logged));
    add(std::move(job));
}

void Store::carry_out(const core::effect::Truncate& effect) {
    if (!save_divergence(effect.edits, effect.saved)) return;
    add({effect.op, {}, [this, seq = effect.seq](host::Callback<Done> done) {
             handle_->truncate(seq, host::Deadline::none(), std::move(done));
         }});
}

void Store::carry_out(const core::effect::Install& effect) {
    if (!save_divergence(effect.edits, effect.saved)) return;
    LogEntry snapshot{to_log_position(effect.position), effect.snapshot};
    add({effect.op, {}, [this, snapshot = std::move(snapshot)](host::Callback<Done> done) {
             handle_->install(snapshot, host::Deadline::none(), std::move(done));
         }});
}

void Store::carry_out(const core::effect::Compact& effect) {
    LogEntry snapshot{to_log_position(effect.position), effect.snapshot};
    add({effect.op, {}, [this, snapshot = std::move(snapshot)](host::Callback<Done> done) {
             handle_->compact(snapshot, host::Deadline::none(), std::move(done));
         }});
}

/// Durable before anything is cut. Rare, so it may hold the loop for the time of an fsync.
bool Store::save_divergence(const core::SavedEdits& edits, const std::vector<core::Logged>& saved) {
    if (edits.id.empty()) return true;
    const auto made = divergences_.save(edits, saved);
    if (!made.ok()) failed_(made.error());
    return made.ok();
}

/// Not done is no harm: the next start offers it again, and the master knows what it has merged.
void Store::carry_out(const core::effect::SettleDivergence& effect) {
    const auto noted = divergences_.settle(effect);
    if (!noted.ok()) base::error("storage", "{}", noted.error().message);
}

void Store::change_options(const config::OptionValues& values, host::Callback<Done> done) {
    handle_->change_options(values.data(), values.size(),
                            host::Deadline::after(storage_options_limit), std::move(done));
}

void Store::stop(Duration limit, std::function<void()> done) {
    handle_->stop(host::Deadline::after(limit),
                  [done = std::move(done)](const Result<Done>&) { done(); });
}

}  // namespace umbra::instance
