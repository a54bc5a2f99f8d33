#include "harness/doctor/traps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace lvspec::doctor {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string suites_file(const std::string& name) {
  const char* fixtures = std::getenv("LVSPEC_FIXTURES");
  std::ifstream file(std::string(fixtures == nullptr ? "fixtures" : fixtures) + "/../suites/" + name);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Traps, AreAtLeastTwenty) {
  std::size_t traps = 0;
  for (const Trap& one : all_traps()) traps += one.severity == Severity::kTrap ? 1 : 0;
  EXPECT_GE(traps, 20U);
}

TEST(Traps, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const Trap& one : all_traps()) EXPECT_TRUE(names.insert(one.id).second) << one.id;
}

TEST(Traps, CiteClausesThatThereAre) {
  const std::string clauses = suites_file("clauses/ipvs-semantics.md");
  for (const Trap& one : all_traps()) {
    EXPECT_FALSE(one.clauses.empty()) << one.id;
    for (const std::string_view clause : one.clauses) {
      const bool item = clauses.find("**" + std::string(clause) + "**") != std::string::npos;
      const bool row = clauses.find("\n| " + std::string(clause) + " |") != std::string::npos;
      EXPECT_TRUE(item || row) << one.id << " " << clause;
      EXPECT_THAT(std::string(gist(clause)), Not(HasSubstr("\n"))) << clause;
    }
  }
}

TEST(Traps, CiteFieldReportsThatThereAre) {
  const std::string reports = suites_file("clauses/field-reports.md");
  for (const Trap& one : all_traps())
    for (const std::string_view report : one.field_reports)
      EXPECT_THAT(reports, HasSubstr("\n| " + std::string(report) + " |")) << one.id;
}

TEST(Traps, CiteCasesOfTheCatalogue) {
  const std::string lock = suites_file("catalogue.lock");
  for (const Trap& one : all_traps()) EXPECT_THAT(lock, HasSubstr("\n" + std::string(one.case_id) + "\n")) << one.id;
}

}  // namespace
}  // namespace lvspec::doctor
