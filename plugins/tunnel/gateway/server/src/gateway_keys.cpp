#include "gateway_keys.hpp"

#include "log_room.hpp"
#include <umbra/base/durable_file.hpp>
#include <umbra/gateway/invitation.hpp>
#include <umbra/gateway/next_key.hpp>

#include <boost/json/array.hpp>

#include <cerrno>
#include <string_view>
#include <utility>

namespace umbra::gateway {

namespace json = boost::json;

namespace {

constexpr const char* id_file = "register.id";
constexpr std::size_t id_begin = std::string_view("sha256:").size(), id_length = 32;

/// "alpha, beta of pair east"
std::string names_of(const std::vector<const EnrolledNode*>& nodes) {
    std::string text;
    for (const auto* one : nodes) {
        text += (text.empty() ? "" : ", ") + one->node;
        if (one->pair != default_pair) text += " of pair " + one->pair;
    }
    return text;
}

}  // namespace

GatewayKeys::GatewayKeys(Context& context, Desk desk) : context_(context), desk_(std::move(desk)) {}

Result<Done> GatewayKeys::open() {
    const auto& dir = context_.settings.data_dir;
    auto identity = TlsIdentity::load_or_create(dir, context_.settings.name, Side::gateway);
    if (!identity) return identity.error();
    auto next = next_key_pin(dir);
    if (!next) return next.error();
    identity_ = std::move(*identity);
    next_ = std::move(*next);
    // There once a key was changed.
    const auto kept = base::read_file(dir / id_file, id_length + 1);
    if (!kept && kept.error().sys_errno != ENOENT) return kept.error();
    id_kept_ = kept.ok();
    id_ = kept ? kept.value().substr(0, id_length) : identity_->pin().substr(id_begin, id_length);
    if (id_.size() != id_length || id_.find_first_not_of("0123456789abcdef") != std::string::npos)
        return Error{Errc::data_loss, (dir / id_file).string() +
                                          " is damaged; restore it from a "
                                          "backup, or remove it"};
    return Done{};
}

bool GatewayKeys::is_busy(const Answer& answer) {
    if (!std::exchange(busy_, true)) return false;
    answer(Error{Errc::conflict, "the keys are being changed this moment"});
    return true;
}

void GatewayKeys::rotate(Answer answer) {
    if (!next_.empty())
        return answer(Error{Errc::conflict, "there is a next key already, " + next_ +
                                                "; use it with umbra-gateway key use, or take it "
                                                "back with umbra-gateway key drop"});
    if (is_busy(answer)) return;
    context_.on_disk(
        [dir = context_.settings.data_dir, id = id_kept_ ? "" : id_]() -> Result<std::string> {
            if (!id.empty()) {
                if (auto kept = base::replace_file(dir / id_file, id + "\n"); !kept)
                    return kept.error();
            }
            return make_next_key(dir);
        },
        [this, answer = std::move(answer)](Result<std::string> made) {
            busy_ = false;
            if (!made) return answer(made.error());
            id_kept_ = true;
            next_ = std::move(*made);
            base::info(log_room, "keys: a next key was made, {}", next_);
            announce();
            answer(Done{});
        });
}

void GatewayKeys::use(bool force, Answer answer) {
    if (next_.empty())
        return answer(
            Error{Errc::conflict, "there is no next key; make one with umbra-gateway key rotate"});
    const auto missing = desk_.roster().who_does_not_know(next_);
    if (!missing.empty() && !force)
        return answer(Error{Errc::conflict,
                            "the next key is not confirmed by " + names_of(missing) +
                                "; wait until it is, take the enrolment back with umbra-gateway "
                                "remove, or use --force, after which it has to enrol again"});
    if (is_busy(answer)) return;
    if (!missing.empty())
        base::warn(log_room, "keys: the next key is used by force, without {}", names_of(missing));
    const auto& settings = context_.settings;
    context_.on_disk(
        [dir = settings.data_dir, name = settings.name]() -> Result<TlsIdentity> {
            if (auto used = use_next_key(dir); !used) return used.error();
            return TlsIdentity::load_or_create(dir, name, Side::gateway);
        },
        [this, answer = std::move(answer)](Result<TlsIdentity> identity) {
            busy_ = false;
            // Which key the disk has is unknown then: the next start reads it.
            if (!identity) return context_.fail(identity.error());
            identity_ = std::move(*identity);
            next_.clear();
            base::info(log_room, "keys: new links use {}", identity_->pin());
            announce();
            answer(Done{});
        });
}

void GatewayKeys::drop(Answer answer) {
    if (next_.empty()) return answer(Error{Errc::conflict, "there is no next key"});
    if (is_busy(answer)) return;
    context_.on_disk([dir = context_.settings.data_dir] { return drop_next_key(dir); },
                     [this, answer = std::move(answer)](Result<Done> dropped) {
                         busy_ = false;
                         if (!dropped) return context_.fail(dropped.error());
                         base::info(log_room, "keys: the next key {} is taken back",
                                    std::exchange(next_, ""));
                         announce();
                         answer(Done{});
                     });
}

void GatewayKeys::announce() {
    desk_.each_link([this](Session& session) { tell(session); });
}

void GatewayKeys::welcomed(Session& session) {
    tell(session);
    const auto& shown = session.link->peer_pin();
    const auto* node = desk_.roster().find_pin(shown);
    if (node == nullptr || node->next_pin != shown) return;
    desk_.change(
        [pair = node->pair, name = node->node, shown](Roster& roster) {
            return roster.set_keys(pair, name, shown, {shown, ""});
        },
        [pair = node->pair, name = node->node, shown](const Result<Done>& done) {
            if (done) base::info(log_room, "pair {}: node {} uses the key {}", pair, name, shown);
        });
}

void GatewayKeys::tell(Session& session) {
    if (session.link->minor() >= 1) session.link->send(msg::Keys{pins()});
}

bool GatewayKeys::control(const std::shared_ptr<Session>& session, const std::string& pair,
                          const ControlMessage& message) {
    if (const auto* keys = std::get_if<msg::Keys>(&message)) {
        on_keys(session, pair, keys->pins);
        return true;
    }
    const auto* stored = std::get_if<msg::KeysStored>(&message);
    if (stored == nullptr) return false;
    // An answer to what was said before the last change is no answer.
    if (stored->pins != pins()) return true;
    const std::string& knows = next_.empty() ? identity_->pin() : next_;
    const auto* node = desk_.roster().find_node(pair, session->node);
    if (node == nullptr || node->knows == knows) return true;
    desk_.change([pair, name = session->node,
                  knows](Roster& roster) { return roster.note_known(pair, name, knows); },
                 [pair, name = session->node, knows](const Result<Done>& done) {
                     if (done)
                         base::info(log_room, "pair {}: node {} has stored the key {}", pair, name,
                                    knows);
                 });
    return true;
}

void GatewayKeys::on_keys(const std::shared_ptr<Session>& session, const std::string& pair,
                          const KeyPins& theirs) {
    const auto refuse = [&](const char* why) {
        ++context_.counters.protocol_errors;
        session->link->close(why);
    };
    if (!well_formed(theirs)) return refuse("it announced something that is no key");
    const auto* known = desk_.roster().find_node(pair, session->node);
    if (known != nullptr && KeyPins{known->pin, known->next_pin} == theirs)
        return session->link->send(msg::KeysStored{theirs});
    if (std::exchange(session->changes_keys, true))
        return refuse("it changes its keys before the last change is stored");
    desk_.change(
        [pair, session, theirs](Roster& roster) {
            return roster.set_keys(pair, session->node, session->link->peer_pin(), theirs);
        },
        [pair, session, theirs](const Result<Done>& done) {
            session->changes_keys = false;
            if (!done)
                return base::warn(log_room, "pair {}: keys of node {} are refused: {}", pair,
                                  session->node, done.error().message);
            base::info(log_room, "pair {}: node {} has the key {}{}", pair, session->node,
                       theirs.present, theirs.next.empty() ? "" : ", later " + theirs.next);
            session->link->send(msg::KeysStored{theirs});
        });
}

json::object GatewayKeys::status() const {
    json::object status{{"pin", identity_->pin()}, {"next", nullptr}};
    json::array missing;
    if (!next_.empty()) {
        status["next"] = next_;
        for (const auto* one : desk_.roster().who_does_not_know(next_))
            missing.push_back(json::object{{"node", one->node}, {"pair", one->pair}});
    }
    status["unconfirmed"] = std::move(missing);
    return status;
}

}  // namespace umbra::gateway
