#include "repair_file.hpp"

#include <umbra/base/durable_file.hpp>

#include <boost/json.hpp>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace umbra::instance {

namespace json = boost::json;

namespace {

constexpr std::size_t file_bytes_max = std::size_t{4} * 1024 * 1024;
constexpr std::int64_t file_version = 1;

std::filesystem::path file_of(const std::filesystem::path& data_dir) {
    return data_dir / "repair.json";
}

}  // namespace

Result<std::optional<Edit>> load_repair(const std::filesystem::path& data_dir) {
    const auto path = file_of(data_dir);
    const auto text = base::read_file(path, file_bytes_max);
    if (!text.ok()) {
        if (text.error().sys_errno == ENOENT) return std::optional<Edit>{};
        return text.error();
    }
    try {
        const auto value = json::parse(*text);
        const auto& o = value.as_object();
        if (o.at("version").to_number<std::int64_t>() != file_version) throw std::exception{};
        Edit edit;
        edit.op_id = o.at("op_id").as_string().c_str();
        edit.author = o.at("author").as_string().c_str();
        edit.message = o.at("message").as_string().c_str();
        for (const auto& change : o.at("changes").as_array()) {
            edit.changes.push_back({change.at("key").as_string().c_str(),
                                    std::string{change.at("value").as_string().c_str()}});
        }
        return std::optional<Edit>{std::move(edit)};
    } catch (const std::exception&) {
        return Error{Errc::data_loss, path.string() +
                                          ": damaged, or written by another version; remove it and "
                                          "repeat `umbra config repair`"};
    }
}

Result<Done> save_repair(const std::filesystem::path& data_dir, const Edit& edit) {
    json::array changes;
    for (const auto& change : edit.changes) {
        changes.push_back(
            json::object{{"key", change.key}, {"value", change.literal.value_or("")}});
    }
    const json::object o{{"version", file_version},
                         {"op_id", edit.op_id},
                         {"author", edit.author},
                         {"message", edit.message},
                         {"changes", std::move(changes)}};
    return base::replace_file(file_of(data_dir), json::serialize(o) + "\n");
}

void remove_repair(const std::filesystem::path& data_dir) {
    std::error_code code;
    std::filesystem::remove(file_of(data_dir), code);
}

}  // namespace umbra::instance
