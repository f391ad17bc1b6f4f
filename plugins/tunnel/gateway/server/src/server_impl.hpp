#pragma once

#include "channels.hpp"
#include "context.hpp"
#include "door.hpp"
#include "gateway_keys.hpp"
#include "pair.hpp"
#include "reception.hpp"
#include "reload.hpp"
#include "roster.hpp"
#include "server.hpp"
#include "shared_register.hpp"
#include "ways_in.hpp"
#include <umbra/base/http_server.hpp>

#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbra::gateway {

class Server::Impl {
public:
    explicit Impl(Settings settings);
    ~Impl();

    Result<Done> open();
    Result<Done> run();

private:
    using Edit = std::function<Result<Done>(Roster&)>;
    using Edited = std::function<void(Result<Done>)>;

    Result<Done> read_state();
    Result<Done> open_doors();
    Result<Done> open_admin();
    Result<Pair*> pair(const std::string& name);
    Result<std::unique_ptr<Door>> open_door(const NewDoor& door);
    [[nodiscard]] Door::OnSocket on_socket(const NewDoor& door);
    void close_door(std::unique_ptr<Door> door);
    void on_signals();
    void reload();
    [[nodiscard]] bool take(const SettingsLoad& load);
    void change(Edit edit, Edited done);
    void change_next();
    void tick();
    void notice_gap();
    void stop();

    void admin(const base::HttpRequest& request, const base::Responder& answer);
    void admin_invite(const base::HttpRequest& request, const base::Responder& answer);
    void admin_remove(const base::HttpRequest& request, const base::Responder& answer);
    void admin_admit(const base::HttpRequest& request, const base::Responder& answer);
    void admin_key_rotate(const base::HttpRequest& request, const base::Responder& answer);
    void admin_key_use(const base::HttpRequest& request, const base::Responder& answer);
    void admin_key_drop(const base::HttpRequest& request, const base::Responder& answer);
    [[nodiscard]] GatewayKeys::Answer key_answer(const base::Responder& answer) const;
    [[nodiscard]] std::string status() const;
    [[nodiscard]] std::string bound_address(const ListenerSettings& listener) const;

    Context context_;
    GatewayKeys keys_;
    Roster roster_;
    std::deque<std::pair<Edit, Edited>> changes_;
    bool changing_ = false;
    std::unique_ptr<SharedRegister> shared_;
    std::map<std::string, std::unique_ptr<Pair>> pairs_;
    std::unique_ptr<Reception> reception_;
    WaysIn ways_in_;
    Channels channels_;
    std::map<std::string, std::unique_ptr<Door>>
        doors_;  ///< By what they are: "listener crm:9000".
    std::optional<base::HttpServer> admin_;
    boost::asio::signal_set signals_;
    boost::asio::steady_timer ticker_;
    Instant started_;
    Instant next_turn_;  ///< For which `ticker_` is armed.
    int lock_ = -1;
    std::optional<Error> failure_;
};

}  // namespace umbra::gateway
