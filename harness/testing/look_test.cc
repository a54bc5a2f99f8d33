#include "harness/testing/expect.h"

#include <gtest/gtest.h>

#include "harness/testing/matchers.h"

namespace lvspec::testing {
namespace {

using ::testing::HasSubstr;

TEST(Look, AtAnOrderThatIsNotClaimedEndsTheCase) {
  const auto look_at = [](const Status& status) {
    return static_cast<bool>(
        Look(RefusedSaying(HasSubstr("No daemon")), LVSPEC_THIS_FILE, __LINE__)("order", status));
  };
  EXPECT_THROW(look_at(unsupported("state sync")), WorldError);
  if (!look_at(director_error("No daemon is running"))) ADD_FAILURE() << "the words that were expected";
  if (look_at(director_error("Busy"))) ADD_FAILURE() << "other words are no such refusal";
  if (look_at(Status())) ADD_FAILURE() << "an order that was obeyed is no refusal";
}

}  // namespace
}  // namespace lvspec::testing
