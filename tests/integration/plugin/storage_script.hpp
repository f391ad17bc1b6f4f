#pragma once

#include "integration/plugin/storage_driver.hpp"

#include <functional>
#include <string>
#include <vector>

namespace umbra::plugin_test {

/// A fixed row of changes of a storage, for tests that interrupt it somewhere and ask what is
/// there afterwards.

/// What a storage holds.
struct StorageContent {
    LogEntry snapshot;
    std::vector<LogEntry> entries;

    bool operator==(const StorageContent&) const = default;
};

struct ScriptStep {
    std::string name;
    std::function<Pending<Done>(StorageDriver&)> act;
    std::function<void(StorageContent&)> apply;
    bool is_append = false;
};

const std::vector<ScriptStep>& script();

/// After the first `count` steps.
StorageContent content_after(std::size_t count);

/// Everything, through the interface. An error that a call answers is `why`, and the content empty.
StorageContent read_content(StorageDriver& storage, std::string& why);

/// True when `now` is what the first `acknowledged` steps made, or that and the step after them: a
/// first part of it if it appends, since entries are edits of their own.
bool is_possible(const StorageContent& now, std::size_t acknowledged);

/// What storage_script_runner reported.
struct Reported {
    bool open = false;
    std::size_t acknowledged = 0;
    int refused = 0;
    Errc last_refusal = Errc::internal;
};
Reported read_report(const std::string& out);

/// For messages.
std::string to_string(const StorageContent& content);

}  // namespace umbra::plugin_test
