#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "harness/lab/guest/boot_words.h"
#include "harness/lab/guest/console.h"

namespace lvspec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A console on which a guest has written `text`.
GuestConsole console_with(const std::string& text, std::vector<std::string>* lines = nullptr) {
  GuestConsole console = GuestConsole::open("").value();
  EXPECT_EQ(write(console.fd(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  console.read([lines](std::string_view line) {
    if (lines != nullptr) lines->emplace_back(line);
  });
  return console;
}

TEST(GuestConsole, HandsOnWholeLinesAndKeepsTheReportForItself) {
  std::vector<std::string> lines;
  GuestConsole console = console_with("one\r\ntwo\nlvspec-guest: done 3 1500\nhalf", &lines);
  EXPECT_THAT(lines, ElementsAre("one", "two"));
  ASSERT_EQ(write(console.fd(), " a line\n", 8), 8);
  console.read([&lines](std::string_view line) { lines.emplace_back(line); });
  EXPECT_THAT(lines, ElementsAre("one", "two", "half a line"));
}

TEST(GuestConsole, ReportsHowTheBodyEndedAndWhatTimeItWas) {
  const auto exit = console_with("lvspec-guest: done 3 1500\n").verdict(true, "exited with 0");
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->status, 3);
  EXPECT_EQ(exit->virtual_, std::chrono::milliseconds(1500));
}

TEST(GuestConsole, APanicIsTheReasonWhateverWasReported) {
  const auto exit =
      console_with("lvspec-guest: done 0 1\nKernel panic - not syncing: dead\r\n").verdict(true, "exited with 0");
  EXPECT_EQ(exit.error().message, "ended in a panic: Kernel panic - not syncing: dead");
}

TEST(GuestConsole, AnEndWithoutAReportIsNoEnd) {
  EXPECT_EQ(console_with("hello\n").verdict(true, "exited with 0").error().message,
            "exited with 0 before its work was done");
  EXPECT_EQ(console_with("lvspec-guest: done 0 1\n").verdict(false, "was killed by SIGKILL").error().message,
            "was killed by SIGKILL");
}

TEST(GuestConsole, AMangledReportIsNone) {
  EXPECT_FALSE(console_with("lvspec-guest: done soon\n").verdict(true, "exited with 0").ok());
}

TEST(TailOf, KeepsTheLastLinesWithoutEmptyOnes) { EXPECT_EQ(tail_of("a\n\nb\r\nc\n", 2), "  | b\n  | c"); }

TEST(BootWords, CarryPassengersBehindTheKernelsOwn) {
  const auto words = boot_words({"quiet"}, {{"run", "two words"}, {{"SUITE", "ppc"}}, "uml", "/out"}, 4096).value();
  EXPECT_THAT(words, ElementsAre("quiet", "LVSPEC_GUEST=uml", "LVSPEC_GUEST_DIR=/out", "SUITE=ppc", "--", "run",
                                 "\"two words\""));
}

TEST(BootWords, RefuseWhatACommandLineCannotCarry) {
  for (const std::vector<std::string>& args : {std::vector<std::string>{"a\"b"},
                                               {""},
                                               {"a\nb"},
                                               std::vector<std::string>(27, "x"),
                                               {std::string(2048, 'x')}}) {
    const auto words = boot_words({}, {args, {}, "qemu", ""}, 2048);
    ASSERT_FALSE(words.ok());
    EXPECT_EQ(words.error().kind, ErrorKind::kUsage);
  }
  EXPECT_THAT(boot_words({}, {{std::string(2048, 'x')}, {}, "qemu", ""}, 2048).error().message,
              HasSubstr("more than a kernel's command line carries"));
}

}  // namespace
}  // namespace lvspec
