#include "harness/testing/view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/testing/expect.h"

namespace lvspec::testing {
namespace {

// gtest's own looks are taken away from whoever includes expect.h.
void expect_view(View actual, View expected) { EXPECT_PRED2(std::equal_to<>(), actual, expected); }

TEST(View, OfWhatTheTypeSays) {
  expect_view(view_of<Answer>("bench.tables()"), View::kOutside);
  expect_view(view_of<std::vector<Answer>>("answers"), View::kOutside);
  expect_view(view_of<Entry>("seen"), View::kInside);
  expect_view(view_of<std::vector<Entry>>("seen"), View::kInside);
  expect_view(view_of<std::optional<ServerState>>("seen"), View::kInside);
  expect_view(view_of<Status>("bench.add(service)"), View::kInside);
}

TEST(View, OfANumberByWhoWasAsked) {
  expect_view(view_of<std::size_t>("bench.templates().size()"), View::kInside);
  expect_view(view_of<std::uint32_t>("bench.server(service_.id, \"real1\").active"), View::kInside);
  expect_view(view_of<bool>("heard.has_value()"), View::kOutside);
  expect_view(view_of<std::string>("first.server"), View::kOutside);
  expect_view(view_of<std::set<std::string>>("names(answers)"), View::kOutside);
  expect_view(view_of<std::map<std::string, int>>("counts(service_.id)"), View::kInside);
}

TEST(View, IsCountedWhetherTheLookHoldsOrNot) {
  Recorder::current().start();
  const Look sees_none(::testing::IsEmpty(), "here.cc", 1);
  (void)sees_none("bench.templates()", std::vector<Entry>{});
  (void)sees_none("bench.templates()", std::vector<Entry>(1));
  (void)sees_none("answers", std::vector<Answer>{});
  CaseResult result;
  Recorder::current().conclude(false, "", &result);
  Recorder::current().start();
  EXPECT_PRED2(std::equal_to<>(), result.inside.held, 1);
  EXPECT_PRED2(std::equal_to<>(), result.inside.failed, 1);
  EXPECT_PRED2(std::equal_to<>(), result.outside.held, 1);
  EXPECT_PRED2(std::equal_to<>(), result.outside.failed, 0);
  expect_view(result.failures.at(0).view, View::kInside);
}

}  // namespace
}  // namespace lvspec::testing
