#include "migration_mark.hpp"

#include "sha256.hpp"
#include <umbra/base/durable_file.hpp>

#include <boost/json.hpp>

#include <cerrno>

namespace umbra::instance {

namespace {

namespace json = boost::json;

constexpr std::size_t mark_bytes_max = 64 * 1024;
constexpr std::int64_t mark_version = 1;

json::object object_of(const StorageName& name) {
    return {{"plugin", name.plugin}, {"options", name.options}};
}

StorageName name_of(const json::value& value) {
    const auto& object = value.as_object();
    return {object.at("plugin").as_string().c_str(), object.at("options").as_string().c_str()};
}

}  // namespace

StorageName StorageName::of(const std::string& plugin, const config::OptionValues& options) {
    constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    for (const std::byte byte : sha256(options.fingerprint())) {
        hex += digits[std::to_integer<unsigned>(byte) >> 4];
        hex += digits[std::to_integer<unsigned>(byte) & 15];
    }
    return {plugin, hex};
}

Result<std::vector<UnfinishedMigration>> load_migrations(const std::filesystem::path& data_dir) {
    const auto path = data_dir / migration_mark_name;
    const auto text = base::read_file(path, mark_bytes_max);
    std::vector<UnfinishedMigration> list;
    if (!text) {
        if (text.error().sys_errno == ENOENT) return list;
        return text.error();
    }
    try {
        const auto value = json::parse(*text);
        if (value.at("version").to_number<std::int64_t>() != mark_version) {
            throw std::runtime_error("version");
        }
        for (const auto& one : value.at("unfinished").as_array()) {
            list.push_back({name_of(one.at("from")), name_of(one.at("to"))});
        }
    } catch (const std::exception&) {
        return Error{Errc::data_loss,
                     path.string() +
                         ": damaged, or of another version; remove it if no storage "
                         "migration was interrupted"};
    }
    return list;
}

Result<Done> save_migrations(const std::filesystem::path& data_dir,
                             const std::vector<UnfinishedMigration>& list) {
    const auto path = data_dir / migration_mark_name;
    if (list.empty()) {
        std::error_code code;
        std::filesystem::remove(path, code);
        if (code) return Error{Errc::unavailable, path.string() + ": " + code.message()};
        return base::sync_directory(data_dir);
    }
    json::array unfinished;
    for (const auto& one : list) {
        unfinished.push_back(
            json::object{{"from", object_of(one.from)}, {"to", object_of(one.to)}});
    }
    const json::object mark{{"version", mark_version}, {"unfinished", std::move(unfinished)}};
    return base::replace_file(path, json::serialize(mark) + "\n");
}

Result<Done> check_migrated(const std::filesystem::path& data_dir,
                            const config::StorageConfig& storage) {
    const auto list = load_migrations(data_dir);
    if (!list) return list.error();
    const auto name = StorageName::of(storage.plugin, storage.options);
    for (const auto& one : *list) {
        // Other options may lead to the same place, so the kind is enough.
        if (one.to.plugin != name.plugin || one.from == name) continue;
        return Error{Errc::conflict, "the migration of the configuration from " + one.from.plugin +
                                         " to " + one.to.plugin + " was not finished, " +
                                         one.from.plugin +
                                         " still holds it; run \"umbra storage migrate --from " +
                                         one.from.plugin + " --to " + one.to.plugin + "\" again"};
    }
    return Done{};
}

}  // namespace umbra::instance
