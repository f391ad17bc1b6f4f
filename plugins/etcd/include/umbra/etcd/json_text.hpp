#pragma once

#include <umbra/sdk/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Requests and answers of etcd's JSON gateway (v3): texts in, texts out.
namespace umbra::etcd {

struct KeyValue {
    std::string key;
    std::string value;
    std::uint64_t mod_revision = 0;

    bool operator==(const KeyValue&) const = default;
};
struct Found {
    std::vector<KeyValue> pairs;
    std::uint64_t count = 0;  ///< In the whole range, whatever the limit was.
};
struct Outcome {
    bool succeeded = false;
    std::uint64_t revision = 0;  ///< Of the store after it.
    Found found;                 ///< What the failure branch found of the guard.
    std::vector<Found> reads;    ///< What a success read, in the order of `Transaction::read`.
};

/// The first key after all that begin with `prefix`. @pre Not all bytes are 0xff.
std::string end_of_prefix(std::string prefix);

/// @param end  First key after the range; empty: `key` alone. @param limit  0: none.
std::string range_request(const std::string& key, const std::string& end, std::size_t limit,
                          bool count_only = false);
/// Of changes from now on. @param end  First key after the range.
std::string watch_request(const std::string& key, const std::string& end);
std::string authenticate_request(const std::string& user, const std::string& password);

/// Operations that are carried out together or not at all.
class Transaction {
public:
    /// Always carried out.
    Transaction() = default;
    /// Only if `guard` was last changed at `revision` (0: is not there); `guard` is read otherwise.
    Transaction(std::string guard, std::uint64_t revision);
    void put(const std::string& key, std::string_view value);
    void erase(const std::string& key, const std::string& end);
    /// Reads after what was added before. @param end  As in `range_request`.
    /// @param changed_since  Only keys that were changed at this revision or later; 0: all.
    void read(const std::string& key, const std::string& end, std::uint64_t changed_since = 0);
    [[nodiscard]] std::size_t operations() const { return operations_; }
    /// As etcd counts them against its limit of a request.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] std::string request() const;

private:
    void add(std::string operation, std::size_t bytes);

    std::string guard_;  ///< Empty: none.
    std::uint64_t revision_ = 0;
    std::string success_;
    std::size_t operations_ = 0;
    std::size_t bytes_ = 0;
};

/// `internal` when the text is not such an answer.
Result<Found> read_range(std::string_view body);
Result<Outcome> read_outcome(std::string_view body);
Result<std::string> read_token(std::string_view body);

/// One message of a watch.
struct WatchNews {
    bool created = false;
    bool canceled = false;          ///< etcd ends it.
    std::vector<std::string> keys;  ///< Changed or gone.
};
Result<WatchNews> read_watch(std::string_view line);

struct Refusal {
    int code = 0;  ///< Of gRPC; -1 when the text is no answer of etcd's.
    std::string message;
};
Refusal read_refusal(std::string_view body);

}  // namespace umbra::etcd
