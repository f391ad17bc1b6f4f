#include <umbra/config/schema.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace umbra::config {

namespace {

/// A getter for a key that is not there is a bug of the caller, not a mistake of a user.
[[noreturn]] void misuse(const std::string& path, std::string_view key) {
    std::fprintf(stderr, "config: [%s] has no \"%.*s\" of the type asked for\n", path.c_str(),
                 static_cast<int>(key.size()), key.data());
    std::abort();
}

bool holds_text(Type type) {
    switch (type) {
        case Type::string:
        case Type::duration:
        case Type::endpoint:
        case Type::listen:
        case Type::endpoint_range:
        case Type::listen_range:
        case Type::path:
        case Type::choice:
        case Type::url:
        case Type::name:
            return true;
        default:
            return false;
    }
}

}  // namespace

const Value* Section::find(std::string_view key) const {
    const auto found = std::find_if(values_.begin(), values_.end(),
                                    [key](const Slot& slot) { return slot.key == key; });
    return found == values_.end() ? nullptr : &found->value;
}

Position Section::at(std::string_view key) const {
    const Value* value = find(key);
    return value == nullptr || !value->given ? at_ : value->at;
}

template <class Fits>
const Value& Section::expect(std::string_view key, Fits fits) const {
    const Value* value = find(key);
    if (value == nullptr || !fits(value->type)) misuse(path_, key);
    return *value;
}

const std::string& Section::text(std::string_view key) const {
    return expect(key, holds_text).text;
}

std::int64_t Section::integer(std::string_view key) const {
    return expect(key, [](Type type) { return type == Type::integer; }).integer;
}

bool Section::boolean(std::string_view key) const {
    return expect(key, [](Type type) { return type == Type::boolean; }).integer != 0;
}

double Section::number(std::string_view key) const {
    return expect(key, [](Type type) { return type == Type::number; }).number;
}

Duration Section::duration(std::string_view key) const {
    return Duration{expect(key, [](Type type) { return type == Type::duration; }).integer};
}

std::int64_t Section::size(std::string_view key) const {
    return expect(key, [](Type type) { return type == Type::size; }).integer;
}

Endpoint Section::endpoint(std::string_view key) const {
    const Value& value =
        expect(key, [](Type type) { return type == Type::endpoint || type == Type::listen; });
    return Endpoint{value.endpoint.host, value.endpoint.first};
}

EndpointRange Section::endpoint_range(std::string_view key) const {
    return expect(
               key,
               [](Type type) { return type == Type::endpoint_range || type == Type::listen_range; })
        .endpoint;
}

const std::vector<EndpointRange>& Section::endpoint_ranges(std::string_view key) const {
    return expect(key, [](Type type) { return type == Type::endpoint_ranges; }).endpoints;
}

std::filesystem::path Section::path(std::string_view key) const {
    return expect(key, [](Type type) { return type == Type::path; }).text;
}

const std::vector<std::string>& Section::list(std::string_view key) const {
    return expect(key,
                  [](Type type) {
                      return type == Type::string_list || type == Type::path_list ||
                             type == Type::address_list;
                  })
        .list;
}

const std::vector<ListenAddress>& Section::addresses(std::string_view key) const {
    return expect(key, [](Type type) { return type == Type::address_list; }).addresses;
}

const Node& Section::node(std::string_view key) const {
    return expect(key, [](Type type) { return type == Type::table; }).node;
}

const Section& Section::table(std::string_view name) const {
    for (const Group& group : tables_) {
        if (group.name == name) return group.members.front();
    }
    misuse(path_, name);
}

const std::vector<Section>& Section::named(std::string_view name) const {
    for (const Group& group : named_) {
        if (group.name == name) return group.members;
    }
    misuse(path_, name);
}

}  // namespace umbra::config
