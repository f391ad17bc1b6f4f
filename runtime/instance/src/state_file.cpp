#include "state_file.hpp"

#include "sha256.hpp"
#include <umbra/base/durable_file.hpp>
#include <umbra/core/damping.hpp>

#include <boost/json.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace umbra::instance {

namespace json = boost::json;

namespace {

constexpr std::size_t state_bytes_max = 64 * 1024;
constexpr std::int64_t state_version = 1;
constexpr std::size_t incarnation_bytes = 16;

std::filesystem::path file_of(const std::filesystem::path& data_dir) {
    return data_dir / "state.json";
}

/// Names the run of the kernel whose boot-time clock the stored times are of.
std::string boot_id() {
    auto text = base::read_file("/proc/sys/kernel/random/boot_id", 64);
    if (!text.ok()) return {};
    return text->substr(0, text->find('\n'));
}

/// Times of another run of the kernel were before this one began; how long before, no clock tells.
std::vector<Instant> times_from(const json::object& stored) {
    const std::string boot = boot_id();
    const bool same = !boot.empty() && stored.at("boot").as_string() == boot;
    std::vector<Instant> times;
    for (const auto& ns : stored.at("ns").as_array()) {
        if (times.size() == core::Damping::kept) times.erase(times.begin());
        const Duration since_boot{ns.to_number<std::int64_t>()};
        times.push_back(same ? Instant{since_boot} : Instant{});
    }
    return times;
}

json::object times_to(const std::vector<Instant>& times) {
    json::array ns;
    for (const Instant at : times) ns.emplace_back(at.time_since_epoch().count());
    return {{"boot", boot_id()}, {"ns", std::move(ns)}};
}

InstanceState from_json(const json::object& o) {
    InstanceState state;
    state.name = o.at("name").as_string().c_str();
    state.incarnation = o.at("incarnation").as_string().c_str();
    const std::string role = o.at("role").as_string().c_str();
    if (role != "master" && role != "shadow") throw std::runtime_error("role is \"" + role + "\"");
    state.persistent.role = role == "master" ? core::Role::master : core::Role::shadow;
    state.persistent.epoch = o.at("epoch").to_number<std::uint64_t>();
    state.persistent.ha_enabled = o.at("ha_enabled").as_bool();
    state.persistent.connect = o.at("connect").as_bool();
    state.persistent.yielded = o.at("yielded").as_bool();
    state.ha_in_file = o.at("ha_in_file").as_bool();
    if (const auto* stored = o.if_contains("stored")) state.stored = stored->as_bool();
    if (const auto* pause = o.if_contains("pause")) {
        const auto& p = pause->as_object();
        state.persistent.pause = {p.at("on").as_bool(), p.at("stamp").to_number<std::uint64_t>(),
                                  p.at("until_ms").to_number<std::int64_t>()};
    }
    if (const auto* unplanned = o.if_contains("unplanned")) {
        state.persistent.unplanned = times_from(unplanned->as_object());
    }
    if (const auto* peer = o.if_contains("peer")) {
        const auto& p = peer->as_object();
        state.peer =
            PinnedPeer{p.at("name").as_string().c_str(), p.at("identity").as_string().c_str(),
                       p.at("publish").as_string().c_str(), p.at("respond").as_string().c_str()};
    }
    return state;
}

}  // namespace

Result<std::optional<InstanceState>> load_state(const std::filesystem::path& data_dir) {
    const auto path = file_of(data_dir);
    const auto text = base::read_file(path, state_bytes_max);
    if (!text.ok()) {
        if (text.error().sys_errno == ENOENT) return std::optional<InstanceState>{};
        return text.error();
    }
    try {
        const auto value = json::parse(*text);
        const auto& object = value.as_object();
        const auto version = object.at("version").to_number<std::int64_t>();
        if (version != state_version) {
            return Error{Errc::invalid, path.string() + ": written by another version (format " +
                                            std::to_string(version) + ", this program reads " +
                                            std::to_string(state_version) +
                                            "); start it with the program that wrote it"};
        }
        return std::optional<InstanceState>{from_json(object)};
    } catch (const std::exception&) {
        return Error{
            Errc::data_loss,
            path.string() +
                ": damaged; restore a backup, or move the data directory away, set [instance] "
                "role = \"shadow\" and pair it anew (umbra peer invite, umbra peer join)"};
    }
}

Result<Done> save_state(const std::filesystem::path& data_dir, const InstanceState& state) {
    json::object o;
    o["version"] = state_version;
    o["name"] = state.name;
    o["incarnation"] = state.incarnation;
    o["role"] = core::to_string(state.persistent.role);
    o["epoch"] = state.persistent.epoch;
    o["ha_enabled"] = state.persistent.ha_enabled;
    o["connect"] = state.persistent.connect;
    o["yielded"] = state.persistent.yielded;
    o["ha_in_file"] = state.ha_in_file;
    o["stored"] = state.stored;
    const core::Pause& pause = state.persistent.pause;
    o["pause"] =
        json::object{{"on", pause.on}, {"stamp", pause.stamp}, {"until_ms", pause.until_ms}};
    if (!state.persistent.unplanned.empty()) {
        o["unplanned"] = times_to(state.persistent.unplanned);
    }
    if (state.peer) {
        o["peer"] = json::object{{"name", state.peer->name},
                                 {"identity", state.peer->identity},
                                 {"publish", state.peer->publish},
                                 {"respond", state.peer->respond}};
    }
    return base::replace_file(file_of(data_dir), json::serialize(o) + "\n");
}

std::string new_incarnation() { return random_hex(incarnation_bytes); }

void make_newcomer(InstanceState& state) {
    state.incarnation = new_incarnation();
    if (state.persistent.role == core::Role::master) state.persistent.connect = true;
    state.persistent.role = core::Role::shadow;
    state.persistent.yielded = true;
}

Result<DataDirLock> DataDirLock::take(const std::filesystem::path& data_dir) {
    const auto path = data_dir / "lock";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return Error{Errc::denied, path.string() + ": " + std::strerror(errno), errno};
    }
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        ::close(fd);
        return Error{
            Errc::conflict,
            data_dir.string() + ": another process uses this data directory; stop it first"};
    }
    return DataDirLock{fd};
}

DataDirLock::~DataDirLock() {
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace umbra::instance
