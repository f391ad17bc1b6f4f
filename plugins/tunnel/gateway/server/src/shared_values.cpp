#include "shared_values.hpp"

#include <umbra/config/values.hpp>
#include <umbra/gateway/hex.hpp>

#include <boost/json.hpp>

#include <chrono>

namespace umbra::gateway {

namespace json = boost::json;

namespace {

constexpr std::int64_t format = 1;

Error damaged(const char* what) {
    return {Errc::data_loss, std::string(what) + " in etcd is damaged"};
}

/// An object of this format.
Result<json::object> open(std::string_view value, const char* what) {
    json::error_code error;
    auto read = json::parse(json::string_view(value.data(), value.size()), error);
    if (error || !read.is_object()) return damaged(what);
    const auto* number = read.get_object().if_contains("format");
    if (number == nullptr || !number->is_int64()) return damaged(what);
    if (number->get_int64() != format)
        return Error{Errc::unsupported, std::string(what) + " in etcd has format " +
                                            std::to_string(number->get_int64()) +
                                            ", this version knows " + std::to_string(format)};
    return std::move(read.get_object());
}

std::string text_in(const json::object& object, const char* key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? json::value_to<std::string>(*value) : "";
}

bool flag_in(const json::object& object, const char* key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_bool() && value->get_bool();
}

/// A number that is not negative.
std::optional<std::uint64_t> number_in(const json::value* value) {
    if (value == nullptr) return std::nullopt;
    json::error_code error;
    const auto number = value->to_number<std::uint64_t>(error);
    return error ? std::nullopt : std::optional(number);
}

std::optional<PairNote> pair_note(const json::value& value) {
    const auto* object = value.if_object();
    if (object == nullptr) return std::nullopt;
    const auto epoch = number_in(object->if_contains("epoch"));
    const auto* reports = object->if_contains("reports");
    if (!epoch || *epoch > epoch_max || reports == nullptr || !reports->is_object())
        return std::nullopt;
    PairNote note;
    note.epoch = *epoch;
    note.hears_holder = flag_in(*object, "hears_holder");
    if (const auto* successor = object->if_contains("consent"); successor != nullptr) {
        note.consent = successor->is_string();
        note.successor = text_in(*object, "consent");
    }
    for (const auto& [node, reported] : reports->get_object()) {
        const auto known = number_in(&reported);
        if (!known || *known > epoch_max) return std::nullopt;
        note.reports[std::string(node)] = *known;
    }
    return note;
}

}  // namespace

std::string SharedKeys::pair_of(std::string_view key) const {
    const auto lead = records();
    const std::string name(key.starts_with(lead) ? key.substr(lead.size()) : std::string_view());
    return config::is_name(name) ? name : std::string();
}

std::string encode_shared(const SharedRecord& shared) {
    const auto& record = shared.record;
    // What comes before "record" is for people; names of nodes have been checked, see Roster.
    return json::serialize(
        json::object{{"format", format},
                     {"epoch", record.epoch},
                     {"holder", config::is_name(record.holder.node) ? record.holder.node : ""},
                     {"by", shared.by},
                     {"write", shared.write},
                     {"store", shared.store},
                     {"drain", shared.drain},
                     {"record", to_hex(encode(record))}});
}

Result<SharedRecord> decode_shared(std::string_view value) {
    constexpr const char* what = "the record of the register";
    auto object = open(value, what);
    if (!object) return object.error();
    const auto text = text_in(object.value(), "record");
    Bytes bytes(text.size() / 2);
    if (!from_hex(text, bytes)) return damaged(what);
    auto record = decode_record(bytes);
    if (!record) return record.error();
    return SharedRecord{std::move(record).value(), flag_in(object.value(), "drain"),
                        text_in(object.value(), "by"), text_in(object.value(), "write"),
                        text_in(object.value(), "store")};
}

std::string encode_note(const GatewayNote& note, const std::string& session, std::uint64_t beat) {
    json::object pairs;
    for (const auto& [name, pair] : note.pairs) {
        json::object reports;
        for (const auto& [node, epoch] : pair.reports)
            if (config::is_name(node)) reports[node] = epoch;
        json::object shown{{"epoch", pair.epoch},
                           {"hears_holder", pair.hears_holder},
                           {"reports", std::move(reports)}};
        if (pair.consent && (pair.successor.empty() || config::is_name(pair.successor)))
            shown["consent"] = pair.successor;
        pairs[name] = std::move(shown);
    }
    const auto hold = std::chrono::ceil<std::chrono::milliseconds>(note.hold).count();
    return json::serialize(json::object{{"format", format},
                                        {"name", note.name},
                                        {"session", session},
                                        {"beat", beat},
                                        {"hold_ms", hold},
                                        {"pairs", std::move(pairs)}});
}

Result<ReadNote> decode_note(std::string_view value) {
    constexpr const char* what = "the note of a gateway";
    auto object = open(value, what);
    if (!object) return object.error();
    const auto hold = number_in(object.value().if_contains("hold_ms"));
    const auto* pairs = object.value().if_contains("pairs");
    const auto longest = std::chrono::duration_cast<std::chrono::milliseconds>(hold_max).count();
    if (!hold || *hold > static_cast<std::uint64_t>(longest) || pairs == nullptr ||
        !pairs->is_object())
        return damaged(what);
    ReadNote read{{text_in(object.value(), "name"), std::chrono::milliseconds(*hold), {}},
                  text_in(object.value(), "session")};
    for (const auto& [name, pair] : pairs->get_object()) {
        auto note = pair_note(pair);
        if (!note) return damaged(what);
        read.note.pairs[std::string(name)] = *std::move(note);
    }
    return read;
}

}  // namespace umbra::gateway
