#include "http_body.hpp"

#include <algorithm>

namespace umbra::gateway {

namespace {

constexpr std::size_t size_digits_max = 15;  // They always fit.

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// Says how a message is to be read, which is too late after its body.
bool belongs_into_the_head(std::string_view name) {
    for (const char* one :
         {"content-length", "transfer-encoding", "host", "connection", "trailer",
          "content-encoding", "content-type", "content-range", "upgrade", "authorization", "cookie",
          "set-cookie", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"})
        if (same_name(name, one)) return true;
    return false;
}

}  // namespace

BodyScanner::BodyScanner(BodyFraming framing) : state_(State::done), left_(framing.length) {
    switch (framing.kind) {
        case BodyFraming::Kind::none:
            break;
        case BodyFraming::Kind::length:
            state_ = left_ == 0 ? State::done : State::plain;
            break;
        case BodyFraming::Kind::chunked:
            left_ = 0;
            state_ = State::size;
            break;
        case BodyFraming::Kind::until_close:
            state_ = State::endless;
            break;
    }
}

std::size_t BodyScanner::take(std::string_view bytes) {
    std::size_t taken = 0;
    while (taken < bytes.size() && state_ != State::done && state_ != State::failed) {
        if (state_ == State::endless) return bytes.size();
        if (state_ != State::plain && state_ != State::data) {
            step(bytes[taken++]);
            continue;
        }
        const auto part = std::min<std::uint64_t>(left_, bytes.size() - taken);
        taken += static_cast<std::size_t>(part);
        left_ -= part;
        if (left_ == 0) state_ = state_ == State::plain ? State::done : State::data_cr;
    }
    return taken;
}

void BodyScanner::digit(int value) {
    if (++digits_ > size_digits_max) {
        state_ = State::failed;
        return;
    }
    left_ = left_ * 16 + static_cast<std::uint64_t>(value);
}

void BodyScanner::step(char c) {
    const auto expect = [&](char wanted, State next) {
        state_ = c == wanted ? next : State::failed;
    };
    switch (state_) {
        case State::size:
            if (const int value = hex_value(c); value >= 0) return digit(value);
            extension_ = 0;
            if (digits_ > 0 && c == ';')
                state_ = State::extension;
            else
                state_ = digits_ > 0 && c == '\r' ? State::size_lf : State::failed;
            return;
        case State::extension:
            if (c == '\r') return expect('\r', State::size_lf);
            if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f ||
                ++extension_ > chunk_extension_bytes_max)
                state_ = State::failed;
            return;
        case State::size_lf:
            digits_ = 0;
            return expect('\n', left_ == 0 ? State::trailer : State::data);
        case State::data_cr:
            return expect('\r', State::data_lf);
        case State::data_lf:
            return expect('\n', State::size);
        case State::trailer:
            if (c == '\r') return expect('\r', State::trailer_lf);
            line_ += c;
            if (++trailers_ > trailer_bytes_max) state_ = State::failed;
            return;
        case State::trailer_lf:
            if (c != '\n') return expect('\n', State::failed);
            return end_trailer_line();
        default:
            state_ = State::failed;
    }
}

void BodyScanner::end_trailer_line() {
    if (line_.empty()) {
        state_ = State::done;
        return;
    }
    const auto field = parse_field(line_);
    line_.clear();
    state_ = field && !belongs_into_the_head(field->name) ? State::trailer : State::failed;
}

}  // namespace umbra::gateway
