#include <umbra/etcd/client.hpp>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <utility>

namespace umbra::etcd {

namespace {

constexpr unsigned http_ok = 200;
constexpr int authentications_max = 2;

/// Codes of gRPC.
enum : int {
    invalid_argument = 3,
    deadline_exceeded = 4,
    permission_denied = 7,
    resource_exhausted = 8,
    failed_precondition = 9,
    damaged = 15,
    unauthenticated = 16,
};

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

/// What a caller has to know first: an earlier attempt may have been carried out.
Error finally(Error error, bool unknown) {
    if (unknown) error.code = Errc::timeout;
    return error;
}

std::string text_of(Duration duration) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

}  // namespace

/// What became of one attempt, beyond its error.
struct Client::Attempt {
    bool final = false;      ///< No other member will say anything else.
    bool unknown = false;    ///< It may have been carried out.
    bool sent_away = false;  ///< The token is not valid (any more).
};

Result<std::string> read_password(const std::string& file) {
    std::ifstream in{file};
    std::string line;
    if (!std::getline(in, line) && line.empty())
        return Error{Errc::invalid, "cannot read a password from " + file +
                                        "; it has to be the first line of a readable file"};
    return line;
}

Client::Client(ClientSettings settings)
    : settings_(std::move(settings)),
      connection_(settings_.tls, settings_.connect_timeout, settings_.request_timeout) {}

std::string Client::where() const { return to_string(settings_.endpoints[member_]); }

void Client::interrupt() noexcept {
    const std::lock_guard lock{mutex_};
    interrupted_ = true;
    wake_.notify_all();
}

bool Client::interrupted() {
    const std::lock_guard lock{mutex_};
    return interrupted_;
}

bool Client::pause(std::chrono::milliseconds length) {
    std::unique_lock lock{mutex_};
    return !wake_.wait_for(lock, length, [this] { return interrupted_; });
}

Result<Found> Client::range(const std::string& key, const std::string& end, std::size_t limit,
                            bool count_only) {
    const auto body = ask("/v3/kv/range", range_request(key, end, limit, count_only), false);
    if (!body.ok()) return body.error();
    return read_range(*body);
}

Result<Outcome> Client::commit(const Transaction& transaction) {
    const auto body = ask("/v3/kv/txn", transaction.request(), true);
    if (!body.ok()) return body.error();
    return read_outcome(*body);
}

Result<Outcome> Client::look(const Transaction& transaction) {
    const auto body = ask("/v3/kv/txn", transaction.request(), false);
    if (!body.ok()) return body.error();
    return read_outcome(*body);
}

Result<std::string> Client::ask(const std::string& target, const std::string& body, bool writes) {
    const auto began = Clock::now();
    auto length = pause_min;
    std::size_t in_vain = 0;  // members in a row
    std::size_t denied = 0;   // of these
    int authentications = 0;
    bool unknown = false;
    for (;;) {
        Attempt attempt;
        auto answer = try_once(target, body, attempt);
        if (answer.ok()) {
            if (std::exchange(in_trouble_, false)) settings_.warn(where() + " answers again");
            return answer;
        }
        Error error = answer.error();
        unknown = unknown || (writes && attempt.unknown);
        if (attempt.sent_away && ++authentications <= authentications_max) continue;
        if (attempt.final) return finally(error, unknown);
        if (!std::exchange(in_trouble_, true)) settings_.warn(error.message + "; trying on");
        connection_.close();
        member_ = (member_ + 1) % settings_.endpoints.size();
        denied = error.code == Errc::denied ? denied + 1 : 0;
        if (denied == settings_.endpoints.size()) return finally(error, unknown);
        if (interrupted())
            return Error{Errc::closed, "no more is asked of etcd, the program stops"};
        if (++in_vain % settings_.endpoints.size() != 0) continue;
        if (Clock::now() - began + length > settings_.patience) {
            error.code = Errc::unavailable;
            error.message = "no member of etcd could answer for " + text_of(settings_.patience) +
                            "; the last one: " + error.message;
            return finally(error, unknown);
        }
        if (!pause(length))
            return Error{Errc::closed, "no more is asked of etcd, the program stops"};
        length = std::min(length * 2, pause_max);
    }
}

Result<std::string> Client::try_once(const std::string& target, const std::string& body,
                                     Attempt& attempt) {
    if (!connection_.is_open()) {
        if (auto r = connection_.connect(settings_.endpoints[member_]); !r.ok()) return r.error();
    }
    if (!settings_.user.empty() && token_.empty())
        if (auto r = authenticate(attempt); !r.ok()) return r.error();
    auto answer = connection_.post(target, body, token_);
    if (!answer.ok()) {
        attempt.unknown = true;
        attempt.final = answer.error().code == Errc::exhausted;
        return answer.error();
    }
    if (answer.value().status == http_ok) return std::move(answer.value().body);
    return refused(*answer, attempt);
}

Result<Done> Client::authenticate(Attempt& attempt) {
    const auto request = authenticate_request(settings_.user, settings_.password);
    const auto answer = connection_.post("/v3/auth/authenticate", request, {});
    if (!answer.ok()) return answer.error();
    if (answer.value().status != http_ok) return refused(answer.value(), attempt);
    auto token = read_token(answer.value().body);
    if (!token.ok()) return token.error();
    token_ = std::move(token).value();
    return Done{};
}

Error Client::refused(const HttpAnswer& answer, Attempt& attempt) {
    const auto [code, message] = read_refusal(answer.body);
    const auto text = where() + ": " + message;
    const auto end = [&](Errc meaning, const std::string& remedy) {
        attempt.final = true;
        return Error{meaning, text + remedy};
    };
    if (has(message, "invalid user ID or password"))
        return end(Errc::denied, "; check the options user and password");
    if (has(message, "authentication is not enabled"))
        return end(Errc::denied, "; leave out the options user and password");
    if (has(message, "user name is empty"))
        return end(Errc::denied, "; set the options user and password");
    if (code == permission_denied)
        return end(Errc::denied, "; grant the user read and write access to the prefix");
    if (has(message, "space exceeded"))
        return end(Errc::exhausted, "; make space in etcd (compact, defragment, disarm its alarm)");
    if (has(message, "too large") || has(message, "too many operations"))
        return end(Errc::invalid, "; raise --max-request-bytes or --max-txn-ops of etcd");
    if (code == damaged || has(message, "corrupt"))
        return end(Errc::data_loss, "; repair the cluster");
    // Tokens end with the member that gave them, or with a change of users.
    if (code == unauthenticated || has(message, "revision of auth store is old") ||
        has(message, "invalid auth token")) {
        token_.clear();
        attempt.sent_away = true;
        return {Errc::denied, text};
    }
    if (code == invalid_argument || code == failed_precondition || answer.status == 404)
        return end(Errc::unsupported, "; is this etcd 3.4 or later, with its v3 gateway?");
    // What is left passes: no leader, a leader that changed, too many requests.
    attempt.unknown = code != resource_exhausted;
    return {Errc::unavailable, text};
}

}  // namespace umbra::etcd
