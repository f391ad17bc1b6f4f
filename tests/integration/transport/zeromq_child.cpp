// Hosts one side of a pair in a process of its own, so that tests can kill or freeze it.
//
// zeromq_child STATE_DIR PUBLISH RESPOND PEER_PUBLISH PEER_RESPOND PEER_IDENTITY
// prints "IDENTITY PUBLISH RESPOND" once it is open, then answers every question until it is ended.

#include "integration/transport/zeromq_side.hpp"

#include <cstdio>

int main(int argc, char** argv) {
    if (argc != 7) return 2;
    umbra::test::Side side{argv[1]};
    const auto opened = side.open({argv[2], argv[3], argv[4], argv[5], argv[6], {}});
    if (!opened.ok()) {
        std::fprintf(stderr, "%s\n", opened.error().message.c_str());
        return 1;
    }
    side.answer_all();
    std::printf("%s %s %s\n", opened->identity.c_str(), opened->own_publish.c_str(),
                opened->own_respond.c_str());
    std::fflush(stdout);
    static_cast<void>(side.run_until([] { return false; }, std::chrono::minutes{5}));
    return 0;
}
