#include "zap.hpp"

#include "keys.hpp"
#include "message.hpp"

#include <array>
#include <exception>
#include <pthread.h>
#include <utility>

namespace umbra::zeromq {

namespace {

constexpr std::size_t raw_key_size = 32;

/// version, request id, domain, address, routing id, mechanism, credentials
constexpr std::size_t question_frames = 7;

std::string to_z85(const std::string& raw) {
    std::array<char, z85_key_size + 1> text{};
    ::zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(raw.data()), raw.size());
    return text.data();
}

Frames to_reply(const std::string& request_id, const char* code, const char* text,
                const std::string& user_id) {
    return {"1.0", request_id, code, text, user_id, ""};
}

}  // namespace

Zap::Zap(zmq::context_t& context, Permits& permits, std::function<void()> judged,
         std::function<void()> on_end)
    : permits_(permits), judged_(std::move(judged)), on_end_(std::move(on_end)) {
    zmq::socket_t socket{context, zmq::socket_type::rep};
    socket.set(zmq::sockopt::linger, 0);
    socket.bind("inproc://zeromq.zap.01");
    thread_ = std::thread{[this, moved = std::move(socket)]() mutable { serve(std::move(moved)); }};
}

Zap::~Zap() {
    if (thread_.joinable()) thread_.join();
}

void Zap::serve(zmq::socket_t socket) {
    ::pthread_setname_np(::pthread_self(), "zeromq-zap");
    try {
        while (answer_one(socket)) {
        }
    } catch (const std::exception&) {
        // Falls through: whatever happened, nobody is let in any more.
    }
    alive_.store(false, std::memory_order_release);
    socket.close();
    on_end_();
}

bool Zap::answer_one(zmq::socket_t& socket) {
    Message question;
    if (!receive(socket, question, Wait::yes)) return false;
    const auto& f = question.frames;
    if (f.size() != question_frames || f[0] != "1.0") {
        return send_frames(socket, to_reply(f.size() > 1 ? f[1] : "", "500", "not ZAP 1.0", ""));
    }
    if (f[5] != "CURVE" || f[6].size() != raw_key_size)
        return send_frames(socket, to_reply(f[1], "400", "CURVE only", ""));

    const std::string key = to_z85(f[6]);
    const Verdict verdict = permits_.judge(f[2], key, f[3]);
    // 300 makes libzmq's client try again by itself, 400 makes it give up for good.
    const Frames reply = verdict == Verdict::permitted ? to_reply(f[1], "200", "", key)
                         : verdict == Verdict::unknown ? to_reply(f[1], "300", "not permitted", "")
                                                       : to_reply(f[1], "400", "revoked", "");
    const bool sent = send_frames(socket, reply);
    if (verdict != Verdict::permitted) judged_();
    return sent;
}

}  // namespace umbra::zeromq
