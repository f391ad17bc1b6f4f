#include <umbra/sdk/export.hpp>
#include <umbra/sqlite_storage/sqlite_store.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace umbra::sqlite_storage {

namespace {

struct Options {
    std::string file = "config.db";
    Duration busy_timeout = std::chrono::seconds{5};
    std::int64_t checkpoint_pages = 1000;
};

Settings settings_of(const Context& context, const Options& options) {
    const auto& file = options.file;
    constexpr std::size_t name_max = 200;  // what SQLite appends must fit into 255
    if (file.empty() || file.size() > name_max || file.front() == '.' || file == "lock" ||
        file.find_first_of(std::string{"/\0?", 3}) != std::string::npos)
        throw Failure{Errc::invalid,
                      "option \"file\": \"" + file +
                          "\" is not the name of a file in the storage's directory; use a name "
                          "without a slash, such as \"config.db\""};
    using Millis = std::chrono::milliseconds;
    return {std::string{context.state_dir()}, file,
            static_cast<int>(std::chrono::duration_cast<Millis>(options.busy_timeout).count()),
            static_cast<int>(options.checkpoint_pages)};
}

}  // namespace

class SqliteStorage final : public storage_queue::QueuedStorage {
public:
    using Options = sqlite_storage::Options;
    static constexpr PluginInfo info{"sqlite", "0.1.0",
                                     "Keeps the shared configuration in an SQLite database."};
    static constexpr auto schema = umbra::options<Options>(
        umbra::opt<&Options::file>("file")
            .def("\"config.db\"")
            .help("Name of the database, in the storage's part of data_dir."),
        umbra::opt<&Options::busy_timeout>("busy_timeout")
            .def("\"5s\"")
            .range("\"0s\"", "\"1m\"")
            .help("How long the start waits for another program that holds the database."),
        umbra::opt<&Options::checkpoint_pages>("checkpoint_pages")
            .def("1000")
            .range("1", "100000")
            .live()
            .help("Pages in SQLite's write-ahead log after which it is moved into the database."));

    SqliteStorage(Context context, const Options& options)
        : SqliteStorage(context, std::make_shared<SqliteStore>(settings_of(context, options))) {}

    void change_options(const Options& options, Reply<Done> reply) {
        store_->set_checkpoint_pages(static_cast<int>(options.checkpoint_pages));
        reply.ok();
    }

private:
    SqliteStorage(Context context, std::shared_ptr<SqliteStore> store)
        : QueuedStorage(context, store), store_(std::move(store)) {}

    std::shared_ptr<SqliteStore> store_;
};

}  // namespace umbra::sqlite_storage

UMBRA_PLUGIN(umbra::sqlite_storage::SqliteStorage)
