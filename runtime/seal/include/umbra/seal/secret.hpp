#pragma once

#include <string>
#include <string_view>

namespace umbra::seal {

/// Overwrites the memory of a text, also where a compiler sees that nobody reads it again.
void wipe(std::string& text) noexcept;

/// A text that is overwritten before its memory is given back: a passphrase, or what a backup
/// holds. Moves, does not copy.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string text) noexcept {
        text_.swap(text);
        wipe(text);
    }
    Secret(Secret&& other) noexcept { text_.swap(other.text_); }
    Secret& operator=(Secret&& other) noexcept {
        text_.swap(other.text_);
        return *this;
    }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { wipe(text_); }

    [[nodiscard]] std::string_view view() const noexcept { return text_; }
    [[nodiscard]] bool empty() const noexcept { return text_.empty(); }

private:
    std::string text_;
};

}  // namespace umbra::seal
