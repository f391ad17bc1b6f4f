#include "journal.hpp"

#include <umbra/base/clock.hpp>
#include <umbra/base/durable_file.hpp>
#include <umbra/base/log.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace umbra::instance {

namespace json = boost::json;

namespace {

const char* name_of(core::effect::Explain::Kind kind) {
    using Kind = core::effect::Explain::Kind;
    switch (kind) {
        case Kind::changed:
            return "changed";
        case Kind::unchanged:
            return "unchanged";
        case Kind::noted:
            return "noted";
    }
    return "noted";
}

std::string to_line(const Decision& decision) {
    return json::serialize(json::object{{"time", decision.time},
                                        {"kind", decision.kind},
                                        {"epoch", decision.epoch},
                                        {"text", decision.text}}) +
           "\n";
}

std::optional<Decision> from_line(std::string_view line) {
    boost::system::error_code error;
    const auto value = json::parse({line.data(), line.size()}, error);
    if (error || !value.is_object()) return std::nullopt;
    try {
        const auto& o = value.as_object();
        return Decision{o.at("time").as_string().c_str(), o.at("kind").as_string().c_str(),
                        o.at("epoch").to_number<std::uint64_t>(), o.at("text").as_string().c_str()};
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

void append(const std::filesystem::path& file, const std::string& line) {
    const int fd =
        ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, base::private_file_mode);
    const bool written =
        fd >= 0 && ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
    if (!written) {
        base::warn("role", "{}: {}; the decision is in this log only", file.string(),
                   std::strerror(errno));
    }
    if (fd >= 0) ::close(fd);
}

}  // namespace

Journal::Journal(std::filesystem::path data_dir, Worker& worker)
    : file_(std::move(data_dir) / "decisions.jsonl"), worker_(worker) {
    load();
}

void Journal::load() {
    const auto text = base::read_file(file_, 2 * file_bytes_max);
    if (!text.ok()) {
        if (text.error().sys_errno != ENOENT) {
            base::warn("role", "{}; earlier decisions are not shown", text.error().message);
        }
        return;
    }
    file_bytes_ = text->size();
    for (std::size_t at = 0; at < text->size();) {
        const auto end = std::min(text->find('\n', at), text->size());
        // A line that a crash cut short is skipped.
        if (auto decision = from_line(std::string_view{*text}.substr(at, end - at))) {
            remember(std::move(*decision));
        }
        at = end + 1;
    }
}

void Journal::remember(Decision decision) {
    if (decision.kind == name_of(core::effect::Explain::Kind::changed)) {
        last_change_ = decision.time + " " + decision.text;
    }
    decisions_.push_back(std::move(decision));
    if (decisions_.size() > kept) decisions_.pop_front();
}

void Journal::add(core::Epoch epoch, const core::effect::Explain& effect) {
    base::info("role", "{}", effect.text);
    remember({base::to_rfc3339_micros(std::chrono::system_clock::now()), name_of(effect.kind),
              epoch, effect.text});
    auto line = to_line(decisions_.back());
    file_bytes_ += line.size();
    if (file_bytes_ <= file_bytes_max) {
        worker_.give([file = file_, line = std::move(line)] { append(file, line); });
        return;
    }
    std::string all;
    for (const auto& decision : decisions_) all += to_line(decision);
    file_bytes_ = all.size();
    worker_.give([file = file_, all = std::move(all)] {
        const auto replaced = base::replace_file(file, all);
        if (!replaced.ok()) base::warn("role", "{}", replaced.error().message);
    });
}

std::vector<Decision> Journal::newest(std::size_t max) const {
    const auto count = std::min(max, decisions_.size());
    return {decisions_.rbegin(), decisions_.rbegin() + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace umbra::instance
