#pragma once

#include <umbra/sdk/abi.h>
#include <umbra/sdk/time.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace umbra {

namespace detail {

inline std::string_view to_view(const umbra_str& text) {
    return text.ptr == nullptr ? std::string_view{} : std::string_view{text.ptr, text.len};
}

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <class T>
constexpr umbra_option_type default_option_type() {
    if constexpr (IsOptional<T>::value) {
        return default_option_type<typename T::value_type>();
    } else if constexpr (std::is_same_v<T, bool>) {
        return UMBRA_OPT_BOOLEAN;
    } else if constexpr (std::is_same_v<T, Duration>) {
        return UMBRA_OPT_DURATION;
    } else if constexpr (std::is_integral_v<T>) {
        return UMBRA_OPT_INTEGER;
    } else if constexpr (std::is_floating_point_v<T>) {
        return UMBRA_OPT_FLOAT;
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
        return UMBRA_OPT_STRING_LIST;
    } else {
        static_assert(std::is_same_v<T, std::string>,
                      "an option is bool, number, Duration, text or a list of texts");
        return UMBRA_OPT_STRING;
    }
}

template <class T>
void assign(T& target, const umbra_value& value) {
    if constexpr (IsOptional<T>::value) {
        if (value.present == 0) {
            target.reset();
        } else {
            assign(target.emplace(), value);
        }
    } else if (value.present == 0) {
        return;
    } else if constexpr (std::is_same_v<T, bool>) {
        target = value.integer != 0;
    } else if constexpr (std::is_same_v<T, Duration>) {
        target = Duration{value.integer};
    } else if constexpr (std::is_integral_v<T>) {
        target = static_cast<T>(value.integer);
    } else if constexpr (std::is_floating_point_v<T>) {
        target = static_cast<T>(value.number);
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
        target.clear();
        for (std::size_t i = 0; i < value.list_len; ++i)
            target.emplace_back(to_view(value.list[i]));
    } else {
        target = std::string{to_view(value.text)};
    }
}

template <class M>
struct MemberType;
template <class C, class T>
struct MemberType<T C::*> {
    using type = T;
};

}  // namespace detail

/// Declares one option and the member it fills. Default, minimum and maximum are TOML literals:
/// `opt<&Options::timeout>("timeout").def("\"2s\"").range("\"10ms\"", "\"60s\"").help("…")`.
template <auto Member>
struct Opt {
    umbra_option raw{};

    constexpr Opt type(umbra_option_type value) const {
        return with([&](auto& o) { o.type = static_cast<std::uint32_t>(value); });
    }
    constexpr Opt required() const {
        return with([](auto& o) { o.flags |= UMBRA_OPT_REQUIRED; });
    }
    /// May change while the instance runs: the author's class has change_options(), see plugin.hpp.
    constexpr Opt live() const {
        return with([](auto& o) { o.flags |= UMBRA_OPT_LIVE; });
    }
    constexpr Opt secret() const {
        return with([](auto& o) { o.flags |= UMBRA_OPT_SECRET; });
    }
    constexpr Opt def(const char* literal) const {
        return with([&](auto& o) { o.def = literal; });
    }
    constexpr Opt range(const char* min, const char* max) const {
        return with([&](auto& o) {
            o.min = min;
            o.max = max;
        });
    }
    /// @param list  Null-terminated, static.
    constexpr Opt choices(const char* const* list) const {
        return with([&](auto& o) {
            o.type = UMBRA_OPT_ENUM;
            o.choices = list;
        });
    }
    constexpr Opt unit(const char* text) const {
        return with([&](auto& o) { o.unit = text; });
    }
    constexpr Opt help(const char* sentence) const {
        return with([&](auto& o) { o.help = sentence; });
    }

private:
    template <class F>
    constexpr Opt with(F f) const {
        Opt copy = *this;
        f(copy.raw);
        return copy;
    }
};

template <auto Member>
constexpr Opt<Member> opt(const char* key) {
    using T = typename detail::MemberType<decltype(Member)>::type;
    Opt<Member> option;
    option.raw.struct_size = sizeof(umbra_option);
    option.raw.type = detail::default_option_type<T>();
    option.raw.key = key;
    return option;
}

/// The options of one plugin: the table for the host, and how values become an `Options` struct.
template <class Options, class... Opts>
struct OptionSchema {
    using options_type = Options;
    std::array<umbra_option, sizeof...(Opts)> table;

    /// @param values  Aligned with `table`; what the host validated.
    [[nodiscard]] Options decode(const umbra_value* values, std::size_t count) const {
        Options result{};
        decode_into(result, values, count, std::index_sequence_for<Opts...>{});
        return result;
    }

private:
    template <auto Member>
    static void apply(Options& target, const Opt<Member>*, const umbra_value& value) {
        detail::assign(target.*Member, value);
    }
    template <std::size_t... I>
    static void decode_into(Options& target, const umbra_value* values, std::size_t count,
                            std::index_sequence<I...>) {
        ((I < count ? apply(target, static_cast<const Opts*>(nullptr), values[I]) : void()), ...);
    }
};

template <class Options, auto... Members>
constexpr auto options(const Opt<Members>&... list) {
    return OptionSchema<Options, Opt<Members>...>{{list.raw...}};
}

}  // namespace umbra
