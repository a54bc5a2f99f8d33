#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "harness/base/cleanup.h"
#include "harness/report/escape.h"
#include "harness/report/json.h"
#include "harness/report/junit.h"
#include "harness/report/markdown.h"
#include "harness/report/sample_run.h"
#include "harness/report/tags_for_test.h"
#include "harness/report/tally.h"
#include "harness/report/text.h"
#include "harness/report/write.h"

namespace lvspec {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

std::string content_of(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// A clean run in which one case got another verdict.
Run run_with(Verdict verdict) {
  auto run = clean_run();
  run.cases[0].verdict = verdict;
  return run;
}

TEST(Names, LeadBackToWhatTheyName) {
  for (const Level level : kAllLevels) EXPECT_EQ(level_of(name_of(level)), level);
  for (const Verdict verdict : kAllVerdicts) EXPECT_EQ(verdict_of(name_of(verdict)), verdict);
  EXPECT_EQ(verdict_of("pass"), std::nullopt);
  EXPECT_EQ(level_of(""), std::nullopt);
}

TEST(ExitStatus, IsZeroOnlyWhereEverythingConforms) {
  EXPECT_EQ(exit_status(clean_run()), 0);
  EXPECT_EQ(exit_status(run_with(Verdict::kXfail)), 0);
  EXPECT_EQ(exit_status(run_with(Verdict::kUnsupported)), 0);
  EXPECT_EQ(exit_status(run_with(Verdict::kFail)), 1);
  EXPECT_EQ(exit_status(run_with(Verdict::kXpass)), 1);
  EXPECT_EQ(exit_status(run_with(Verdict::kHarnessError)), 4);
  EXPECT_EQ(exit_status(run_with(Verdict::kInconclusive)), 5);
}

TEST(ExitStatus, IsThreeWhereNothingWasSelectedOrAsserted) {
  EXPECT_EQ(exit_status(lvspec::Run{}), 3);
  auto skipped = clean_run();
  for (CaseResult& result : skipped.cases) result.verdict = Verdict::kEnvSkip;
  EXPECT_EQ(exit_status(skipped), 3);
  auto hollow = clean_run();
  hollow.cases[1].assertions = 0;
  EXPECT_EQ(exit_status(hollow), 3);
  EXPECT_EQ(overall_word(hollow), "nothing asserted");
}

TEST(ExitStatus, AFailureOutweighsAHarnessErrorAndBothOutweighNoise) {
  auto run = run_with(Verdict::kFail);
  run.cases[1].verdict = Verdict::kHarnessError;
  run.cases[2].verdict = Verdict::kInconclusive;
  EXPECT_EQ(exit_status(run), 1);
  run.cases[0].verdict = Verdict::kPass;
  EXPECT_EQ(exit_status(run), 4);
  run.cases[1].verdict = Verdict::kPass;
  EXPECT_EQ(exit_status(run), 5);
  for (const char status : {'0', '1', '2', '3', '4', '5'})
    EXPECT_THAT(std::string(exit_status_text()), HasSubstr(std::string("\n  ") + status + "  "));
}

TEST(Word, OnlyMustCasesTakeConformanceAway) {
  EXPECT_EQ(overall_word(clean_run()), "conforms");
  EXPECT_EQ(overall_word(run_with(Verdict::kFail)), "does not conform");
  auto should = clean_run();
  should.cases[2].verdict = Verdict::kFail;
  EXPECT_EQ(overall_word(should), "conforms, with 1 deviation below must");
  EXPECT_EQ(exit_status(should), 1);
}

TEST(Word, AnUnannouncedPassIsNoDeviationButAsksForAttention) {
  EXPECT_EQ(overall_word(run_with(Verdict::kXpass)), "conforms, more than was announced");
  EXPECT_EQ(exit_status(run_with(Verdict::kXpass)), 1);
}

TEST(Word, APartialRunHasNone) {
  auto run = clean_run();
  run.catalogue = 34;
  EXPECT_EQ(overall_word(run), "partial: 3 of 34");
  for (const std::string& text : {summary_text(run, ""), to_markdown(run)}) {
    EXPECT_THAT(text, HasSubstr("partial: 3 of 34"));
    EXPECT_THAT(text, Not(HasSubstr("conform")));
  }
}

TEST(Word, IsEachDirectorsOwn) {
  const auto run = sample_run();
  EXPECT_EQ(overall_word(run, "bundled"), "does not conform");
  auto one_sided = clean_run();
  CaseResult failed = failed_case();
  failed.director = "haproxy";
  one_sided.cases.push_back(failed);
  EXPECT_EQ(overall_word(one_sided, "bundled"), "conforms");
  EXPECT_EQ(overall_word(one_sided, "haproxy"), "does not conform");
}

TEST(Tally, CountsWhatHeldOfWhatWasAsked) {
  const Tallies tallies(sample_run());
  EXPECT_EQ(describe(tallies.by_suite.at("pcc").at("bundled")), "must 5/6  should 2/2");
  EXPECT_EQ(describe(tallies.by_suite.at("ppc").at("ipvs")), "must 5/5  should 2/2  1 skipped");
  EXPECT_EQ(describe(Tally{}), "-");
}

TEST(Tally, SaysDurationsInThePlainestUnit) {
  EXPECT_EQ(duration_text(0), "0 s");
  EXPECT_EQ(duration_text(0.0412), "41 ms");
  EXPECT_EQ(duration_text(1.234), "1.2 s");
  EXPECT_EQ(duration_text(612), "612 s");
  EXPECT_EQ(duration_text(3725), "1 h 02 min");
}

TEST(FailureText, SaysWhatWasPromisedWhatHappenedAndHowToSeeItAgain) {
  EXPECT_EQ(failure_text(failed_case(), {}, "report"),
            "✗ FAIL  pcc.same-client-all-ports  bundled  (must)\n"
            "  promised:     A port-zero service sends a client to one real server, whatever the port.\n"
            "  clauses:      TPL-06, TPL-30\n"
            "  users met it: FR-01, FR-45\n"
            "  reason:       2 of 5 assertions did not hold\n"
            "  looked at:    bench.client(1).connect(kVip, 443)   suites/pcc/pcc_test.cc:41\n"
            "  expected:     served by \"real2\"\n"
            "  actual:       served by \"real3\", 192.0.2.1:40112 -> 198.51.100.10:443\n"
            "  looked at:    bench.director().templates()   suites/pcc/pcc_test.cc:44\n"
            "  expected:     contains TCP 192.0.2.1:0 -> 198.51.100.10:0 real2\n"
            "  actual:       { TCP 192.0.2.1:0 -> 198.51.100.10:80   real2  expires in 297 s\n"
            "                  TCP 192.0.2.1:0 -> 198.51.100.10:443  real3  expires in 300 s }\n"
            "  evidence:     report/evidence/pcc.same-client-all-ports.bundled/\n"
            "  again:        ci/lvspec run --director bundled --case pcc.same-client-all-ports\n");
}

TEST(FailureText, SaysWhatIsCitedAndWhatIsLikely) {
  const std::string text = failure_text(failed_case(), sample_run().guidance);
  EXPECT_THAT(text, HasSubstr("  clauses:      TPL-06  Port 0 keys <TCP, CIP, 0>.\n"
                              "                TPL-30\n"
                              "  users met it: FR-01\n"
                              "                FR-45  Each port on its own.\n"));
  EXPECT_THAT(text, HasSubstr("  likely cause: so does a director fail with the fault x\n"));
}

TEST(FailureText, KeepsControlCharactersFromTheTerminal) {
  CaseResult result = failed_case();
  result.failures[0].actual = "\x1b]0;title\x07 \xff\xfe";
  EXPECT_THAT(failure_text(result), Not(HasSubstr("\x1b")));
  EXPECT_THAT(failure_text(result), Not(HasSubstr("\xff")));
}

TEST(Summary, HasARowForEachSuiteAndAColumnForEachDirector) {
  const std::string text = summary_text(sample_run(), "out");
  EXPECT_THAT(text, HasSubstr("suite    bundled"));
  EXPECT_THAT(text, HasSubstr("\npcc      must 5/6  should 2/2  ✗"));
  EXPECT_THAT(text, HasSubstr("\ntotal    must "));
  EXPECT_THAT(text, HasSubstr("does not conform"));
  EXPECT_THAT(text, HasSubstr("1 case ENV-SKIP on ipvs: needs ip_vs\n"));
  EXPECT_THAT(text, HasSubstr(" of protocol time in 1.2 s, "));
  EXPECT_THAT(text, EndsWith("report: out/index.html\n"));
  EXPECT_THAT(text, Not(HasSubstr(" \n"))) << "blanks at the end of a line";
}

TEST(Escape, LeavesNothingThatXmlCannotHold) {
  EXPECT_EQ(xml_escape("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(xml_escape(std::string("\0\x1b", 2)), "\uFFFD\uFFFD");
  EXPECT_EQ(xml_escape("é 負載 😀"), "é 負載 😀");
  EXPECT_EQ(xml_escape("\xC0\xAF"), "\uFFFD\uFFFD") << "overlong";
  EXPECT_EQ(xml_escape("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD") << "surrogate";
  EXPECT_EQ(xml_escape("\xEF\xBF\xBE"), "\uFFFD\uFFFD\uFFFD") << "no character";
  EXPECT_EQ(xml_escape("cut \xE8\xB2"), "cut \uFFFD\uFFFD");
}

TEST(Escape, MakesAPathOnlyAPath) {
  EXPECT_EQ(path_in_url("evidence/a b"), "evidence/a%20b");
  EXPECT_EQ(path_in_url("javascript:x?#"), "javascript%3Ax%3F%23");
}

TEST(Junit, IsWellFormedWhateverTheDirectorsSaid) {
  const std::string xml = to_junit(sample_run());
  EXPECT_THAT(xml, ::testing::StartsWith("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites "));
  EXPECT_EQ(first_unbalanced_tag(xml.substr(xml.find("?>") + 2)), "");
  EXPECT_THAT(xml, Not(HasSubstr("<script>")));
}

TEST(Junit, NamesSuitesAndCasesAsDashboardsSplitThem) {
  const std::string xml = to_junit(sample_run());
  EXPECT_THAT(xml, HasSubstr("<testsuite name=\"lvspec.bundled.pcc\" tests=\"8\" failures=\"1\" errors=\"0\" "
                             "skipped=\"0\""));
  EXPECT_THAT(xml, HasSubstr("<testcase classname=\"lvspec.bundled.pcc\" name=\"same-client-all-ports\" "
                             "time=\"0.041\">\n      <failure message=\""));
  EXPECT_THAT(xml, HasSubstr("<skipped message=\"ENV-SKIP: needs ip_vs\"/>"));
  EXPECT_THAT(xml, HasSubstr("<error message=\"HARNESS-ERROR: real2: bind"));
  EXPECT_THAT(xml, HasSubstr("again:        ci/lvspec run --director bundled --case pcc.same-client-all-ports"));
}

TEST(Junit, ShowsAPassThatAssertedNothingAsAnError) {
  auto run = clean_run();
  EXPECT_THAT(to_junit(run), HasSubstr("errors=\"0\""));
  run.cases[0].assertions = 0;
  EXPECT_THAT(to_junit(run), HasSubstr("<error message=\"nothing was asserted\""));
}

TEST(Markdown, TellsTheWordTheTableAndWhatToLookAt) {
  const std::string text = to_markdown(sample_run());
  EXPECT_THAT(text, ::testing::StartsWith("# lvspec: does not conform\n"));
  EXPECT_THAT(text, HasSubstr("| suite | bundled | ipvs |\n| --- | --- | --- |\n"));
  EXPECT_THAT(text, HasSubstr("\n    ✗ FAIL  pcc.same-client-all-ports  bundled  (must)\n"));
  EXPECT_THAT(text, Not(HasSubstr("\n<script>")));
  EXPECT_THAT(to_markdown(clean_run()), Not(HasSubstr("To look at")));
}

class WriteReport : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "lvspec-report-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string dir_;
};

TEST_F(WriteReport, LeavesItsFilesAndNothingElse) {
  const std::string out = dir_ + "/new/report";
  const Status status = write_report(sample_run(), out);
  ASSERT_TRUE(status.ok()) << status.error().message;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(out)) names.push_back(entry.path().filename());
  EXPECT_THAT(names,
              ::testing::UnorderedElementsAre("results.json", "junit.xml", "results.tap", "summary.md", "index.html",
                                              "conformance.bundled.json", "conformance.ipvs.json", "SHA256SUMS",
                                              "passport.bundled.json"));  // nobody measured the other
  EXPECT_TRUE(read_run(content_of(out + "/results.json"), "results.json").ok());
  EXPECT_EQ(content_of(out + "/junit.xml"), to_junit(sample_run()));
}

TEST_F(WriteReport, LinksTheFilesOfTheEvidence) {
  const std::string folder = dir_ + "/" + failed_case().evidence;
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/client1 & co.pcapng") << "x";
  ASSERT_TRUE(write_report(sample_run(), dir_).ok());
  EXPECT_THAT(content_of(dir_ + "/index.html"),
              HasSubstr("<a href=\"./evidence/pcc.same-client-all-ports.bundled/client1%20%26%20co.pcapng\">"
                        "client1 &amp; co.pcapng</a>"));
}

TEST_F(WriteReport, NamesTheFolderThatCannotBeMade) {
  std::ofstream(dir_ + "/file") << "x";
  const Status status = write_report(clean_run(), dir_ + "/file/report");
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, MatchesRegex("mkdir\\(.*/file/report\\): ENOTDIR .*"));
}

TEST_F(WriteReport, LeavesNoTemporaryFileWhereRenameFails) {
  std::filesystem::create_directories(dir_ + "/results.json/occupied");
  const Status status = write_report(clean_run(), dir_);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, MatchesRegex("rename\\(.*results.json\\): EISDIR .*"));
  for (const auto& entry : std::filesystem::directory_iterator(dir_))
    EXPECT_EQ(entry.path().filename().string(), "results.json");
}

TEST(Text, DifferencesBetweenDirectorsAreNamed) {
  lvspec::Run run;
  const auto add = [&](const char* id, const char* director, Verdict verdict) {
    CaseResult result;
    result.info.id = id;
    result.director = director;
    result.verdict = verdict;
    run.cases.push_back(result);
  };
  add("pcc.one", "bundled", Verdict::kPass);
  add("pcc.one", "ipvs", Verdict::kPass);
  EXPECT_EQ(differences_text(run), "differences between the directors: none\n");
  add("pcc.two", "bundled", Verdict::kPass);
  add("pcc.two", "ipvs", Verdict::kFail);
  EXPECT_EQ(differences_text(run), "differences between the directors: 1\n  pcc.two: bundled PASS ipvs FAIL\n");
}

}  // namespace
}  // namespace lvspec
