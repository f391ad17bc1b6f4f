#pragma once

#include <umbra/core/types.hpp>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace umbra::core {

/// Appends values to a string: integers little endian in their full width, texts and lists behind a
/// u32 length. `Reader` is its inverse; one `visit(archive, value)` per struct serves both.
class Writer {
public:
    template <class T>
    Writer& operator()(const T& value) {
        put(value);
        return *this;
    }
    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    template <class T>
    void put(const T& value) {
        if constexpr (std::is_same_v<T, bool>) {
            out_.push_back(value ? '\1' : '\0');
        } else if constexpr (std::is_enum_v<T>) {
            put(static_cast<std::underlying_type_t<T>>(value));
        } else if constexpr (std::is_integral_v<T>) {
            auto bits = static_cast<std::uint64_t>(value);
            for (std::size_t i = 0; i < sizeof(T); ++i, bits >>= 8) {
                out_.push_back(static_cast<char>(bits & 0xff));
            }
        } else {
            // The fields are only read; one `visit` serves reader and writer.
            visit(*this, const_cast<T&>(value));
        }
    }
    void put(const std::string& text) {
        put(static_cast<std::uint32_t>(text.size()));
        out_ += text;
    }
    void put(const Hash& hash) {
        out_.append(reinterpret_cast<const char*>(hash.data()), hash.size());
    }
    template <class T>
    void put(const std::vector<T>& list) {
        put(static_cast<std::uint32_t>(list.size()));
        for (const auto& item : list) put(item);
    }
    template <class T>
    void put(const std::optional<T>& value) {
        put(value.has_value());
        if (value) put(*value);
    }

    std::string out_;
};

/// Reads what `Writer` wrote, from bytes that nobody vouches for: after the first value that does
/// not fit, `ok()` is false and everything else reads as zero. Never allocates more than the input
/// can fill.
class Reader {
public:
    explicit Reader(std::string_view in) : in_(in) {}

    template <class T>
    Reader& operator()(T& value) {
        get(value);
        return *this;
    }
    /// Everything was read, and nothing is left.
    [[nodiscard]] bool finished() const { return ok_ && in_.empty(); }
    [[nodiscard]] bool ok() const { return ok_; }

private:
    std::string_view take(std::size_t size) {
        if (!ok_ || size > in_.size()) {
            ok_ = false;
            return {};
        }
        const auto part = in_.substr(0, size);
        in_.remove_prefix(size);
        return part;
    }
    template <class T>
    void get(T& value) {
        if constexpr (std::is_same_v<T, bool>) {
            std::uint8_t byte = 0;
            get(byte);
            if (byte > 1) ok_ = false;
            value = byte == 1;
        } else if constexpr (std::is_enum_v<T>) {
            std::underlying_type_t<T> number{};
            get(number);
            value = static_cast<T>(number);
        } else if constexpr (std::is_integral_v<T>) {
            const auto part = take(sizeof(T));
            std::uint64_t bits = 0;
            for (std::size_t i = part.size(); i-- > 0;) {
                bits = bits << 8 | static_cast<unsigned char>(part[i]);
            }
            value = static_cast<T>(bits);
        } else {
            visit(*this, value);
        }
    }
    void get(std::string& text) {
        std::uint32_t size = 0;
        get(size);
        text = std::string{take(size)};
    }
    /// A view into the input.
    void get(std::string_view& text) {
        std::uint32_t size = 0;
        get(size);
        text = take(size);
    }
    void get(Hash& hash) {
        const auto part = take(hash.size());
        if (ok_) std::memcpy(hash.data(), part.data(), hash.size());
    }
    template <class T>
    void get(std::vector<T>& list) {
        std::uint32_t size = 0;
        get(size);
        // Every item takes at least one byte, so a larger count is a lie.
        if (size > in_.size()) ok_ = false;
        list.clear();
        for (std::uint32_t i = 0; ok_ && i < size; ++i) get(list.emplace_back());
    }
    template <class T>
    void get(std::optional<T>& value) {
        bool there = false;
        get(there);
        value.reset();
        if (ok_ && there) get(value.emplace());
    }

    std::string_view in_;
    bool ok_ = true;
};

template <class A>
void visit(A& a, Revision& r) {
    a(r.epoch)(r.seq);
}
template <class A>
void visit(A& a, Position& p) {
    a(p.revision)(p.hash);
}

}  // namespace umbra::core
