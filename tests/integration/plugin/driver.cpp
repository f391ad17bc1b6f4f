#include "integration/plugin/driver.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <unistd.h>

namespace umbra::plugin_test {

void broken_interface(const char* what) {
    std::fprintf(stderr, "plugin driver: %s\n", what);
    std::abort();
}

std::vector<std::string> to_arguments(const OptionValues& values) {
    std::vector<std::string> arguments;
    for (const auto& [name, value] : values) {
        if (const auto* number = std::get_if<std::int64_t>(&value))
            arguments.push_back(name + "#" + std::to_string(*number));
        if (const auto* text = std::get_if<std::string>(&value))
            arguments.push_back(name + "=" + *text);
        if (const auto* list = std::get_if<std::vector<std::string>>(&value))
            for (const auto& element : *list) arguments.push_back(name + "+" + element);
    }
    return arguments;
}

OptionValues from_arguments(const char* const* first, const char* const* last) {
    OptionValues values;
    for (; first != last; ++first) {
        const std::string text = *first;
        const auto at = text.find_first_of("#=+");
        if (at == std::string::npos) broken_interface("an argument is no option");
        const auto name = text.substr(0, at);
        const auto rest = text.substr(at + 1);
        if (text[at] == '#') values[name] = std::int64_t{std::stoll(rest)};
        if (text[at] == '=') values[name] = rest;
        if (text[at] != '+') continue;
        auto& value = values.try_emplace(name, std::vector<std::string>{}).first->second;
        std::get<std::vector<std::string>>(value).push_back(rest);
    }
    return values;
}

PluginFile::PluginFile(const std::string& file, umbra_kind kind) {
    void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) broken_interface(::dlerror());
    const auto* entry =
        static_cast<const umbra_entry_pod* const*>(::dlsym(library, UMBRA_ENTRY_SYMBOL));
    if (entry == nullptr) broken_interface(::dlerror());
    if ((*entry)->magic != UMBRA_ABI_MAGIC || (*entry)->abi_minor != UMBRA_ABI_MINOR)
        broken_interface("the file is of another binary interface");
    plugin_ = (*entry)->plugin;
    if (plugin_->kind != static_cast<std::uint32_t>(kind))
        broken_interface("the file is of another kind");
}

struct PluginInstance::Host {
    umbra_host raw{};
    std::string state_dir;
    mutable std::mutex mutex;
    std::vector<std::string> lines;

    static void log(void* context, std::uint32_t, umbra_str message) {
        auto* host = static_cast<Host*>(context);
        const std::lock_guard lock{host->mutex};
        host->lines.emplace_back(detail::to_view(message));
    }
};

PluginInstance::PluginInstance(const PluginFile& file, const std::string& state_dir,
                               const OptionValues& values)
    : plugin_(file.plugin()), host_(std::make_unique<Host>()) {
    host_->state_dir = state_dir;
    host_->raw = {sizeof(umbra_host),
                  UMBRA_ABI_MAJOR,
                  UMBRA_ABI_MINOR,
                  host_.get(),
                  [](void*, std::uint32_t) { return 1; },
                  &Host::log,
                  detail::to_str("test"),
                  detail::to_str("test"),
                  detail::to_str(host_->state_dir)};
    std::vector<umbra_value> raw(plugin_.option_count);
    std::vector<std::vector<umbra_str>> lists(raw.size());
    for (std::size_t i = 0; i < raw.size(); ++i) {
        const auto& option = plugin_.options[i];
        raw[i].type = option.type;
        const auto found = values.find(option.key);
        if (found == values.end()) continue;
        raw[i].present = 1;
        if (const auto* number = std::get_if<std::int64_t>(&found->second)) {
            raw[i].integer = *number;
        } else if (const auto* list = std::get_if<std::vector<std::string>>(&found->second)) {
            for (const auto& element : *list) lists[i].push_back(detail::to_str(element));
            raw[i].list = lists[i].data();
            raw[i].list_len = lists[i].size();
        } else {
            raw[i].text = detail::to_str(std::get<std::string>(found->second));
        }
    }
    umbra_status why = detail::make_status(UMBRA_OK, {});
    const int code = plugin_.life->create(&host_->raw, raw.data(), raw.size(), &self_, &why);
    if (code == UMBRA_OK) return;
    self_ = nullptr;
    why_ = {static_cast<Errc>(code), std::string{detail::to_view(why.message)}, why.sys_errno};
}

PluginInstance::~PluginInstance() {
    if (self_ == nullptr) return;
    if (!stopped_ && !stop().get().ok()) broken_interface("the plugin does not stop");
    plugin_.life->destroy(self_);
}

Pending<Done> PluginInstance::stop() {
    stopped_ = true;
    Pending<Done> pending{[](const void*) { return Done{}; }};
    plugin_.life->stop(self_, pending.op());
    return pending;
}

std::vector<std::string> PluginInstance::log() const {
    const std::lock_guard lock{host_->mutex};
    return host_->lines;
}

std::string fast_place() {
    const char* memory = "/dev/shm";
    return ::access(memory, W_OK) == 0 ? memory : std::filesystem::temp_directory_path().string();
}

TemporaryDirectory::TemporaryDirectory()
    : TemporaryDirectory(std::filesystem::temp_directory_path().string()) {}

TemporaryDirectory::TemporaryDirectory(const std::string& place) {
    path_ = place + "/umbra-test-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) broken_interface("cannot make a temporary directory");
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace umbra::plugin_test
