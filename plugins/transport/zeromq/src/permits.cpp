#include "permits.hpp"

#include "settings.hpp"

#include <utility>

namespace umbra::zeromq {

void Permits::set(const std::string& peer, const std::vector<std::string>& guests) {
    const std::scoped_lock lock{mutex_};
    std::set<std::string> before = std::move(guests_);
    if (!peer_.empty()) before.insert(peer_);
    peer_ = peer;
    guests_ = {guests.begin(), guests.end()};
    for (const auto& key : before) {
        if (key != peer_ && !guests_.contains(key) && revoked_.size() < revoked_max)
            revoked_.insert(key);
    }
    revoked_.erase(peer_);
    for (const auto& key : guests_) revoked_.erase(key);
}

Verdict Permits::judge(const std::string& domain, const std::string& key,
                       const std::string& address) {
    const std::scoped_lock lock{mutex_};
    if (!self_test_key_.empty() && key == self_test_key_) {
        ++self_test_refusals_;
        return Verdict::revoked;
    }
    if (allowed(domain, key)) return Verdict::permitted;
    const bool revoked = revoked_.contains(key);
    ++strangers_.count;
    strangers_.detail = (revoked ? "revoked key \"" : "unknown key \"") + key + "\" from " +
                        address + " was refused at " + domain;
    return revoked ? Verdict::revoked : Verdict::unknown;
}

bool Permits::allows(const std::string& domain, const std::string& key) const {
    const std::scoped_lock lock{mutex_};
    return allowed(domain, key);
}

bool Permits::is_peer(const std::string& key) const {
    const std::scoped_lock lock{mutex_};
    return !key.empty() && key == peer_;
}

bool Permits::allowed(const std::string& domain, const std::string& key) const {
    if (key.empty()) return false;
    if (domain == publish_domain) return key == peer_;
    return domain == respond_domain && (key == peer_ || guests_.contains(key));
}

void Permits::count_stranger(std::string detail) {
    const std::scoped_lock lock{mutex_};
    ++strangers_.count;
    strangers_.detail = std::move(detail);
}

Strangers Permits::take_strangers() {
    const std::scoped_lock lock{mutex_};
    return std::exchange(strangers_, {});
}

void Permits::begin_self_test(const std::string& key) {
    const std::scoped_lock lock{mutex_};
    self_test_key_ = key;
    self_test_refusals_ = 0;
}

int Permits::end_self_test() {
    const std::scoped_lock lock{mutex_};
    self_test_key_.clear();
    return self_test_refusals_;
}

}  // namespace umbra::zeromq
