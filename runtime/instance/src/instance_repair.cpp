// An edit that was made while this instance did not run, because nobody could become master without
// it: in force here until there is a master.

#include "editor.hpp"
#include "instance.hpp"
#include "repair_file.hpp"
#include <umbra/base/log.hpp>

#include <utility>
#include <variant>

namespace umbra::instance {

void Instance::load_repair() {
    auto loaded = instance::load_repair(config_.data_dir);
    if (!loaded.ok()) {
        alerts_.raise("repair", true, loaded.error().message);
        return;
    }
    repair_ = std::move(*loaded);
    if (!repair_) return;
    std::string keys;
    for (const auto& change : repair_->changes) keys += (keys.empty() ? "" : ", ") + change.key;
    alerts_.raise(
        "repair", false,
        "in force here until there is a master: the repair of " + keys + " by " + repair_->author);
}

/// The configuration with the repair; nothing when there is none, or when it does not fit any more.
std::optional<core::Document> Instance::repaired() const {
    if (!repair_) return std::nullopt;
    const auto checked = check_edit(*repair_, node_->log(), registry_);
    const auto* const edit = std::get_if<CheckedEdit>(&checked);
    if (edit == nullptr) return std::nullopt;
    core::Document document = node_->log().document();
    core::apply(document, edit->entry.changes);
    return document;
}

/// As the master this instance makes the edit; another master has a configuration that works.
void Instance::settle_repair() {
    if (repair_asked_) return;
    if (node_->role() == core::Role::shadow) {
        if (node_->state() != core::State::ready) return;
        forget_repair("another instance is master");
        return;
    }
    if (node_->serving() == 0) return;
    repair_asked_ = true;
    edit(*repair_, [this](const Reply& reply) {
        repair_asked_ = false;
        // Refused is for the moment only: the role is not sure, or the disk is full.
        if (reply.outcome == Outcome::refused || reply.outcome == Outcome::failed) return;
        forget_repair(reply.revision.empty() ? reply.message : "revision " + reply.revision);
    });
}

void Instance::forget_repair(const std::string& why) {
    base::info("instance", "the repair ends: {}", why);
    remove_repair(config_.data_dir);
    repair_.reset();
    alerts_.clear("repair");
    // Whatever became of it: what is in force is what the log says, read as a whole.
    applied_.reset();
    apply_document();
}

}  // namespace umbra::instance
