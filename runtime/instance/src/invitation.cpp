#include "invitation.hpp"

#include <umbra/config/values.hpp>

#include <boost/json.hpp>
#include <openssl/evp.h>

#include <algorithm>
#include <stdexcept>

namespace umbra::instance {

namespace json = boost::json;

namespace {

constexpr std::string_view prefix = "umbra-peer1.";
constexpr std::size_t text_bytes_max = 4096;

std::string base64url(std::string_view bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    text.erase(std::remove(text.begin(), text.end(), '='), text.end());
    return text;
}

std::string from_base64url(std::string text) {
    std::replace(text.begin(), text.end(), '-', '+');
    std::replace(text.begin(), text.end(), '_', '/');
    const std::size_t padding = (4 - text.size() % 4) % 4;
    text.append(padding, '=');
    std::string bytes(text.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
    if (size < 0) throw std::runtime_error("not base64url");
    bytes.resize(static_cast<std::size_t>(size) - padding);
    return bytes;
}

std::string text_of(const json::object& o, const char* key) {
    return o.at(key).as_string().c_str();
}

void need_name(const std::string& name) {
    if (!config::is_name(name)) throw std::runtime_error("bad name");
}

template <class T, class F>
Result<T> parsed(std::string_view text, const char* what, F f) {
    try {
        if (text.size() > text_bytes_max) throw std::runtime_error("too long");
        return f(text);
    } catch (const std::exception&) {
        return Error{Errc::invalid, what};
    }
}

}  // namespace

std::string encode(const Invitation& i) {
    return std::string{prefix} + base64url(json::serialize(json::object{{"node", i.node},
                                                                        {"identity", i.identity},
                                                                        {"publish", i.publish},
                                                                        {"respond", i.respond},
                                                                        {"secret", i.secret}}));
}

Result<Invitation> decode_invitation(std::string_view text) {
    return parsed<Invitation>(
        text,
        "this is not an invitation of a master; copy the whole line that `umbra peer invite` "
        "printed",
        [](std::string_view t) {
            if (t.substr(0, prefix.size()) != prefix) throw std::runtime_error("prefix");
            const auto value = json::parse(from_base64url(std::string{t.substr(prefix.size())}));
            const auto& o = value.as_object();
            Invitation i{text_of(o, "node"), text_of(o, "identity"), text_of(o, "publish"),
                         text_of(o, "respond"), text_of(o, "secret")};
            need_name(i.node);
            return i;
        });
}

std::string encode(const JoinRequest& r) {
    return json::serialize(json::object{{"join", 1},
                                        {"node", r.node},
                                        {"identity", r.identity},
                                        {"version", r.version},
                                        {"publish", r.publish},
                                        {"respond", r.respond}});
}

Result<JoinRequest> decode_join_request(std::string_view text) {
    return parsed<JoinRequest>(text, "malformed introduction", [](std::string_view t) {
        const auto value = json::parse(t);
        const auto& o = value.as_object();
        JoinRequest r{text_of(o, "node"), text_of(o, "identity"), text_of(o, "version"),
                      text_of(o, "publish"), text_of(o, "respond")};
        need_name(r.node);
        return r;
    });
}

std::string encode(const JoinReply& r) {
    return json::serialize(
        json::object{{"accepted", r.accepted}, {"reason", r.reason}, {"node", r.node}});
}

Result<JoinReply> decode_join_reply(std::string_view text) {
    return parsed<JoinReply>(text, "malformed answer to the introduction", [](std::string_view t) {
        const auto value = json::parse(t);
        const auto& o = value.as_object();
        return JoinReply{o.at("accepted").as_bool(), text_of(o, "reason"), text_of(o, "node")};
    });
}

}  // namespace umbra::instance
