#include "harness/report/digests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "harness/report/file.h"
#include "harness/report/json.h"
#include "harness/report/sample_run.h"
#include "harness/report/write.h"

namespace lvspec {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A report with the evidence of one case, in a folder that goes with the test.
class Report : public ::testing::Test {
 protected:
  Report() {
    char path[] = "/tmp/lvspec-report-XXXXXX";
    dir_ = mkdtemp(path);
    put(kHistory, "connect: refused\n");
    write();
  }
  ~Report() override { std::filesystem::remove_all(dir_); }

  void put(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(folder_of(dir_ + "/" + name));
    std::ofstream(dir_ + "/" + name) << text;
  }
  void write() const {
    const Status written = write_report(sample_run(), dir_);
    EXPECT_TRUE(written.ok()) << written.error().message;
  }
  Tampering verified() const {
    const auto found = verify_report(dir_);
    EXPECT_TRUE(found.ok()) << found.error().message;
    return found.ok() ? *found : Tampering{};
  }
  std::string refusal() const {
    const auto found = verify_report(dir_);
    return found.ok() ? "none" : found.error().message;
  }

  static constexpr const char* kHistory = "evidence/pcc.same-client-all-ports.bundled/history.txt";
  std::string dir_;
};

TEST(Sha256, IsThatOfTheStandard) {
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(sha256_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(Report, IsAsItWasWritten) {
  const Tampering found = verified();
  EXPECT_TRUE(found.none());
  // results.json, junit.xml, results.tap, summary.md, index.html, one passport, two conformance documents, the
  // history.
  EXPECT_EQ(found.files, 9U);
}

TEST_F(Report, OneFlippedByteIsFoundWhereverItIs) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_)) {
    if (!entry.is_regular_file() || entry.path().filename() == kDigestsName) continue;
    const std::string path = entry.path().string();
    const std::string good = read_text_file(path).value();
    std::string bad = good;
    bad[bad.size() / 2] ^= 1;
    std::ofstream(path) << bad;
    EXPECT_THAT(verified().changed, ElementsAre(path.substr(dir_.size() + 1)));
    std::ofstream(path) << good;
  }
  EXPECT_TRUE(verified().none());
}

TEST_F(Report, MissingAndExtraFilesAreNamed) {
  std::filesystem::remove(dir_ + "/" + kHistory);
  put("evidence/other/planted.txt", "x");
  const Tampering found = verified();
  EXPECT_THAT(found.changed, IsEmpty());
  EXPECT_THAT(found.missing, ElementsAre(kHistory));
  EXPECT_THAT(found.extra, ElementsAre("evidence/other/planted.txt"));
}

TEST_F(Report, ALinkIsNotTheFileThatItLeadsTo) {
  std::filesystem::rename(dir_ + "/" + kHistory, dir_ + "/moved");
  std::filesystem::create_symlink(dir_ + "/moved", dir_ + "/" + kHistory);
  EXPECT_THAT(verified().changed, ElementsAre(kHistory));
  // Nor does a pipe hold us up.
  std::filesystem::remove(dir_ + "/" + kHistory);
  ASSERT_EQ(mkfifo((dir_ + "/" + kHistory).c_str(), 0600), 0);
  EXPECT_THAT(verified().changed, ElementsAre(kHistory));
}

TEST_F(Report, DigestsThatCannotBeReadAreNamedWithTheirLine) {
  const std::string sums = dir_ + "/" + std::string(kDigestsName);
  const std::string good = read_text_file(sums).value();
  std::ofstream(sums) << good.substr(0, good.size() - 3);
  EXPECT_THAT(refusal(), HasSubstr("SHA256SUMS: is cut off"));
  std::ofstream(sums) << sha256_of("") << "  results.json\n" << sha256_of("") << "  ../../etc/passwd\n";
  EXPECT_THAT(refusal(), HasSubstr("SHA256SUMS:2: a line is"));
  std::ofstream(sums) << sha256_of("") << "  a\n" << sha256_of("") << "  a\n";
  EXPECT_THAT(refusal(), HasSubstr("SHA256SUMS:2: a is there twice"));
  std::ofstream(sums) << "";
  EXPECT_THAT(refusal(), HasSubstr("is empty"));
  std::filesystem::remove(sums);
  EXPECT_THAT(refusal(), HasSubstr("SHA256SUMS: ENOENT"));
}

TEST_F(Report, ResultsThatWereChangedAreNotRead) {
  EXPECT_TRUE(read_run_file(dir_).ok());
  const std::string path = dir_ + "/results.json";
  std::string text = read_text_file(path).value();
  text.replace(text.find("\"FAIL\""), 6, "\"PASS\"");
  std::ofstream(path) << text;
  const auto run = read_run_file(path);
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(run.error().message, HasSubstr(path + ": is not as it was written"));
  // Where nothing is known of it, it is what it says.
  std::filesystem::remove(dir_ + "/" + std::string(kDigestsName));
  EXPECT_TRUE(read_run_file(path).ok());
}

TEST_F(Report, TheNextOneInTheSameFolderLeavesNothingOfTheLast) {
  put("evidence/notes.txt", "of the user");
  auto clean = clean_run();
  ASSERT_TRUE(write_report(clean, dir_).ok());
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/" + folder_of(kHistory)));
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/conformance.ipvs.json"));
  EXPECT_EQ(read_text_file(dir_ + "/evidence/notes.txt").value(), "of the user");
  EXPECT_THAT(verified().extra, ElementsAre("evidence/notes.txt"));
}

// Digests that somebody else wrote are no leave to remove what lies elsewhere.
TEST_F(Report, NothingOutsideOfTheFolderIsRemoved) {
  const std::string elsewhere = dir_ + "-elsewhere";
  std::filesystem::create_directory(elsewhere);
  std::ofstream(elsewhere + "/file") << "x";
  std::filesystem::create_directory_symlink(elsewhere, dir_ + "/link");
  std::ofstream(dir_ + "/" + std::string(kDigestsName)) << sha256_of("x") << "  link/file\n";
  write();
  EXPECT_TRUE(std::filesystem::exists(elsewhere + "/file"));
  std::filesystem::remove_all(elsewhere);
}

}  // namespace
}  // namespace lvspec
