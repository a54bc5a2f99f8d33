#include "director/core/sctp_states.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace lvspec::director {
namespace {

constexpr int kStates = 14;

// CON-33 as printed there, "=" for no change; columns in the order of SctpEvent.
struct Sheet {
  Direction direction;
  const char* text;
};
constexpr Sheet kSheets[] = {
    {Direction::kIn, R"(
    NONE ESTABLISHED INIT1 C-WAIT C-REPLIED ESTABLISHED S-RECEIVED CLOSED CLOSED CLOSED CLOSED
    INIT1 = INIT C-WAIT INIT = = INIT CLOSED = CLOSED
    INIT = = C-WAIT = = = = CLOSED = CLOSED
    C-SENT = = = C-REPLIED = = = = = CLOSED
    C-REPLIED = = = = = = = = = CLOSED
    C-WAIT = = COOKIE = = = = = = REJECTED
    COOKIE = = = = = = = = = CLOSED
    C-ECHOED = = = = ESTABLISHED = = = CLOSED CLOSED
    ESTABLISHED = = = = = S-RECEIVED = = = CLOSED
    S-SENT = = = = = = CLOSED = = CLOSED
    S-RECEIVED = = = = = = = = = CLOSED
    S-ACK-SENT = = = = = = CLOSED CLOSED = CLOSED
    REJECTED = INIT = = = = = = = CLOSED
    CLOSED = INIT = = = = = = = =
)"},
    {Direction::kOut, R"(
    NONE ESTABLISHED C-WAIT C-SENT C-ECHOED ESTABLISHED S-SENT S-ACK-SENT CLOSED CLOSED CLOSED
    INIT1 = C-WAIT C-SENT C-ECHOED ESTABLISHED S-SENT S-ACK-SENT = CLOSED REJECTED
    INIT = C-WAIT C-SENT C-ECHOED ESTABLISHED S-SENT S-ACK-SENT = CLOSED CLOSED
    C-SENT = C-WAIT = C-ECHOED ESTABLISHED S-SENT S-ACK-SENT = CLOSED CLOSED
    C-REPLIED = C-WAIT = C-ECHOED ESTABLISHED S-SENT S-ACK-SENT = CLOSED CLOSED
    C-WAIT = = = C-ECHOED ESTABLISHED S-SENT = = = CLOSED
    COOKIE = C-WAIT = C-ECHOED ESTABLISHED S-SENT = = = CLOSED
    C-ECHOED = C-WAIT = = ESTABLISHED S-SENT = = = CLOSED
    ESTABLISHED = = = = = S-SENT = = = CLOSED
    S-SENT = C-WAIT = = = = S-ACK-SENT = = CLOSED
    S-RECEIVED = C-WAIT = = = = S-ACK-SENT = = CLOSED
    S-ACK-SENT = C-WAIT = = = = = = = CLOSED
    REJECTED = C-WAIT = = = = = = = CLOSED
    CLOSED = C-WAIT = = = = = = = =
)"},
    {Direction::kInOnly, R"(
    NONE ESTABLISHED INIT1 C-ECHOED ESTABLISHED ESTABLISHED S-RECEIVED CLOSED CLOSED CLOSED CLOSED
    INIT1 = INIT C-ECHOED ESTABLISHED = = INIT CLOSED = CLOSED
    INIT = = C-ECHOED ESTABLISHED = = = CLOSED = CLOSED
    C-SENT = INIT C-ECHOED ESTABLISHED ESTABLISHED = = CLOSED = CLOSED
    C-REPLIED = INIT C-ECHOED ESTABLISHED ESTABLISHED = = CLOSED = CLOSED
    C-WAIT ESTABLISHED INIT C-ECHOED ESTABLISHED = = = = = REJECTED
    COOKIE = = = = ESTABLISHED = = = = CLOSED
    C-ECHOED = = = = ESTABLISHED = = = = CLOSED
    ESTABLISHED = = = = = S-RECEIVED CLOSED = = CLOSED
    S-SENT = = = = = = CLOSED = = CLOSED
    S-RECEIVED = = = = = = = CLOSED = CLOSED
    S-ACK-SENT = = = = = = CLOSED CLOSED = CLOSED
    REJECTED = INIT = = = = = = = CLOSED
    CLOSED = INIT = = = = = = = =
)"},
};

TEST(SctpStates, FollowEveryCellOfTheTables) {
  int cells = 0;
  for (const Sheet& sheet : kSheets) {
    std::istringstream words(sheet.text);
    std::string from, to;
    for (int row = 0; row < kStates; ++row) {
      ASSERT_TRUE(words >> from);
      const auto state = static_cast<SctpState>(row);
      EXPECT_EQ(sctp_state_name(state), from);
      for (auto event = SctpEvent::kData; event != SctpEvent::kNone;
           event = static_cast<SctpEvent>(static_cast<int>(event) + 1)) {
        ASSERT_TRUE(words >> to);
        EXPECT_EQ(sctp_state_name(next_sctp_state(sheet.direction, event, state)), to == "=" ? from : to)
            << from << ", event " << static_cast<int>(event) << ", direction " << static_cast<int>(sheet.direction);
        ++cells;
      }
    }
    EXPECT_FALSE(words >> to) << to;
  }
  EXPECT_EQ(cells, 3 * 14 * 10);
}

TEST(SctpStates, StayWithoutAChunk) {
  for (int state = 0; state < kStates; ++state) {
    EXPECT_EQ(next_sctp_state(Direction::kIn, SctpEvent::kNone, static_cast<SctpState>(state)),
              static_cast<SctpState>(state));
  }
}

// CON-32
TEST(SctpStates, HaveTheirTimeouts) {
  constexpr std::uint32_t kTimeouts[kStates] = {2, 4, 61, 61, 61, 61, 61, 61, 900, 61, 61, 61, 4, 61};
  for (int i = 0; i < kStates; ++i) {
    const auto state = static_cast<SctpState>(i);
    EXPECT_EQ(sctp_timeout_s(state), kTimeouts[i]) << sctp_state_name(state);
    EXPECT_EQ(is_active(state), state == SctpState::kEstablished) << sctp_state_name(state);
  }
}

}  // namespace
}  // namespace lvspec::director
