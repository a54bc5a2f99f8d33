#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "harness/compare/page.h"
#include "harness/compare/page_data.h"
#include "harness/report/json.h"

namespace lvspec {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

CaseResult result(const std::string& id, const std::string& director, Verdict verdict) {
  CaseResult out;
  out.info.id = id;
  out.info.claim = "Claim of " + id;
  out.info.clauses = {"TPL-06"};
  out.director = director;
  out.verdict = verdict;
  out.assertions = 2;
  out.outside = {.held = 1, .failed = verdict == Verdict::kFail ? 1 : 0};
  out.timeline = {{.kind = MomentKind::kWorld, .what = "2 clients, 3 real servers, direct routing"},
                  {.kind = MomentKind::kAnswer, .at_s = 1, .who = "192.0.2.1", .what = "connect :80", .by = "real2"}};
  return out;
}

lvspec::Run run_of(const std::string& director) {
  lvspec::Run run;
  run.version = "0.1.0";
  run.suite_digest = "d1";
  run.started_at = "2026-12-01T00:00:00Z";
  run.rerun = "ci/lvspec run --director " + director;
  run.selected = run.catalogue = 2;
  run.environment.lab = "host";
  run.directors = {{director, "1", {}, {}}};
  run.directors[0].lab = "host";
  run.cases = {result("pcc.b", director, Verdict::kPass), result("pcc.a", director, Verdict::kFail)};
  return run;
}

class Compare : public ::testing::Test {
 protected:
  Compare() {
    std::string folder = (std::filesystem::temp_directory_path() / "lvspec-compare-XXXXXX").string();
    folder_ = ::mkdtemp(folder.data());
  }
  ~Compare() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = std::filesystem::path(folder_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  std::string write(const std::string& name, const lvspec::Run& run) { return write(name, to_text(to_json(run))); }

  std::string error_of(const std::vector<std::string>& files) {
    const auto sources = read_sources(files);
    return sources.ok() ? "no error" : sources.error().message;
  }

  std::string folder_;
};

TEST_F(Compare, RefusesWhatCannotStandSideBySideAndSaysWhere) {
  const std::string good = write("good/results.json", run_of("bundled"));
  lvspec::Run other = run_of("ipvs");
  other.suite_digest = "d2";
  EXPECT_THAT(error_of({good, write("other.json", other)}),
              AllOf(HasSubstr("other.json: suite_digest: \"d2\""), HasSubstr("good/results.json")));
  const std::string text = to_text(to_json(run_of("ipvs")));
  EXPECT_THAT(error_of({good, write("cut.json", text.substr(0, text.size() / 2))}),
              HasSubstr("cut.json: not JSON: line"));
  nlohmann::json strange = to_json(run_of("ipvs"));
  strange["schema_version"] = 7;
  EXPECT_THAT(error_of({write("strange.json", strange.dump())}), HasSubstr("strange.json: schema_version: 7"));
  strange = to_json(run_of("ipvs"));
  strange["cases"][1]["timeline"][1]["kind"] = "dance";
  EXPECT_THAT(error_of({write("dance.json", strange.dump())}), HasSubstr("cases[1].timeline[1].kind: \"dance\""));
  strange = to_json(run_of("ipvs"));
  strange["cases"][0]["views"]["inside"]["held"] = "one";
  EXPECT_THAT(error_of({write("one.json", strange.dump())}), HasSubstr("cases[0].views.inside.held"));
  EXPECT_THAT(error_of({folder_ + "/none.json"}), HasSubstr("none.json"));
}

TEST_F(Compare, ColumnsOfOneNameAreToldApartByWhatDiffers) {
  lvspec::Run old_kernel = run_of("ipvs"), new_kernel = run_of("ipvs"), fault = run_of("bundled");
  old_kernel.directors[0].kernel = "Linux 6.1";
  new_kernel.directors[0].kernel = "Linux 6.12";
  fault.rerun += " --fault no-persistence";
  const std::vector<Source> sources = {{"a", old_kernel}, {"b", new_kernel}, {"c", run_of("bundled")}, {"d", fault}};
  const auto columns = columns_of(sources);
  ASSERT_TRUE(columns.ok());
  EXPECT_EQ((*columns)[0].label, "ipvs (Linux 6.1)");
  EXPECT_EQ((*columns)[1].label, "ipvs (Linux 6.12)");
  EXPECT_EQ((*columns)[2].label, "bundled");
  EXPECT_EQ((*columns)[3].label, "bundled (no-persistence)");
  const std::vector<Source> twice = {{"x/results.json", run_of("ipvs")}, {"y/results.json", run_of("ipvs")}};
  EXPECT_EQ((*columns_of(twice))[1].label, "ipvs (y)");
}

TEST_F(Compare, OfARepeatedCaseTheGravestVerdictCounts) {
  lvspec::Run run = run_of("bundled");
  run.cases = {result("pcc.a", "bundled", Verdict::kPass), result("pcc.a", "bundled", Verdict::kInconclusive),
               result("pcc.a", "bundled", Verdict::kFail), result("pcc.a", "bundled", Verdict::kPass)};
  const std::vector<Source> sources = {{"a", run}};
  const lvspec::Run all = together(*columns_of(sources));
  ASSERT_EQ(all.cases.size(), 1U);
  EXPECT_EQ(all.cases[0].verdict, Verdict::kFail);
}

TEST_F(Compare, ThePageHoldsEveryCellAndEqualTimelinesOnce) {
  const std::vector<Source> sources = {{"a", run_of("bundled")}, {"b", run_of("ipvs")}};
  Law law;
  law.claims_zh["pcc.a"] = "要求";
  const auto data = page_data(*columns_of(sources), law, {.language = "zh", .made_at = "now"});
  ASSERT_EQ(data["cases"].size(), 2U);
  EXPECT_EQ(data["cases"][0]["id"], "pcc.a");  // as the catalogue has them
  EXPECT_EQ(data["cases"][0]["claim"], "要求");
  EXPECT_EQ(data["cases"][1]["claim"], "Claim of pcc.b");
  EXPECT_EQ(data["cases"][0]["cells"][1]["v"], "FAIL");
  EXPECT_EQ(data["cases"][0]["cells"][1]["o"], nlohmann::json({1, 1}));
  EXPECT_EQ(data["timelines"].size(), 1U);
  EXPECT_EQ(data["timelines"][0][1], nlohmann::json({1.0, 1, 2, 3, 4}));
}

TEST_F(Compare, ClausesSpeakTheLanguageOfThePage) {
  lvspec::Run run = run_of("bundled");
  run.guidance.words = {{"TPL-06", "One template."}, {"FR-45", "Two servers."}};
  const std::vector<Source> sources = {{"a", run}};
  Law law;
  law.clauses_zh["TPL-06"] = "一个模板。";
  const auto words = [&](const char* language) {
    return page_data(*columns_of(sources), law, {.language = language, .made_at = "now"})["words"];
  };
  EXPECT_EQ(words("zh"), nlohmann::json({{"TPL-06", "一个模板。"}, {"FR-45", "Two servers."}}));
  EXPECT_EQ(words("en"), nlohmann::json({{"TPL-06", "One template."}, {"FR-45", "Two servers."}}));
}

// Two kernels may differ in nothing else, so the page has them among what was not run alike.
TEST_F(Compare, AColumnHasTheSettingsThatItsDirectorTold) {
  lvspec::Run run = run_of("bundled");
  run.environment.sysctls = {{"net.core.somaxconn", "4096"}, {"timeout tcp", "1"}};
  run.directors[0].passport = {{"setting: timeout tcp", "900"}, {"key: port", "no"}};
  const std::vector<Source> sources = {{"a", run}};
  EXPECT_EQ(page_data(*columns_of(sources), Law{}, {.language = "en", .made_at = "now"})["columns"][0]["sysctls"],
            nlohmann::json({{"net.core.somaxconn", "4096"}, {"timeout tcp", "900"}}));
}

TEST_F(Compare, APartialRunGetsNoWord) {
  lvspec::Run run = run_of("bundled");
  run.catalogue = 262;
  const std::vector<Source> sources = {{"a", run}};
  const auto data = page_data(*columns_of(sources), {}, {});
  EXPECT_EQ(data["columns"][0]["word"], "partial: 2 of 262");
}

TEST_F(Compare, NothingThatADirectorSaysEndsTheScript) {
  lvspec::Run run = run_of("bundled");
  run.cases[0].reason = "</script><script>alert(1)</script><!-- \xff {script}";
  const std::vector<Source> sources = {{"a", run}};
  const std::string page = comparison_page(*columns_of(sources), {}, {});
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, AllOf(HasSubstr("\\u003c/script>"), HasSubstr("default-src 'none'")));
}

}  // namespace
}  // namespace lvspec
