#include "migration_mark.hpp"

#include "unit/base/temp_directory.hpp"

#include <gmock/gmock.h>

#include <fstream>

namespace umbra::instance {
namespace {

using testing::HasSubstr;

class MigrationMarkTest : public testing::Test {
protected:
    const UnfinishedMigration one{{"file", "aa"}, {"sqlite", "bb"}};
    const UnfinishedMigration other{{"file", "aa"}, {"etcd", "cc"}};
    test::TempDirectory dir;
};

TEST_F(MigrationMarkTest, IsRememberedUntilItIsTakenBack) {
    EXPECT_TRUE(load_migrations(dir.path())->empty());
    ASSERT_TRUE(save_migrations(dir.path(), {one, other}).ok());
    EXPECT_THAT(*load_migrations(dir.path()), testing::ElementsAre(one, other));
    ASSERT_TRUE(save_migrations(dir.path(), {}).ok());
    EXPECT_FALSE(std::filesystem::exists(dir / migration_mark_name));
    ASSERT_TRUE(save_migrations(dir.path(), {}).ok()) << "also when it is not there";
}

TEST_F(MigrationMarkTest, WhatWasHalfWrittenToIsNotUsedAndTheRestIs) {
    const auto file = StorageName::of("file", {}), sqlite = StorageName::of("sqlite", {});
    EXPECT_TRUE(check_migrated(dir.path(), {"sqlite", {}}).ok());
    ASSERT_TRUE(save_migrations(dir.path(), {{file, sqlite}}).ok());
    const auto refused = check_migrated(dir.path(), {"sqlite", {}});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Errc::conflict);
    EXPECT_THAT(refused.error().message,
                HasSubstr("umbra storage migrate --from file --to sqlite"));
    EXPECT_TRUE(check_migrated(dir.path(), {"file", {}}).ok());
    EXPECT_TRUE(check_migrated(dir.path(), {"etcd", {}}).ok());
    // Within one plugin the options tell source and target apart.
    ASSERT_TRUE(save_migrations(dir.path(), {{sqlite, {"sqlite", "another file"}}}).ok());
    EXPECT_TRUE(check_migrated(dir.path(), {"sqlite", {}}).ok());
}

TEST_F(MigrationMarkTest, ADamagedOneStopsTheInstance) {
    for (const char* text : {"", "{", "[]", "{\"version\":2,\"unfinished\":[]}",
                             "{\"version\":1,\"unfinished\":[{}]}"}) {
        std::ofstream{dir / migration_mark_name} << text;
        const auto list = load_migrations(dir.path());
        ASSERT_FALSE(list.ok()) << text;
        EXPECT_EQ(list.error().code, Errc::data_loss);
        EXPECT_FALSE(check_migrated(dir.path(), {"file", {}}).ok());
    }
}

}  // namespace
}  // namespace umbra::instance
