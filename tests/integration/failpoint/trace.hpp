#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

/// What a program did to the files of one directory, and what a loss of power may leave of that.
namespace umbra::failpoint {

enum class Op : std::uint8_t {
    create = 1,  ///< name: a new, empty file.
    write = 2,   ///< offset, bytes.
    resize = 3,  ///< offset: the new length.
    sync = 4,    ///< The content of one file.
    rename = 5,  ///< name to bytes.
    remove = 6,  ///< name.
    sync_names = 7,
    report = 8,  ///< bytes: something that the program told the test through its standard output.
};

/// As it stands in the file of a trace, followed by name and bytes.
struct TraceHead {
    Op op;
    std::uint8_t reserved[3];
    std::uint32_t name_size;
    std::uint64_t file;  ///< Which one, however it is called.
    std::uint64_t offset;
    std::uint64_t bytes_size;
};
static_assert(sizeof(TraceHead) == 32);

struct Change {
    Op op = Op::report;
    std::string name;
    std::uint64_t file = 0;
    std::uint64_t offset = 0;
    std::string bytes;
};

std::vector<Change> read_trace(const std::string& path);

/// A disk on which changes happen one after the other, and what is on it for certain.
class TracedDisk {
public:
    void apply(const Change& change);

    /// Writes to `directory` what may be there after a loss of power at this moment: of each file,
    /// sectors from before and after its last sync in any mixture and a length between the two, a
    /// cut as a whole or not at all; of the changes of names since the last sync of the directory,
    /// a first part.
    void lose_power(const std::string& directory, std::mt19937& random) const;

private:
    struct Content {
        std::string current, durable;
        [[nodiscard]] std::string after_loss(std::mt19937& random) const;
    };
    struct File {
        Content content;
        std::vector<Content> before_cuts;  ///< Since the last sync.
    };
    using Names = std::map<std::string, std::uint64_t>;

    static void rename(Names& names, const Change& change);

    std::map<std::uint64_t, File> files_;
    Names names_, durable_names_;
    std::vector<Change> renames_;
};

}  // namespace umbra::failpoint
