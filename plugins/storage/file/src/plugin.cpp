#include <umbra/file_storage/log_store.hpp>
#include <umbra/sdk/export.hpp>

#include <memory>
#include <string>

namespace umbra::file_storage {

namespace {

/// A log together with the disk it is on.
struct LogOnDisk {
    explicit LogOnDisk(std::string directory) : disk(std::move(directory)), store(disk) {}
    PosixDisk disk;
    LogStore store;
};

}  // namespace

class FileStorage final : public storage_queue::QueuedStorage {
public:
    struct Options {};
    static constexpr PluginInfo info{"file", "0.1.0",
                                     "Keeps the shared configuration in an append-only file."};
    static constexpr auto schema = umbra::options<Options>();

    FileStorage(Context context, Options)
        : FileStorage(context, std::make_shared<LogOnDisk>(std::string{context.state_dir()})) {}

private:
    FileStorage(Context context, const std::shared_ptr<LogOnDisk>& log)
        : QueuedStorage(context, std::shared_ptr<storage_queue::Backend>(log, &log->store)) {}
};

}  // namespace umbra::file_storage

UMBRA_PLUGIN(umbra::file_storage::FileStorage)
