#pragma once

#include <umbra/host/handles.hpp>
#include <umbra/host/library.hpp>
#include <umbra/host/surroundings.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace umbra::host::test {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// A directory that only this user can write, gone at the end.
class TempDirectory {
public:
    TempDirectory() {
        std::string name = (fs::temp_directory_path() / "umbra-host-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        path_ = fs::canonical(name);
    }
    TempDirectory(const TempDirectory&) = delete;
    TempDirectory& operator=(const TempDirectory&) = delete;
    ~TempDirectory() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    [[nodiscard]] fs::path operator/(const std::string& name) const { return path_ / name; }
    [[nodiscard]] const fs::path& path() const { return path_; }

    /// A file with this content and mode 0644. Replaced by rename, as a package would: a library
    /// that is loaded must not shrink under the process.
    fs::path write(const std::string& name, const std::string& content) const {
        const fs::path path = path_ / name, fresh = path_ / "fresh";
        std::ofstream(fresh, std::ios::binary) << content;
        fs::permissions(fresh, fs::perms{0644});
        fs::rename(fresh, path);
        return path;
    }

private:
    fs::path path_;
};

inline std::string read_all(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

#ifdef UMBRA_TEST_PLUGINS
/// A plugin that the build made: variant "good", or how it is bent.
inline fs::path built(const std::string& variant, const std::string& file = "umbra-probe-bare.so") {
    return fs::path{UMBRA_TEST_PLUGINS} / variant / file;
}
/// A copy of it with mode 0644, whatever the umask of the build was.
inline fs::path install(const TempDirectory& to, const std::string& variant,
                        const std::string& file = "umbra-probe-bare.so") {
    return to.write(file, read_all(built(variant, file)));
}
#endif

/// The host's one thread, as a test: functions queue up until the test runs them. Time stands
/// still until the test moves it.
class Loop final : public Timers {
public:
    [[nodiscard]] Instant now() const override { return now_; }
    Id schedule(Instant at, std::function<void()> fn) override {
        timers_.emplace(++last_id_, std::pair{at, std::move(fn)});
        return last_id_;
    }
    void cancel(Id id) override { timers_.erase(id); }
    [[nodiscard]] std::size_t timers() const { return timers_.size(); }

    [[nodiscard]] Executor executor() {
        return [this](std::function<void()> fn) {
            const std::lock_guard lock(mutex_);
            queue_.push_back(std::move(fn));
            ready_.notify_one();
        };
    }
    /// Runs what is queued, until `condition` holds or ten seconds are over.
    bool run_until(const std::function<bool()>& condition) {
        const auto end = std::chrono::steady_clock::now() + 10s;
        while (!condition()) {
            std::function<void()> next;
            {
                std::unique_lock lock(mutex_);
                if (!ready_.wait_until(lock, end, [&] { return !queue_.empty(); })) return false;
                next = std::move(queue_.front());
                queue_.pop_front();
            }
            next();
        }
        return true;
    }
    /// Runs what is queued now.
    void run_queued() {
        while (true) {
            std::function<void()> next;
            {
                const std::lock_guard lock(mutex_);
                if (queue_.empty()) return;
                next = std::move(queue_.front());
                queue_.pop_front();
            }
            next();
        }
    }
    [[nodiscard]] std::size_t queued() {
        const std::lock_guard lock(mutex_);
        return queue_.size();
    }
    void advance(Duration span) {
        now_ += span;
        while (true) {
            auto due = timers_.begin();
            while (due != timers_.end() && due->second.first > now_) ++due;
            if (due == timers_.end()) return;
            const auto fn = std::move(due->second.second);
            timers_.erase(due);
            fn();
        }
    }

private:
    Instant now_{1000s};
    std::map<Id, std::pair<Instant, std::function<void()>>> timers_;
    Id last_id_ = 0;
    std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<std::function<void()>> queue_;
};

/// Log lines as "level room: text"; debug is off.
class Lines {
public:
    [[nodiscard]] LogSink sink() {
        return {
            [](umbra_log_level level) { return level >= UMBRA_LOG_INFO; },
            [this](umbra_log_level level, std::string_view room, std::string_view text) {
                static constexpr const char* names[] = {"trace", "debug", "info", "warn", "error"};
                const std::lock_guard lock(mutex_);
                lines_.push_back(std::string{names[level]} + " " + std::string{room} + ": " +
                                 std::string{text});
            }};
    }
    /// All but slow(): on a busy machine any call may be one.
    [[nodiscard]] std::vector<std::string> all() const { return chosen(false); }
    [[nodiscard]] std::vector<std::string> slow() const { return chosen(true); }

private:
    [[nodiscard]] std::vector<std::string> chosen(bool slow) const {
        const std::lock_guard lock(mutex_);
        std::vector<std::string> lines;
        for (const auto& line : lines_)
            if ((line.find(" held the thread of the host for ") != std::string::npos) == slow)
                lines.push_back(line);
        return lines;
    }

    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
};

/// Option values as the host would hand them over: texts, the first of them "mode".
struct Values {
    explicit Values(std::string mode, std::size_t count = 1) : text(std::move(mode)) {
        raw.resize(count);
        for (auto& value : raw) value = {UMBRA_OPT_STRING, 0, 0, 0, {nullptr, 0}, nullptr, 0};
        if (count > 0) raw[0].present = 1, raw[0].text = {text.data(), text.size()};
    }
    std::string text;
    std::vector<umbra_value> raw;
};

/// What a callback was given.
template <class T>
struct Answer {
    std::optional<Result<T>> result;
    int calls = 0;

    [[nodiscard]] Callback<T> callback() {
        return [this](Result<T> given) {
            result = std::move(given);
            ++calls;
        };
    }
    [[nodiscard]] bool here() const { return calls > 0; }
    [[nodiscard]] Error error() const {
        return result && !result->ok() ? result->error() : Error{Errc::internal, "no error"};
    }
};

#ifdef UMBRA_TEST_PLUGINS
/// A plugin of the test tree in this process, and a loop for its instances.
class PluginTest : public ::testing::Test {
protected:
    /// @param variant  "good", or how it is bent.
    const umbra_plugin& load(const std::string& variant, const std::string& file) {
        const auto plugin = load_plugin(install(directory, variant, file));
        if (!plugin) {
            ADD_FAILURE() << plugin.error().message;
            std::abort();
        }
        return *plugin->plugin;
    }
    InstanceSpec spec(const Values& values, const std::string& object = "main") {
        return {"alpha", object, directory / "state", values.raw.data(), values.raw.size()};
    }
    Surroundings surroundings() { return {loop.executor(), &loop, lines.sink()}; }

    TempDirectory directory;
    Loop loop;
    Lines lines;
};
#endif

}  // namespace umbra::host::test
