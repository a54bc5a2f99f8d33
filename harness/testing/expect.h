#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <type_traits>

#include "harness/base/world_error.h"
#include "harness/testing/recorder.h"
#include "harness/testing/view.h"

/// The looks that a case may take. Each is counted and, when it does not hold, kept with its words, so that a case
/// that looked at nothing is noticed and a failure can be told in every report. Looks that would not be counted are
/// taken away from suites.
#undef EXPECT_THAT
#undef ASSERT_THAT
#undef EXPECT_EQ
#undef EXPECT_NE
#undef EXPECT_LT
#undef EXPECT_LE
#undef EXPECT_GT
#undef EXPECT_GE
#undef EXPECT_TRUE
#undef EXPECT_FALSE
#undef ASSERT_EQ
#undef ASSERT_NE
#undef ASSERT_TRUE
#undef ASSERT_FALSE

namespace lvspec::testing {

template <typename M>
class Look {
 public:
  Look(M matcher, const char* file, int line) : matcher_(std::move(matcher)), file_(file), line_(line) {}

  template <typename T>
  ::testing::AssertionResult operator()(const char* expression, const T& value) const {
    // As obeyed() below: what is not claimed is no refusal, whichever words were expected of one.
    if constexpr (std::is_same_v<T, Status>)
      if (!value.ok() && value.error().kind == ErrorKind::kUnsupported) throw WorldError(value.error());
    const ::testing::Matcher<const T&> matcher = ::testing::SafeMatcherCast<const T&>(matcher_);
    ::testing::StringMatchResultListener explanation;
    Assertion assertion;
    assertion.held = matcher.MatchAndExplain(value, &explanation);
    assertion.what = expression;
    assertion.view = view_of<T>(expression);
    std::ostringstream expected;
    matcher.DescribeTo(&expected);
    assertion.expected = expected.str();
    assertion.actual = ::testing::PrintToString(value);
    if (!explanation.str().empty()) assertion.actual += " (" + explanation.str() + ")";
    assertion.where = std::string(file_) + ":" + std::to_string(line_);
    const std::string text =
        expression + std::string("\nExpected: ") + assertion.expected + "\n  Actual: " + assertion.actual;
    const bool held = assertion.held;
    Recorder::current().looked(std::move(assertion));
    if (held) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << text;
  }

 private:
  M matcher_;
  const char* file_;
  int line_;
};

/// The build gives the length of the path above the sources; ccache may have made it one from the build's folder.
constexpr const char* below_the_sources(const char* file) {
  if (*file == '/') return file + LVSPEC_SOURCE_PATH_LENGTH;
  while (file[0] == '.' && file[1] == '.' && file[2] == '/') file += 3;
  return file;
}

/// An order that has to be obeyed. Refused in the director's own words, it has failed; a world that broke, or a thing
/// that the director does not claim, ends the case.
inline void obeyed(const Status& status, const char* expression, const char* file, int line) {
  if (status.ok()) return;
  if (status.error().kind != ErrorKind::kDirector) throw WorldError(status.error());
  Assertion assertion;
  assertion.what = expression;
  assertion.view = View::kInside;
  assertion.expected = "is obeyed";
  assertion.actual = status.error().message;
  assertion.where = std::string(file) + ":" + std::to_string(line);
  Recorder::current().looked(std::move(assertion));
  GTEST_FAIL() << expression << ": " << status.error().message;
}

}  // namespace lvspec::testing

#define EXPECT_THAT(value, matcher) \
  EXPECT_PRED_FORMAT1((::lvspec::testing::Look((matcher), LVSPEC_THIS_FILE, __LINE__)), value)
#define ASSERT_THAT(value, matcher) \
  ASSERT_PRED_FORMAT1((::lvspec::testing::Look((matcher), LVSPEC_THIS_FILE, __LINE__)), value)

#define ASSERT_OK(order)                                                    \
  do {                                                                      \
    ::lvspec::testing::obeyed((order), #order, LVSPEC_THIS_FILE, __LINE__); \
    if (HasFatalFailure()) return;                                          \
  } while (false)

/// The value of a step, or the end of the case: the world refused.
#define ASSERT_OK_AND_ASSIGN(declaration, expression) declaration = ::lvspec::must(expression)

/// As in "suites/pcc/pcc_test.cc".
#define LVSPEC_THIS_FILE (::lvspec::testing::below_the_sources(__FILE__))
