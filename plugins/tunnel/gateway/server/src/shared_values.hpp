#pragma once

#include <umbra/gateway/other_gateways.hpp>
#include <umbra/gateway/register.hpp>
#include <umbra/sdk/result.hpp>

#include <string>
#include <string_view>

/// Keys and values of a register in etcd. The README shows an example.
namespace umbra::gateway {

/// Names of the keys below a prefix, which ends with a slash.
class SharedKeys {
public:
    explicit SharedKeys(std::string prefix) : prefix_(std::move(prefix)) {}
    [[nodiscard]] std::string records() const { return prefix_ + "pair/"; }
    [[nodiscard]] std::string record(const std::string& pair) const { return records() + pair; }
    /// Name of the pair; empty when the key is none of a record.
    [[nodiscard]] std::string pair_of(std::string_view key) const;
    [[nodiscard]] std::string gateways() const { return prefix_ + "gateway/"; }
    [[nodiscard]] std::string gateway(const std::string& id) const { return gateways() + id; }

private:
    std::string prefix_;
};

/// The record of a pair, and how it came to be.
struct SharedRecord {
    Record record;
    bool drain = false;  ///< Its epoch came by consent.
    std::string by;      ///< Name of the gateway that wrote it, for people.
    std::string write;   ///< Of one write alone, so that a gateway knows its own again.
    std::string store;   ///< Random name that the first write gave, and all others keep.

    bool operator==(const SharedRecord&) const = default;
};
[[nodiscard]] std::string encode_shared(const SharedRecord& record);
/// @return `data_loss` when it is damaged, `unsupported` when a later version wrote it.
[[nodiscard]] Result<SharedRecord> decode_shared(std::string_view value);

/// @param session  Of the process that writes, so that a second one on a copy of its files is seen.
[[nodiscard]] std::string encode_note(const GatewayNote& note, const std::string& session,
                                      std::uint64_t beat);
struct ReadNote {
    GatewayNote note;
    std::string session;
};
[[nodiscard]] Result<ReadNote> decode_note(std::string_view value);

}  // namespace umbra::gateway
