#include "instance_core.hpp"

#include "text.hpp"
#include <umbra/base/durable_file.hpp>
#include <umbra/host/file.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace umbra::host {

namespace {

std::string label_of(const umbra_plugin& plugin, const std::string& object_name) {
    const std::string who = std::string{plugin.name} + " " + plugin.version;
    const std::string kind = kind_word(plugin.kind);
    if (object_name.empty() || object_name == plugin.name) return kind + " " + who;
    return kind + " " + object_name + " (" + who + ")";
}

std::string room_of(const umbra_plugin& plugin, const std::string& object_name) {
    return kind_word(plugin.kind) + "/" + (object_name.empty() ? plugin.name : object_name);
}

/// Where instances go that their plugin may still use. Never destroyed.
void leak(std::shared_ptr<InstanceCore> core) {
    static auto* leaked = new std::vector<std::shared_ptr<InstanceCore>>;
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    leaked->push_back(std::move(core));
}

}  // namespace

InstanceCore::InstanceCore(const umbra_plugin& plugin, const InstanceSpec& spec,
                           Surroundings surroundings)
    : plugin_(plugin),
      instance_name_(spec.instance_name),
      object_name_(spec.object_name.empty() ? plugin.name : spec.object_name),
      state_dir_(spec.state_dir.string()),
      label_(label_of(plugin, spec.object_name)),
      room_(room_of(plugin, spec.object_name)),
      outside_(std::move(surroundings)) {
    host_.struct_size = sizeof host_;
    host_.abi_major = UMBRA_ABI_MAJOR;
    host_.abi_minor = UMBRA_ABI_MINOR;
    host_.context = this;
    host_.log_enabled = [](void* context, std::uint32_t level) -> int {
        return static_cast<const InstanceCore*>(context)->enabled(level) ? 1 : 0;
    };
    host_.log = [](void* context, std::uint32_t level, umbra_str text) {
        static_cast<const InstanceCore*>(context)->write(level, detail::to_view(text));
    };
    host_.instance_name = detail::to_str(instance_name_);
    host_.object_name = detail::to_str(object_name_);
    host_.state_dir = detail::to_str(state_dir_);
}

Result<std::shared_ptr<InstanceCore>> InstanceCore::make(const umbra_plugin& plugin,
                                                         umbra_kind kind, const InstanceSpec& spec,
                                                         Surroundings surroundings) {
    const std::shared_ptr<InstanceCore> core(
        new InstanceCore(plugin, spec, std::move(surroundings)));
    const auto refusal = [&](const std::string& why) {
        return Error{Errc::invalid, core->label_ + ": " + why};
    };
    if (plugin.kind != static_cast<std::uint32_t>(kind))
        return refusal("is a " + kind_word(plugin.kind) + " plugin, a " + kind_word(kind) +
                       " plugin is needed here");
    if (spec.value_count != plugin.option_count)
        return refusal("has " + std::to_string(plugin.option_count) + " options, was given " +
                       std::to_string(spec.value_count) + " values; give it its own");
    if (const auto made = base::make_private_directory(spec.state_dir); !made)
        return Error{made.error().code, core->label_ + ": state directory: " + made.error().message,
                     made.error().sys_errno};
    if (const auto made = core->create(spec); !made) return made.error();
    return core;
}

Result<Done> InstanceCore::create(const InstanceSpec& spec) {
    umbra_status why{sizeof(umbra_status), UMBRA_OK, 0, {nullptr, 0}};
    const std::int64_t before = steady_ns();
    const std::int32_t code =
        plugin_.life->create(&host_, spec.values, spec.value_count, &self_, &why);
    measure("create", before);
    if (code != UMBRA_OK) {
        why.code = code;
        life_ = Life::destroyed;
        return with_context(*this, "create", *error_of(&why, nullptr, 0));
    }
    if (self_ != nullptr) return Done{};
    life_ = Life::destroyed;
    return with_context(*this, "create", {Errc::internal, "the plugin made no instance"});
}

bool InstanceCore::changes_options() const noexcept {
    return plugin_.life->struct_size >= sizeof(umbra_lifecycle) &&
           plugin_.life->change_options != nullptr;
}

void InstanceCore::change_options(const umbra_value* values, std::size_t count, Deadline deadline,
                                  Callback<Done> done) {
    constexpr const char* name = "change_options";
    auto operation = std::make_unique<TypedOperation<Done>>(*this, name, std::move(done));
    if (changes_options() && count != plugin_.option_count) {
        refuse(*operation, Errc::invalid,
               "has " + std::to_string(plugin_.option_count) + " options, was given " +
                   std::to_string(count) + " values; give it its own");
        return;
    }
    if (umbra_op* op = begin(std::move(operation), changes_options(), deadline)) {
        const std::int64_t before = steady_ns();
        plugin_.life->change_options(self_, values, count, op);
        measure(name, before);
    }
}

umbra_op* InstanceCore::begin(std::unique_ptr<Operation> operation, bool supported,
                              Deadline deadline) {
    if (life_ != Life::running) {
        refuse(*operation, Errc::closed,
               std::string{"is stopping, so "} + operation->name + " was not begun");
        return nullptr;
    }
    if (!supported) {
        refuse(*operation, Errc::unsupported, std::string{"does not have "} + operation->name);
        return nullptr;
    }
    const Instant now = outside_.timers->now();
    const auto limit = deadline.resolve(now);
    if (limit && *limit <= now) {
        ++stats_.timeouts;
        refuse(*operation, Errc::timeout,
               std::string{"had no time left when "} + operation->name + " was to begin");
        return nullptr;
    }
    return &enter(std::move(operation), now, limit);
}

umbra_op& InstanceCore::enter(std::unique_ptr<Operation> operation, Instant now,
                              std::optional<Instant> limit) {
    ++stats_.calls;
    Operation& op = *operation;
    op.place = open_.insert(open_.end(), std::move(operation));
    op.begun_ns = steady_ns();
    if (limit) {
        op.deadline_ns = op.begun_ns + (*limit - now).count();
        op.timer = outside_.timers->schedule(
            *limit, [self = shared_from_this(), &op] { self->expire(op); });
    }
    return op;
}

void InstanceCore::refuse(Operation& operation, Errc code, const std::string& why) {
    outside_.post(
        [self = shared_from_this(), answer = operation.fail({code, label_ + ": " + why})] {
            if (!self->detached_) answer();
        });
}

void InstanceCore::completed(Operation& op, const umbra_status* status, const void* result) {
    if (op.complete.exchange(true)) {
        ++twice_;
        remark_once(std::string{"twice "} + op.name, UMBRA_LOG_ERROR,
                    std::string{"the plugin completed "} + op.name +
                        " twice; the second answer was ignored");
        return;
    }
    op.take(status, result);
    op.taken = true;
    const std::shared_lock lock(gate_);
    if (!detached_) outside_.post([self = shared_from_this(), &op] { self->settle(op); });
}

/// The completion has reached the host's thread.
void InstanceCore::settle(Operation& op) {
    std::function<void()> answer;
    if (op.answered) {
        ++stats_.late;
    } else {
        disarm(op);
        op.answered = true;
        answer = op.answer();
    }
    retire(op);
    if (answer) answer();
}

/// The deadline has passed first.
void InstanceCore::expire(Operation& op) {
    if (op.answered) return;
    op.timer.reset();
    op.answered = true;
    op.unwanted = true;
    ++stats_.timeouts;
    op.fail({Errc::timeout, label_ + ": " + op.name + " gave no answer within " +
                                span_text(op.deadline_ns - op.begun_ns)})();
}

void InstanceCore::disarm(Operation& op) {
    if (op.timer) outside_.timers->cancel(*std::exchange(op.timer, std::nullopt));
}

void InstanceCore::retire(Operation& op) {
    tombstones_.push_back(std::move(*op.place));
    open_.erase(op.place);
    if (tombstones_.size() > tombstones_max) tombstones_.pop_front();
}

void InstanceCore::stop(Deadline deadline, Callback<Done> done) {
    if (life_ != Life::running) {
        TypedOperation<Done> second(*this, "stop", std::move(done));
        refuse(second, Errc::closed, "is being stopped already");
        return;
    }
    life_ = Life::stopping;
    for (const auto& op : open_) op->unwanted = true;
    const Instant now = outside_.timers->now();
    umbra_op& op = enter(std::make_unique<TypedOperation<Done>>(
                             *this, "stop",
                             [self = shared_from_this(), done = std::move(done)](
                                 const Result<Done>& result) { self->stopped(result, done); }),
                         now, deadline.resolve(now));
    const std::int64_t before = steady_ns();
    plugin_.life->stop(self_, &op);
    measure("stop", before);
}

void InstanceCore::stopped(const Result<Done>& result, const Callback<Done>& done) {
    if (!result) {
        remark(UMBRA_LOG_ERROR, "did not stop (" + result.error().message + "), " +
                                    open_operations() + "; it is left as it is until exit");
        life_ = Life::leaked;
        answer_the_rest();
        done(result);
        return;
    }
    const bool owes =
        std::any_of(open_.begin(), open_.end(), [](const auto& op) { return !op->complete; });
    if (owes) remark(UMBRA_LOG_ERROR, "the plugin said that it stopped, with " + open_operations());
    life_ = Life::destroyed;
    answer_the_rest();
    const std::int64_t before = steady_ns();
    plugin_.life->destroy(self_);
    measure("destroy", before);
    done(result);
}

void InstanceCore::answer_the_rest() {
    std::vector<std::function<void()>> answers;
    for (const auto& op : open_) {
        if (op->answered) continue;
        disarm(*op);
        op->answered = true;
        // A completion that is on its way here already counts.
        answers.push_back(op->taken ? op->answer()
                                    : op->fail({Errc::closed, label_ + ": stopped before " +
                                                                  op->name + " was answered"}));
    }
    for (const auto& answer : answers) answer();
}

std::string InstanceCore::open_operations() const {
    std::string list;
    for (const auto& op : open_) {
        if (op->complete || std::string_view{op->name} == "stop") continue;
        list += (list.empty() ? "" : ", ") + std::string{op->name} + " for " +
                span_text(steady_ns() - op->begun_ns);
    }
    return list.empty() ? "no operation open" : "operations open: " + list;
}

void InstanceCore::detach() {
    if (life_ == Life::running)
        remark(UMBRA_LOG_ERROR, "was dropped without stop(); it is left as it is until exit");
    bool owes = false;
    for (const auto& op : open_) {
        disarm(*op);
        op->answered = true;
        op->drop();
        owes = owes || !op->complete;
    }
    Surroundings released;
    {
        const std::unique_lock lock(gate_);
        detached_ = true;
        released = std::exchange(outside_, {});
    }
    if (life_ != Life::destroyed || owes) leak(shared_from_this());
}

CallStats InstanceCore::stats() const {
    CallStats stats = stats_;
    stats.twice = twice_;
    stats.open = static_cast<std::size_t>(std::count_if(
        open_.begin(), open_.end(), [](const auto& op) { return !op->complete.load(); }));
    stats.overdue =
        static_cast<std::size_t>(std::count_if(open_.begin(), open_.end(), [](const auto& op) {
            return op->answered && !op->complete.load();
        }));
    return stats;
}

std::int64_t InstanceCore::steady_ns() {
    // CLOCK_MONOTONIC, which is what umbra_op.deadline_ns is on.
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds{1};
}

void InstanceCore::measure(const char* operation, std::int64_t began_ns) {
    const std::int64_t took = steady_ns() - began_ns;
    if (took <= call_ns_max) return;
    ++stats_.slow;
    remark_once(std::string{"slow "} + operation, UMBRA_LOG_WARN,
                std::string{operation} + " held the thread of the host for " + span_text(took) +
                    "; a plugin must return within " + span_text(call_ns_max));
}

void InstanceCore::remark(umbra_log_level level, std::string_view text) const {
    write(static_cast<std::uint32_t>(level), label_ + ": " + std::string{text});
}

void InstanceCore::remark_once(const std::string& key, umbra_log_level level,
                               std::string_view text) {
    {
        const std::lock_guard lock(remarks_mutex_);
        if (!remarks_.insert(key).second) return;
    }
    remark(level, text);
}

bool InstanceCore::enabled(std::uint32_t level) const {
    const auto known =
        static_cast<umbra_log_level>(std::min<std::uint32_t>(level, UMBRA_LOG_ERROR));
    const std::shared_lock lock(gate_);
    return !detached_ && outside_.log.enabled && outside_.log.enabled(known);
}

void InstanceCore::write(std::uint32_t level, std::string_view text) const {
    constexpr std::size_t line_max = 8 * 1024;
    const auto known =
        static_cast<umbra_log_level>(std::min<std::uint32_t>(level, UMBRA_LOG_ERROR));
    const std::shared_lock lock(gate_);
    if (!detached_ && outside_.log.write)
        outside_.log.write(known, room_, one_line(text, line_max));
}

}  // namespace umbra::host
