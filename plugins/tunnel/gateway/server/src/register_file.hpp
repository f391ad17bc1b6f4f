#pragma once

#include <umbra/gateway/register.hpp>
#include <umbra/sdk/result.hpp>

#include <filesystem>

namespace umbra::gateway {

/// The record of one pair on disk, in two slots that are written in turn: whatever happens to the
/// one under way, the other holds what was stored before. A store costs one fdatasync.
///
///     slot at 0 and at slot_bytes: u32 length | record, as `encode(Record)` writes it
///
/// The first store fills both. A slot that holds something else than a record, or nothing, was torn
/// by a loss of power or damaged later, and nobody can tell which: then `lost` is set, and the
/// nodes are asked for the epochs they know.
///
/// Threads: one at a time.
class RegisterFile {
public:
    static constexpr std::size_t slot_bytes = 128 * 1024;

    struct Opened;
    /// Opens the file, or makes it with an empty record.
    /// @param expected  The pair is known to have had one: a missing or empty file counts as lost.
    static Result<Opened> open(const std::filesystem::path& path, bool expected);

    RegisterFile(RegisterFile&& other) noexcept;
    RegisterFile& operator=(RegisterFile&& other) noexcept;
    ~RegisterFile();

    /// @return `data_loss` when the disk failed: the process has to stop.
    Result<Done> store(const Record& record);

private:
    RegisterFile(int descriptor, std::filesystem::path path);

    Result<Done> write_slot(const Record& record, std::size_t offset) const;

    int descriptor_ = -1;
    std::filesystem::path path_;
    bool fill_both_ = false;  ///< The next store does.
};

struct RegisterFile::Opened {
    RegisterFile file;
    Record record;
    bool lost = false;
};

}  // namespace umbra::gateway
