#include "dl_error.hpp"

#include <gtest/gtest.h>

namespace umbra::host {
namespace {

constexpr const char* as = "/proc/self/fd/5";

/// Wraps a text of dlerror as Boost.DLL does.
std::string boost_text(const std::string& text) {
    return "boost::dll::shared_library::load() failed (dlerror system message: " + text +
           "): Bad file descriptor";
}

TEST(DlErrorTest, MissingLibraryIsNamedNotThePlugin) {
    EXPECT_EQ(explain_dl_error(boost_text("libzmq.so.9: cannot open shared object file: No such "
                                          "file or directory"),
                               as),
              "needs the library libzmq.so.9, which is not installed; install the package that has "
              "it");
}

TEST(DlErrorTest, PluginThatCannotBeOpenedByItsDescriptorMeansThatProcIsNotThere) {
    EXPECT_EQ(explain_dl_error(boost_text("/proc/self/fd/5: cannot open shared object file: No "
                                          "such file or directory"),
                               as),
              "cannot be loaded through /proc/self/fd/5; mount /proc");
}

TEST(DlErrorTest, UndefinedSymbolIsDemangledAndItsVersionLeftOut) {
    EXPECT_EQ(explain_dl_error(boost_text("/proc/self/fd/5: undefined symbol: "
                                          "_ZN4zlib3fooEi, version LIBFOO_1.2"),
                               as),
              "uses the undefined symbol zlib::foo(int); link the library that has it, "
              "umbra_add_plugin() finds that when it links");
    EXPECT_EQ(demangle("zmq_ctx_new"), "zmq_ctx_new");
}

TEST(DlErrorTest, NewerSystemLibraryIsNamedWithTheVersion) {
    EXPECT_EQ(explain_dl_error(boost_text("/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' "
                                          "not found (required by /proc/self/fd/5)"),
                               as),
              "needs GLIBC_2.38, which the libc.so.6 of this host does not have; build the plugin "
              "on this system or an older one");
}

TEST(DlErrorTest, OtherTextsAreShownWithoutTheDescriptor) {
    EXPECT_EQ(explain_dl_error(boost_text("/proc/self/fd/5: cannot allocate memory in static TLS "
                                          "block"),
                               as),
              "cannot be loaded (file: cannot allocate memory in static TLS block); rebuild the "
              "plugin on this system");
    EXPECT_EQ(explain_dl_error("no such words", as),
              "cannot be loaded (no such words); rebuild the plugin on this system");
}

}  // namespace
}  // namespace umbra::host
