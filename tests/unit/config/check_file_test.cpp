#include "contract_samples.hpp"
#include "sample_catalog.hpp"
#include <umbra/config/check_file.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace umbra::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class CheckFileTest : public testing::Test {
protected:
    CheckFileTest() {
        std::string name = (std::filesystem::temp_directory_path() / "umbra-XXXXXX").string();
        directory_ = ::mkdtemp(name.data());
    }
    ~CheckFileTest() override { std::filesystem::remove_all(directory_); }

    void write(const std::string& name, const std::string& text) const {
        std::ofstream(directory_ / name) << text;
    }
    FileCheck check(const std::string& text) {
        write("a.toml", text);
        return check_file(directory_ / "a.toml",
                          [this](const auto& directories) -> const PluginCatalog& {
                              asked_ = directories;
                              return catalog_;
                          },
                          {"/usr/lib/umbra/plugins"});
    }

    const SampleCatalog catalog_;
    std::filesystem::path directory_;
    std::vector<std::filesystem::path> asked_;
};

TEST_F(CheckFileTest, TheKindIsToldByTheTables) {
    EXPECT_EQ(check(instance_sample).kind, FileKind::instance);
    const FileCheck shared = check(shared_sample);
    EXPECT_EQ(shared.kind, FileKind::shared);
    EXPECT_THAT(told(shared.problems), IsEmpty());
    EXPECT_THAT(asked_, ElementsAre("/usr/lib/umbra/plugins"));
    EXPECT_EQ(check("[instace]\nname = \"a\"\n[storage]\n[log]\n").kind, FileKind::instance);
    EXPECT_EQ(check("[tunel.main]\n[takeover]\n").kind, FileKind::shared);
}

TEST_F(CheckFileTest, AFileOfTheGatewayIsReferredToItsProgram) {
    const FileCheck gateway = check("[gateway]\nname = \"g\"\n[admin]\n");
    EXPECT_EQ(gateway.kind, FileKind::gateway);
    ASSERT_EQ(gateway.problems.count(), 1u);
    EXPECT_EQ(gateway.problems.list()[0].help, "check it with: umbra-gateway check FILE");
}

TEST_F(CheckFileTest, WhatIsNeitherIsSaid) {
    for (const char* text : {"", "a = 1\n", "# nothing\n"}) {
        const FileCheck nothing = check(text);
        EXPECT_EQ(nothing.kind, FileKind::unknown);
        EXPECT_THAT(told(nothing.problems), ElementsAre(HasSubstr(":1:1: error: this is neither")));
    }
    EXPECT_EQ(check("[admin]\n").kind, FileKind::instance);
}

TEST_F(CheckFileTest, TheSharedFileThatAnInstanceFileNamesIsCheckedWithIt) {
    EXPECT_THAT(told(check(instance_sample).problems),
                ElementsAre(HasSubstr("shared.toml: error: cannot open the file")));
    write("shared.toml", "[tunnel.main]\nplugin = \"gatway\"\n");
    EXPECT_THAT(told(check(instance_sample).problems),
                ElementsAre(HasSubstr("shared.toml:2:10: error: there is no tunnel plugin")));
    write("shared.toml", shared_sample);
    EXPECT_THAT(told(check(instance_sample).problems), IsEmpty());
}

}  // namespace
}  // namespace umbra::config
