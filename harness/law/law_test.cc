#include "harness/law/law.h"

#include "harness/law/coverage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lvspec {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kClauses =
    "# Title\n"
    "## 3. Template lifetime\n"
    "- **TPL-34** (MUST) The timer is armed with 60 s. It stays so. [verified 6.1.176] Src: conn. Obs: LC.\n"
    "  - also then\n"
    "no clause\n"
    "- **TIM-02** (MAY, but tests MUST tolerate) Timers are late.\n"
    "### 11. sysctls\n"
    "| name | default |\n|---|---|\n"
    "| CTL-15 | pmtu_disc | 1 | FWD-04 |\n";
constexpr const char* kReports = "| FR-01 | a/b#1 | bug | Too long. | Measure. | M | v |\n";

TEST(Law, ReadsClausesReportsAndReasons) {
  const auto law = read_law(kClauses, kReports, "# why not\nTIM-02 nobody can see it\n", "no-extension expiry.a\n");
  ASSERT_TRUE(law.ok()) << law.error().message;
  EXPECT_THAT(law->clauses,
              ElementsAre(Field(&Clause::id, "TPL-34"), Field(&Clause::id, "TIM-02"), Field(&Clause::id, "CTL-15")));
  const Clause& first = law->clauses[0];
  EXPECT_EQ(first.level, "MUST");
  EXPECT_EQ(first.section, "3. Template lifetime");
  EXPECT_THAT(first.text, HasSubstr("Obs: LC. - also then"));
  EXPECT_EQ(gist_of(first.text), "The timer is armed with 60 s.");
  EXPECT_EQ(law->clauses[1].level, "MAY");
  EXPECT_EQ(law->clause("CTL-15")->text, "pmtu_disc; 1; FWD-04");
  EXPECT_EQ(law->clause("CTL-16"), nullptr);
  EXPECT_EQ(law->report("FR-01")->symptom, "Too long.");
  EXPECT_EQ(law->report("FR-01")->level, "M");
  EXPECT_EQ(law->uncovered.at("TIM-02"), "nobody can see it");
  EXPECT_THAT(law->notices.at("expiry.a"), ElementsAre("no-extension"));
}

TEST(Law, ReadsTranslationsAndNamesThoseOfNothing) {
  const auto law = read_law(kClauses, kReports, "", "", "expiry.a 要求\n", "# Chinese\nTPL-34 定时器为 60 秒。\n");
  ASSERT_TRUE(law.ok()) << law.error().message;
  EXPECT_EQ(law->claims_zh.at("expiry.a"), "要求");
  EXPECT_EQ(law->clauses_zh.at("TPL-34"), "定时器为 60 秒。");
  const auto complaint = [](const char* clauses_zh) {
    const auto wrong = read_law(kClauses, kReports, "", "", "", clauses_zh);
    return wrong.ok() ? "none" : wrong.error().message;
  };
  EXPECT_EQ(complaint("TPL-99 没有\n"), "clauses.zh.txt: there is no clause TPL-99");
  EXPECT_THAT(complaint("TPL-34\n"), HasSubstr("clauses.zh.txt:1: no text"));
  EXPECT_THAT(complaint("TPL-34 一\nTPL-34 二\n"),
              HasSubstr("clauses.zh.txt:2: no text, or one that is there twice"));
}

TEST(Law, SaysWhereItIsWrong) {
  const auto complaint = [](const std::string& clauses, const char* reports, const char* uncovered) {
    const auto law = read_law(clauses, reports, uncovered);
    return law.ok() ? "none" : law.error().message;
  };
  EXPECT_EQ(complaint(std::string(kClauses) + "- **TPL-34** (MUST) Again.\n", "", ""),
            "ipvs-semantics.md:11: TPL-34 is there twice");
  EXPECT_EQ(complaint(kClauses, "| FR-01 | a | b |\n", ""), "field-reports.md:1: 3 cells in this row instead of 7");
  EXPECT_EQ(complaint(kClauses, "", "\nTPL-34\n"), "uncovered.txt:2: \"TPL-34\" is no clause with a reason");
  EXPECT_EQ(complaint(kClauses, "", "TPL-99 so\n"), "uncovered.txt:1: there is no clause TPL-99");
  EXPECT_EQ(complaint(kClauses, "", "TPL-34 so\nTPL-34 so\n"), "uncovered.txt:2: TPL-34 is there twice");
}

TEST(Law, CoverageSeesHolesInBothDirections) {
  const auto holes = [](const char* uncovered, const std::vector<Citation>& citations) {
    return coverage_of(*read_law(kClauses, kReports, uncovered), citations).holes;
  };
  EXPECT_THAT(holes("", {{"ppc.a", true, {"TPL-34"}, {"FR-01"}}}), IsEmpty());
  EXPECT_THAT(holes("TPL-34 so", {}), IsEmpty());
  EXPECT_THAT(holes("", {{"ppc.a", false, {"TPL-34"}, {}}}),
              ElementsAre(HasSubstr("TPL-34 (MUST) has no must-case")));
  EXPECT_THAT(holes("TPL-34 so", {{"ppc.a", true, {"TPL-34"}, {}}}), ElementsAre(HasSubstr("and a reason why")));
  EXPECT_THAT(
      holes("TPL-34 so", {{"ppc.a", true, {"TPL-99"}, {"FR-99"}}}),
      ElementsAre("ppc.a cites TPL-99: there is no such clause", "ppc.a cites FR-99: there is no such field report"));
}

TEST(Law, GistsAreShort) {
  EXPECT_EQ(gist_of("Reads ip_vs.c. and so on"), "Reads ip_vs.c. and so on");
  EXPECT_EQ(gist_of("one two three four", 12), "one two ...");
}

}  // namespace
}  // namespace lvspec
