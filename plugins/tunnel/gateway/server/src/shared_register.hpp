#pragma once

#include "context.hpp"
#include "register_settings.hpp"
#include "shared_values.hpp"
#include <umbra/base/log.hpp>
#include <umbra/etcd/client.hpp>
#include <umbra/etcd/watch.hpp>
#include <umbra/gateway/other_gateways.hpp>
#include <umbra/gateway/register.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/json/object.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace umbra::gateway {

/// The registers of all pairs in an etcd that other gateways use as well.
///
/// A store takes the place of the record that its decision was made on, or of nothing: it compares
/// the revision at which that record was written. What another gateway wrote first is told to the
/// pair as `fact::RecordChanged`. A raised epoch counts as stored when every other gateway has
/// written that it routes nothing below, or is gone (`OtherGateways`).
///
/// What others write is heard of by a watch, and looked for now and then besides.
///
/// Beside that it writes a note of its own every fifth of `hold`, and at once when something in it
/// changes. Only for `hold` after the last one that etcd took may this gateway route.
///
/// Threads: everything on the loop of the context; etcd is asked on a thread beside it, one
/// question at a time.
class SharedRegister {
public:
    /// What a pair does for it.
    class User {
    public:
        virtual ~User() = default;
        virtual void tell(const Fact& fact) = 0;
        [[nodiscard]] virtual PairNote note() = 0;
        /// Nothing is routed from now on, and what is open is cut.
        virtual void suspend(const std::string& why) = 0;
        virtual void resume() = 0;
    };

    /// @param id  Of this gateway, unlike that of any other.
    SharedRegister(Context& context, SharedRegisterSettings settings, std::string id);
    ~SharedRegister();
    SharedRegister(const SharedRegister&) = delete;
    SharedRegister& operator=(const SharedRegister&) = delete;

    /// Reads the files of TLS. etcd itself may be away.
    Result<Done> open();
    /// @param expected  The pair is known to have had a record: a missing one was lost.
    void add(const std::string& pair, User& user, bool expected);
    /// Told to the user later: `Stored`, `RecordChanged` and `StoreLost`, or `StoreUnreachable`.
    /// @param raises  The epoch: the other gateways have to know before it counts.
    void store(const std::string& pair, const effect::Store& wanted, bool raises);
    [[nodiscard]] bool may_route(const std::string& pair) const;
    /// Something in the note of a pair may have changed.
    void poke();
    /// Due every few tens of milliseconds.
    void tick();
    void stop();

    [[nodiscard]] boost::json::object status() const;

private:
    /// A store on its way.
    struct Pending {
        SharedRecord value;
        bool raises = false;
        bool committed = false;  ///< Waits for the other gateways.
        /// What another gateway made of it meanwhile, without taking the epoch away.
        std::optional<SharedRecord> later;
    };
    struct PairState {
        User* user = nullptr;
        bool expected = false;
        bool read = false;           ///< At least once.
        std::uint64_t revision = 0;  ///< At which the record that the user knows was written.
        std::string store;           ///< Name of it.
        std::optional<Pending> pending;
        fact::HeardElsewhere told;
        std::string broken;      ///< Why the record can not be used; empty: it can.
        bool reachable = false;  ///< As the user was told.
        bool confirmed = false;  ///< In the note that etcd took last.
        bool suspended = true;
    };
    struct Answer {
        Result<etcd::Outcome> outcome;
        Instant asked, answered;
    };
    using Handler = void (SharedRegister::*)(const Answer&);

    void next();
    void ask(etcd::Transaction transaction, bool writes, Handler then);
    void beat();
    void look();
    void commit(const std::string& pair);
    void committed(PairState& state, std::uint64_t revision);
    void bury(const std::string& key, std::uint64_t revision);
    void on_beat(const Answer& answer);
    void on_look(const Answer& answer);
    void on_commit(const Answer& answer);
    void on_buried(const Answer& answer);
    void failed(const Error& error);

    void changed(const std::string& key);
    void watching(bool on);
    [[nodiscard]] Duration look_pause() const;

    void absorb_records(const etcd::Found& found, bool all);
    void absorb_record(const std::string& pair, PairState& state, const etcd::KeyValue& found);
    /// Tells the pair of another record; what it decided on the one before is not stored.
    void change(PairState& state, const Fact& fact);
    void missing(PairState& state);
    void settle(const std::string& pair, PairState& state);
    void absorb_gateways(const etcd::Found& found, const Answer& answer);
    void reached();
    void judge_routes();
    [[nodiscard]] bool someone_waits() const;
    [[nodiscard]] std::map<std::string, PairNote> notes() const;

    Context& context_;
    SharedRegisterSettings settings_;
    SharedKeys keys_;
    std::string own_key_;
    std::string session_;
    etcd::Client client_;
    boost::asio::thread_pool thread_{1};
    boost::asio::steady_timer timer_;

    std::map<std::string, PairState> pairs_;
    OtherGateways others_;
    bool busy_ = false;
    bool poked_ = false;
    bool stopped_ = false;
    bool reachable_ = false;
    std::string detail_ = "it was not asked yet";
    Instant failing_since_;

    bool registered_ = false;  ///< The own note is of this process.
    std::uint64_t own_revision_ = 0;
    std::uint64_t beats_ = 0;
    std::uint64_t writes_ = 0;
    std::uint64_t seen_ = 0;  ///< Revision of the store at the last answer that read records.
    std::map<std::string, PairNote> sent_;  ///< What the last note said.
    std::string committing_;
    bool watched_ = false;  ///< etcd tells of changes.
    bool news_ = false;     ///< It did, after the question that was asked last.
    Instant next_beat_;
    Instant next_look_;
    std::optional<Instant> confirmed_;  ///< When the last note that etcd took was sent.
    etcd::Watch watch_;                 ///< Last: its thread ends first.
};

}  // namespace umbra::gateway
