#include "shared_register.hpp"

#include "log_room.hpp"
#include <umbra/base/clock.hpp>

#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace umbra::gateway {

namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

constexpr int beats_per_hold = 5;
/// While etcd tells of changes: for what a connection that is silently gone does not tell.
constexpr Duration look_every_watched = 500ms;
/// While it does not.
constexpr Duration look_every = 100ms;
/// While a granted epoch waits for the other gateways.
constexpr Duration look_every_waiting = 5ms;
constexpr Duration try_again_after = 250ms;

std::string random_session() {
    std::array<unsigned char, 8> bytes{};
    if (::RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) std::abort();
    std::string text;
    for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
    return text;
}

etcd::ClientSettings with_log(etcd::ClientSettings settings) {
    settings.warn = [](const std::string& text) { base::warn(log_room, "register: {}", text); };
    return settings;
}

double milliseconds(Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

SharedRegister::SharedRegister(Context& context, SharedRegisterSettings settings, std::string id)
    : context_(context),
      settings_(std::move(settings)),
      keys_(settings_.prefix),
      own_key_(keys_.gateway(id)),
      session_(random_session()),
      client_(with_log(settings_.client)),
      timer_(context.io),
      failing_since_(base::boot_now()),
      watch_(
          settings_.client, settings_.prefix, etcd::end_of_prefix(settings_.prefix),
          {.on_key =
               [this](const std::string& key) {
                   boost::asio::post(context_.io, [this, key] { changed(key); });
               },
           .on_state =
               [this](bool on) { boost::asio::post(context_.io, [this, on] { watching(on); }); }}) {
}

SharedRegister::~SharedRegister() {
    // Nothing is routed any more, so the others need not wait for this gateway.
    if (reachable_ && registered_)
        boost::asio::post(thread_, [this] {
            etcd::Transaction farewell(own_key_, own_revision_);
            farewell.erase(own_key_, "");
            (void)client_.commit(farewell);
        });
    else
        client_.interrupt();
    thread_.join();
}

Result<Done> SharedRegister::open() {
    if (auto loaded = client_.load_files(); !loaded)
        return Error{loaded.error().code, "[gateway.register] " + loaded.error().message};
    if (auto started = watch_.start(); !started)
        return Error{started.error().code, "[gateway.register] " + started.error().message};
    next();
    return Done{};
}

void SharedRegister::add(const std::string& pair, User& user, bool expected) {
    auto& state = pairs_[pair];
    state.user = &user;
    state.expected = expected;
    poke();
}

void SharedRegister::store(const std::string& pair, const effect::Store& wanted, bool raises) {
    SharedRecord value{wanted.record, wanted.drain, context_.settings.name,
                       session_ + "-" + std::to_string(++writes_), pairs_.at(pair).store};
    if (value.store.empty()) value.store = random_session();
    pairs_.at(pair).pending = Pending{std::move(value), raises, false, std::nullopt};
    poke();
}

bool SharedRegister::may_route(const std::string& pair) const {
    const auto found = pairs_.find(pair);
    return found != pairs_.end() && found->second.confirmed && confirmed_ &&
           base::boot_now() < *confirmed_ + settings_.hold;
}

// --- what is asked, one at a time
// -----------------------------------------------------------------

void SharedRegister::poke() {
    if (std::exchange(poked_, true)) return;
    boost::asio::post(context_.io, [this] {
        poked_ = false;
        next();
    });
}

void SharedRegister::tick() {
    judge_routes();
    next();
}

void SharedRegister::stop() {
    stopped_ = true;
    timer_.cancel();
}

void SharedRegister::next() {
    if (busy_ || stopped_) return;
    const auto now = base::boot_now();
    // Of a change that can not be stored now nobody waits: its pair was told.
    for (const auto& [name, state] : pairs_)
        if (state.pending && !state.pending->committed) return commit(name);
    if (now >= next_beat_ || (reachable_ && notes() != sent_)) return beat();
    if (news_ || now >= next_look_) return look();
    timer_.expires_after(std::max<Duration>(std::min(next_beat_, next_look_) - now, 1ms));
    timer_.async_wait([this](boost::system::error_code error) {
        if (!error) next();
    });
}

void SharedRegister::changed(const std::string& key) {
    if (key == own_key_) return;
    news_ = true;
    next();
}

void SharedRegister::watching(bool on) {
    watched_ = on;
    // What was written while nothing was told.
    news_ = news_ || on;
    next_look_ = std::min(next_look_, base::boot_now() + look_pause());
    next();
}

Duration SharedRegister::look_pause() const {
    if (someone_waits()) return look_every_waiting;
    return watched_ ? look_every_watched : look_every;
}

void SharedRegister::ask(etcd::Transaction transaction, bool writes, Handler then) {
    busy_ = true;
    boost::asio::post(thread_, [this, transaction = std::move(transaction), writes, then] {
        const auto asked = base::boot_now();
        auto outcome = writes ? client_.commit(transaction) : client_.look(transaction);
        Answer answer{std::move(outcome), asked, base::boot_now()};
        boost::asio::post(context_.io, [this, then, answer = std::move(answer)] {
            busy_ = false;
            if (stopped_) return;
            (this->*then)(answer);
            judge_routes();
            next();
        });
    });
}

std::map<std::string, PairNote> SharedRegister::notes() const {
    std::map<std::string, PairNote> notes;
    for (const auto& [name, state] : pairs_) notes[name] = state.user->note();
    return notes;
}

void SharedRegister::beat() {
    news_ = false;
    next_beat_ = base::boot_now() + settings_.hold / beats_per_hold;
    sent_ = notes();
    const GatewayNote note{context_.settings.name, settings_.hold, sent_};
    etcd::Transaction transaction(own_key_, own_revision_);
    transaction.put(own_key_, encode_note(note, session_, ++beats_));
    transaction.read(keys_.records(), etcd::end_of_prefix(keys_.records()));
    transaction.read(keys_.gateways(), etcd::end_of_prefix(keys_.gateways()));
    ask(std::move(transaction), true, &SharedRegister::on_beat);
}

void SharedRegister::look() {
    news_ = false;
    etcd::Transaction transaction;
    transaction.read(keys_.records(), etcd::end_of_prefix(keys_.records()), seen_ + 1);
    transaction.read(keys_.gateways(), etcd::end_of_prefix(keys_.gateways()));
    ask(std::move(transaction), false, &SharedRegister::on_look);
}

void SharedRegister::commit(const std::string& pair) {
    const auto& state = pairs_.at(pair);
    committing_ = pair;
    etcd::Transaction transaction(keys_.record(pair), state.revision);
    transaction.put(keys_.record(pair), encode_shared(state.pending->value));
    transaction.read(keys_.gateways(), etcd::end_of_prefix(keys_.gateways()));
    ask(std::move(transaction), true, &SharedRegister::on_commit);
}

void SharedRegister::bury(const std::string& key, std::uint64_t revision) {
    etcd::Transaction transaction(key, revision);
    transaction.erase(key, "");
    ask(std::move(transaction), true, &SharedRegister::on_buried);
}

// --- what comes back
// ------------------------------------------------------------------------------

void SharedRegister::on_beat(const Answer& answer) {
    if (!answer.outcome) return failed(answer.outcome.error());
    const auto& outcome = answer.outcome.value();
    if (outcome.succeeded) {
        own_revision_ = outcome.revision;
        registered_ = true;
        absorb_records(outcome.reads.at(0), true);
        seen_ = outcome.revision;
        absorb_gateways(outcome.reads.at(1), answer);
        confirmed_ = answer.asked;
        for (auto& [name, state] : pairs_)
            state.confirmed = sent_.contains(name) && state.read && state.broken.empty();
        return reached();
    }
    next_beat_ = base::boot_now();
    if (outcome.found.pairs.empty()) {
        // Others had to take this gateway for gone, and have removed its note.
        own_revision_ = 0;
        return;
    }
    const auto& found = outcome.found.pairs.front();
    own_revision_ = found.mod_revision;
    const auto read = decode_note(found.value);
    const bool own = read && read.value().session == session_;
    // What a process before this one left behind is taken over: it can not run any more, because
    // the data directory is locked. A second one at the same time runs on a copy.
    if (own || !registered_) return;
    context_.fail(
        {Errc::conflict, "another umbra-gateway uses the identity of this one in the register " +
                             settings_.prefix +
                             ": its data_dir is a copy; stop one of the two, and "
                             "remove tls.key and tls.crt of the copy"});
}

void SharedRegister::on_look(const Answer& answer) {
    if (!answer.outcome) return failed(answer.outcome.error());
    const auto& outcome = answer.outcome.value();
    absorb_records(outcome.reads.at(0), false);
    seen_ = std::max(seen_, outcome.revision);
    absorb_gateways(outcome.reads.at(1), answer);
    reached();
}

void SharedRegister::on_commit(const Answer& answer) {
    if (!answer.outcome) return failed(answer.outcome.error());
    const auto& outcome = answer.outcome.value();
    auto& state = pairs_.at(committing_);
    if (outcome.succeeded) {
        committed(state, outcome.revision);
        absorb_gateways(outcome.reads.at(0), answer);
        return;
    }
    const auto& pairs = outcome.found.pairs;
    if (pairs.empty()) return missing(state);
    const auto found = decode_shared(pairs.front().value);
    if (found && found.value().write == state.pending->value.write) {
        // It was asked more than once, and had been carried out before.
        committed(state, pairs.front().mod_revision);
        next_look_ = base::boot_now();
        return;
    }
    absorb_record(committing_, state, pairs.front());
}

void SharedRegister::committed(PairState& state, std::uint64_t revision) {
    state.revision = revision;
    state.pending->committed = true;
    // A name that is new is told with the next answer.
    if (std::exchange(state.store, state.pending->value.store) != state.store)
        state.reachable = false;
}

void SharedRegister::on_buried(const Answer& answer) {
    if (!answer.outcome) failed(answer.outcome.error());
}

void SharedRegister::failed(const Error& error) {
    const auto now = base::boot_now();
    next_beat_ = next_look_ = now + try_again_after;
    news_ = false;
    detail_ = error.message;
    if (std::exchange(reachable_, false)) {
        failing_since_ = now;
        base::warn(log_room, "register: etcd cannot be asked, nothing is granted: {}",
                   error.message);
    }
    const fact::StoreUnreachable told{"this gateway cannot ask the register that it shares: " +
                                      error.message};
    for (auto& [name, state] : pairs_) {
        state.reachable = false;
        state.pending.reset();
        state.user->tell(told);
    }
}

void SharedRegister::reached() {
    if (!std::exchange(reachable_, true)) {
        base::info(log_room, "register: in touch with etcd");
        detail_.clear();
    }
    for (auto& [name, state] : pairs_) {
        if (state.reachable || !state.read || !state.broken.empty()) continue;
        state.reachable = true;
        state.user->tell(fact::StoreReachable{state.store});
    }
}

// --- what others wrote
// ----------------------------------------------------------------------------

void SharedRegister::absorb_records(const etcd::Found& found, bool all) {
    std::map<std::string, const etcd::KeyValue*> records;
    for (const auto& one : found.pairs) records[keys_.pair_of(one.key)] = &one;
    for (auto& [name, state] : pairs_) {
        const auto record = records.find(name);
        if (record != records.end()) {
            absorb_record(name, state, *record->second);
        } else if (all) {
            if (state.revision != 0 || (!state.read && state.expected)) missing(state);
            state.read = true;
        }
    }
}

void SharedRegister::absorb_record(const std::string& pair, PairState& state,
                                   const etcd::KeyValue& found) {
    state.read = true;
    if (found.mod_revision == state.revision) return;
    auto read = decode_shared(found.value);
    state.revision = found.mod_revision;
    if (read && state.pending && state.pending->committed) {
        const auto& granted = state.pending->value.record;
        const auto& now = read.value().record;
        if (now.epoch == granted.epoch && now.holder == granted.holder) {
            state.pending->later = std::move(read).value();
            return;
        }
    }
    if (!read) {
        state.pending.reset();
        state.broken = read.error().message;
        state.reachable = state.confirmed = false;
        base::error(log_room, "pair {}: {}", pair, state.broken);
        return state.user->tell(fact::StoreUnreachable{state.broken});
    }
    state.broken.clear();
    const auto& shared = read.value();
    base::info(log_room, "pair {}: gateway {} wrote epoch {}, holder {}", pair, shared.by,
               shared.record.epoch,
               shared.record.holder.node.empty() ? "nobody" : shared.record.holder.node);
    change(state, fact::RecordChanged{shared.record, shared.drain});
    if (std::exchange(state.store, shared.store) != state.store) state.reachable = false;
}

void SharedRegister::change(PairState& state, const Fact& fact) {
    const bool decided = state.pending.has_value();
    state.pending.reset();
    state.user->tell(fact);
    if (decided) state.user->tell(fact::StoreLost{});
}

void SharedRegister::missing(PairState& state) {
    state.revision = 0;
    state.store.clear();
    change(state, fact::RecordLost{});
}

void SharedRegister::absorb_gateways(const etcd::Found& found, const Answer& answer) {
    std::vector<OtherGateways::Seen> seen;
    for (const auto& one : found.pairs) {
        if (one.key == own_key_) continue;
        OtherGateways::Seen other{one.key, one.mod_revision, std::nullopt};
        if (auto read = decode_note(one.value)) other.note = std::move(read.value().note);
        seen.push_back(std::move(other));
    }
    others_.read(answer.asked, answer.answered, seen);
    for (auto& [name, state] : pairs_) {
        auto elsewhere = others_.about(name, state.user->note().epoch);
        if (elsewhere != state.told) {
            state.told = elsewhere;
            state.user->tell(std::move(elsewhere));
        }
        if (state.pending && state.pending->committed) settle(name, state);
    }
    next_look_ = base::boot_now() + look_pause();
    for (const auto& [key, revision] : others_.gone())
        if (!busy_) bury(key, revision);
}

/// Tells the pair that its store is done, if nobody has to be waited for.
void SharedRegister::settle(const std::string& pair, PairState& state) {
    const auto epoch = state.pending->value.record.epoch;
    if (state.pending->raises && !others_.passed(pair, epoch)) return;
    const Pending done = *std::exchange(state.pending, std::nullopt);
    state.user->tell(fact::Stored{});
    if (done.later) change(state, fact::RecordChanged{done.later->record, done.later->drain});
}

bool SharedRegister::someone_waits() const {
    return std::ranges::any_of(pairs_,
                               [](const auto& item) { return item.second.pending.has_value(); });
}

void SharedRegister::judge_routes() {
    for (auto& [name, state] : pairs_) {
        if (may_route(name) == !state.suspended) continue;
        state.suspended = !state.suspended;
        if (!state.suspended) {
            state.user->resume();
        } else {
            state.user->suspend("the register was not confirmed for " +
                                config::format_duration(settings_.hold) + " (" + detail_ + ")");
        }
    }
}

// --- status
// ---------------------------------------------------------------------------------------

json::object SharedRegister::status() const {
    const auto now = base::boot_now();
    json::array gateways;
    for (const auto& [key, other] : others_.all()) {
        const bool old = other.silent >= doubt_after(other.hold());
        gateways.push_back(json::object{{"name", other.name()},
                                        {"state", other.is_gone() ? "gone"
                                                  : old           ? "doubtful"
                                                                  : "alive"},
                                        {"silent_ms", milliseconds(other.silent)}});
    }
    json::object shown{{"store", "etcd"},
                       {"endpoints", settings_.endpoints},
                       {"prefix", settings_.prefix},
                       {"hold_ms", milliseconds(settings_.hold)},
                       {"reachable", reachable_},
                       {"watched", watched_},
                       {"confirmed_ms", nullptr},
                       {"detail", detail_},
                       {"gateways", std::move(gateways)}};
    if (confirmed_) shown["confirmed_ms"] = milliseconds(now - *confirmed_);
    return shown;
}

}  // namespace umbra::gateway
