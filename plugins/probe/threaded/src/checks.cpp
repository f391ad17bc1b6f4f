#include <umbra/process/backoff.hpp>
#include <umbra/process/lines.hpp>
#include <umbra/sdk/deadline.hpp>
#include <umbra/threaded/checks.hpp>

#include <algorithm>
#include <utility>

namespace umbra::threaded {

Check::Check(Checks& all, Reply<ProbeResult> reply, Duration patience)
    : all_(all),
      reply_(std::move(reply)),
      began_(deadline_clock()),
      patience_(patience),
      timer_(all.io_) {}

/// The place is given back before the answer, so that who was answered finds it free.
void Check::finish(ProbeResult result) {
    auto reply = std::move(reply_);
    all_.end(shared_from_this());
    if (reply) reply.ok(std::move(result));
}

Duration Check::latency() const { return deadline_clock() - began_; }

void Checks::start(Reply<ProbeResult> reply, const Begin& begin) {
    if (running_.size() >= most_)
        return reply.fail(Errc::exhausted,
                          "already " + std::to_string(most_) + " checks are in flight");
    const Instant now = deadline_clock();
    const Duration patience = answer_by(now, timeout_, reply.deadline_ns()) - now;
    const auto check = std::make_shared<Check>(*this, std::move(reply), patience);
    auto work = begin(check);
    if (!work) return check->reply_.fail(work.error());
    check->work_ = std::move(*work);
    running_.push_back(check);
    check->timer_.expires_after(std::max(patience, Duration::zero()));
    check->timer_.async_wait([this, check](boost::system::error_code error) {
        if (!error) time_is_up(*check);
    });
}

void Checks::time_is_up(Check& check) {
    if (!check.reply_) return;
    // Ends the work first: where that frees the place at once, who was answered finds it free.
    auto reply = std::move(check.reply_);
    const auto text = check.work_->missed(process::to_text(check.patience_));
    const auto latency = check.latency();
    check.work_->cancel();
    reply.ok({Health::down, latency, process::one_line(text, detail_max)});
}

void Checks::end(const std::shared_ptr<Check>& check) {
    check->timer_.cancel();
    running_.remove(check);
    if (over_ && running_.empty()) std::exchange(over_, nullptr)();
}

void Checks::stop(std::function<void()> over) {
    if (running_.empty()) return over();
    over_ = std::move(over);
    for (const auto& check : std::list(running_)) {
        if (check->reply_) check->reply_.fail(Errc::closed, "the probe is stopping");
        check->work_->cancel();
    }
}

}  // namespace umbra::threaded
