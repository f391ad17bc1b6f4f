#include <umbra/etcd/json_text.hpp>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>

namespace umbra::etcd {

namespace json = boost::json;

namespace {

constexpr std::size_t message_max = 300;
constexpr std::size_t operation_overhead = 32;

std::string base64(std::string_view bytes) {
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int size = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                       reinterpret_cast<const unsigned char*>(bytes.data()),
                                       static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

/// False when it is none.
bool unbase64(std::string_view text, std::string& bytes) {
    bytes.assign(text.size() / 4 * 3, '\0');
    const int size = ::EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                       reinterpret_cast<const unsigned char*>(text.data()),
                                       static_cast<int>(text.size()));
    const auto padding = text.size() - std::min(text.size(), text.find_last_not_of('=') + 1);
    if (size < 0 || text.size() % 4 != 0 || padding > 2) return false;
    bytes.resize(static_cast<std::size_t>(size) - padding);
    return true;
}

/// etcd writes 64 bits as text, and leaves out what is 0.
std::uint64_t number(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    if (value == nullptr) return 0;
    if (const auto* text = value->if_string()) {
        std::uint64_t result = 0;
        std::from_chars(text->data(), text->data() + text->size(), result);
        return result;
    }
    boost::system::error_code none;
    const auto result = value->to_number<std::uint64_t>(none);
    return none ? 0 : result;
}

bool bytes(const json::object& object, std::string_view name, std::string& out) {
    const auto* value = object.if_contains(name);
    if (value == nullptr) return out.clear(), true;
    const auto* text = value->if_string();
    return text != nullptr && unbase64({text->data(), text->size()}, out);
}

const json::object* member(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value == nullptr ? nullptr : value->if_object();
}

Result<json::object> parse(std::string_view body) {
    boost::system::error_code failed;
    auto value = json::parse(json::string_view{body.data(), body.size()}, failed);
    if (!failed && value.is_object()) return std::move(value.get_object());
    return Error{Errc::internal, "etcd answered with something that is not JSON"};
}

const Error& strange() {
    static const Error error{Errc::internal, "etcd answered with something of another form"};
    return error;
}

Result<Found> read_pairs(const json::object& object) {
    Found found;
    found.count = number(object, "count");
    const auto* list = object.if_contains("kvs");
    if (list == nullptr) return found;
    if (!list->is_array()) return strange();
    for (const auto& item : list->get_array()) {
        const auto* pair = item.if_object();
        KeyValue entry;
        if (pair == nullptr || !bytes(*pair, "key", entry.key) ||
            !bytes(*pair, "value", entry.value))
            return strange();
        entry.mod_revision = number(*pair, "mod_revision");
        found.pairs.push_back(std::move(entry));
    }
    return found;
}

std::string quoted(const std::string& text) { return json::serialize(json::string(text)); }

}  // namespace

std::string end_of_prefix(std::string prefix) {
    while (static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
    return prefix;
}

std::string range_request(const std::string& key, const std::string& end, std::size_t limit,
                          bool count_only) {
    std::string text = "{\"key\":\"" + base64(key) + "\"";
    if (!end.empty()) text += ",\"range_end\":\"" + base64(end) + "\"";
    if (limit != 0) text += ",\"limit\":\"" + std::to_string(limit) + "\"";
    if (count_only) text += ",\"count_only\":true";
    return text + "}";
}

std::string watch_request(const std::string& key, const std::string& end) {
    return "{\"create_request\":{\"key\":\"" + base64(key) + "\",\"range_end\":\"" + base64(end) +
           "\"}}";
}

std::string authenticate_request(const std::string& user, const std::string& password) {
    return "{\"name\":" + quoted(user) + ",\"password\":" + quoted(password) + "}";
}

Transaction::Transaction(std::string guard, std::uint64_t revision)
    : guard_(std::move(guard)), revision_(revision) {}

void Transaction::add(std::string operation, std::size_t bytes) {
    success_ += operations_ == 0 ? "" : ",";
    success_ += operation;
    ++operations_;
    bytes_ += bytes + operation_overhead;
}

void Transaction::put(const std::string& key, std::string_view value) {
    add("{\"request_put\":{\"key\":\"" + base64(key) + "\",\"value\":\"" + base64(value) + "\"}}",
        key.size() + value.size());
}

void Transaction::erase(const std::string& key, const std::string& end) {
    add("{\"request_delete_range\":{\"key\":\"" + base64(key) + "\",\"range_end\":\"" +
            base64(end) + "\"}}",
        key.size() + end.size());
}

void Transaction::read(const std::string& key, const std::string& end,
                       std::uint64_t changed_since) {
    std::string range = "{\"request_range\":{\"key\":\"" + base64(key) + "\"";
    if (!end.empty()) range += ",\"range_end\":\"" + base64(end) + "\"";
    if (changed_since != 0)
        range += ",\"min_mod_revision\":\"" + std::to_string(changed_since) + "\"";
    add(std::move(range) + "}}", key.size() + end.size());
}

std::string Transaction::request() const {
    if (guard_.empty()) return "{\"success\":[" + success_ + "]}";
    const auto guard = base64(guard_);
    return "{\"compare\":[{\"key\":\"" + guard +
           "\",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"" +
           std::to_string(revision_) + "\"}],\"success\":[" + success_ +
           "],\"failure\":[{\"request_range\":{\"key\":\"" + guard + "\"}}]}";
}

Result<Found> read_range(std::string_view body) {
    const auto object = parse(body);
    if (!object.ok()) return object.error();
    return read_pairs(*object);
}

Result<WatchNews> read_watch(std::string_view line) {
    const auto object = parse(line);
    if (!object.ok()) return object.error();
    const auto* result = member(object.value(), "result");
    if (result == nullptr) return strange();
    const auto is = [&](std::string_view name) {
        const auto* value = result->if_contains(name);
        return value != nullptr && value->is_bool() && value->get_bool();
    };
    WatchNews news{is("created"), is("canceled"), {}};
    const auto* list = result->if_contains("events");
    if (list == nullptr) return news;
    if (!list->is_array()) return strange();
    for (const auto& item : list->get_array()) {
        const auto* event = item.if_object();
        const auto* pair = event == nullptr ? nullptr : member(*event, "kv");
        std::string key;
        if (pair == nullptr || !bytes(*pair, "key", key)) return strange();
        news.keys.push_back(std::move(key));
    }
    return news;
}

Result<Outcome> read_outcome(std::string_view body) {
    const auto object = parse(body);
    if (!object.ok()) return object.error();
    const auto* header = member(object.value(), "header");
    if (header == nullptr) return strange();
    Outcome outcome;
    outcome.revision = number(*header, "revision");
    const auto* succeeded = object.value().if_contains("succeeded");
    outcome.succeeded = succeeded != nullptr && succeeded->is_bool() && succeeded->get_bool();
    std::vector<Found> reads;
    if (const auto* responses = object.value().if_contains("responses")) {
        if (!responses->is_array()) return strange();
        for (const auto& response : responses->get_array()) {
            const auto* one = response.if_object();
            if (one == nullptr) return strange();
            const auto* range = member(*one, "response_range");
            if (range == nullptr) continue;  // Of a put or an erase.
            auto found = read_pairs(*range);
            if (!found.ok()) return found.error();
            reads.push_back(std::move(found).value());
        }
    }
    if (outcome.succeeded) {
        outcome.reads = std::move(reads);
        return outcome;
    }
    if (reads.empty()) return strange();
    outcome.found = std::move(reads.front());
    return outcome;
}

Result<std::string> read_token(std::string_view body) {
    const auto object = parse(body);
    if (!object.ok()) return object.error();
    const auto* token = object.value().if_contains("token");
    if (token == nullptr || !token->is_string()) return strange();
    return std::string{token->get_string().data(), token->get_string().size()};
}

Refusal read_refusal(std::string_view body) {
    Refusal refusal{-1, std::string{body.substr(0, message_max)}};
    const auto object = parse(body);
    if (!object.ok() || !object.value().contains("code")) return refusal;
    refusal.code = static_cast<int>(number(object.value(), "code"));
    for (const char* name : {"error", "message"})
        if (const auto* text = object.value().if_contains(name);
            text != nullptr && text->is_string())
            refusal.message = std::string{text->get_string().data(), text->get_string().size()};
    return refusal;
}

}  // namespace umbra::etcd
