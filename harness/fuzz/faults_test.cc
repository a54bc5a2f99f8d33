// Proof that the fuzzer can fail: a director with a deliberate fault parts from the kernel within a bounded number of
// steps. One guest plays the programs once, and every faulty director follows it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include <algorithm>
#include "harness/fuzz/compare.h"
#include "harness/fuzz/generator.h"
#include "harness/fuzz/sides.h"

namespace lvspec::fuzz {
namespace {

constexpr std::size_t kPrograms = 20, kLength = 60, kAtOnce = 5;
constexpr std::uint64_t kSeed = 77 << 20;

/// What the kernel did, and where programs are played.
class FaultyDirector : public ::testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    std::string path = (std::filesystem::temp_directory_path() / "lvspec-fuzz-XXXXXX").string();
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    stage_ = {.program = LVSPEC_PROGRAM, .scratch = path};
    for (std::uint64_t i = 0; i < kPrograms; ++i) programs_.push_back(generate(kSeed | i, kLength, whole_alphabet()));
    if (access("/usr/bin/linux.uml", X_OK) != 0) return;
    auto kernel = play_on({"ipvs", ""}, programs_, nullptr, stage_);
    ASSERT_TRUE(kernel.ok()) << kernel.error().message;
    kernel_ = *std::move(kernel);
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(stage_.scratch); }

  void SetUp() override {
    if (!kernel_.empty()) return;
    const char* required = getenv("LVSPEC_REQUIRE");
    ASSERT_FALSE(required != nullptr && ("," + std::string(required) + ",").find(",uml,") != std::string::npos)
        << "needs uml (Debian's package user-mode-linux)";
    GTEST_SKIP() << "needs uml (Debian's package user-mode-linux)";
  }

  /// Steps until the director with this fault parts from the kernel in its answers or tables; nothing if it never
  /// does.
  static std::optional<std::size_t> steps_until_found(const std::string& fault) {
    std::size_t steps = 0;
    for (std::size_t first = 0; first < kPrograms; first += kAtOnce) {
      const std::vector<Program> some(programs_.begin() + static_cast<std::ptrdiff_t>(first),
                                      programs_.begin() + static_cast<std::ptrdiff_t>(first + kAtOnce));
      const std::vector<Record> led(kernel_.begin() + static_cast<std::ptrdiff_t>(first),
                                    kernel_.begin() + static_cast<std::ptrdiff_t>(first + kAtOnce));
      const auto followed = play_on({"bundled", fault}, some, &led, stage_);
      if (!followed.ok()) {
        ADD_FAILURE() << followed.error().message;
        return std::nullopt;
      }
      for (std::size_t i = 0; i < some.size(); ++i) {
        if (const auto found = first_difference((*followed)[i], led[i], Statistics::kLeftOut)) {
          std::printf("%s: after %zu steps: %s", fault.c_str(), steps + found->step + 1,
                      text_of(*found, some[i], "bundled", "ipvs").c_str());
          return steps + found->step + 1;
        }
        steps += some[i].steps.size();
      }
    }
    return std::nullopt;
  }

  static Stage stage_;
  static std::vector<Program> programs_;
  static std::vector<Record> kernel_;
};

Stage FaultyDirector::stage_;
std::vector<Program> FaultyDirector::programs_;
std::vector<Record> FaultyDirector::kernel_;

TEST_P(FaultyDirector, IsFoundOut) { EXPECT_TRUE(steps_until_found(GetParam()).has_value()); }

INSTANTIATE_TEST_SUITE_P(All, FaultyDirector,
                         ::testing::Values("pcc-key-includes-port", "mask-ignored", "no-extension",
                                           "extension-not-stored", "edit-reaches-old-templates",
                                           "window-renewed-by-packets", "removed-server-used", "weight-zero-chosen",
                                           "tail-insertion", "ftp-ports-ignored", "mark-template-per-port",
                                           "reuse-reschedules-pinned"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// The other half of the proof: it is the fault that is found.
TEST_F(FaultyDirector, OneWithoutAFaultAgrees) { EXPECT_FALSE(steps_until_found("").has_value()); }

}  // namespace
}  // namespace lvspec::fuzz
