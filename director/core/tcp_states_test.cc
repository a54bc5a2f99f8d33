#include "director/core/tcp_states.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>

namespace lvspec::director {
namespace {

// CON-22
TEST(TcpEvent, IsTheFirstOfRstSynFinAck) {
  EXPECT_EQ(tcp_event({.fin = true, .syn = true, .rst = true, .ack = true}), TcpEvent::kRst);
  EXPECT_EQ(tcp_event({.fin = true, .syn = true, .ack = true}), TcpEvent::kSyn);
  EXPECT_EQ(tcp_event({.fin = true, .ack = true}), TcpEvent::kFin);
  EXPECT_EQ(tcp_event({.ack = true}), TcpEvent::kAck);
  EXPECT_EQ(tcp_event({}), TcpEvent::kNone);
  EXPECT_EQ(next_tcp_state(Direction::kIn, TcpEvent::kNone, TcpState::kEstablished), TcpState::kClose);
}

// CON-23 as printed there: from; in, out and in-only, each SYN FIN ACK RST.
constexpr const char* kSheet = R"(
    NONE SR CL ES CL SS TW ES CL SR CL ES CL
    ESTABLISHED ES CW ES CL ES FW ES CL ES FW ES CL
    SYN_SENT ES SS SS CL SS SS SS SS ES SS SS CL
    SYN_RECV SR TW ES SR SR TW ES CL SR TW ES SR
    FIN_WAIT SR TW FW CL SS FW FW CL SR FW FW CL
    TIME_WAIT SR TW TW CL SS TW TW TW SR TW TW CL
    CLOSE SR CL CL CL SS CL CL CL SR CL CL CL
    CLOSE_WAIT SR CW CW CL SS TW CW CL SR CW CW CL
    LAST_ACK SR LA CL LA SS LA LA CL SR LA CL LA
    LISTEN SR LI LI LI LI LI ES CL SR LI LI LI
    SYNACK SR TW ES SR SR TW ES CL SR TW ES CL
)";

// CON-26 as listed there: direction, from, event, then the state with secure_tcp.
constexpr const char* kSecureSheet = R"(
    IN SYN_RECV ACK SYN_RECV
    IN SYNACK SYN SYNACK
    IN SYNACK FIN SYNACK
    IN SYNACK ACK SYNACK
    IN SYNACK RST CLOSE
    OUT SYN_RECV SYN SYNACK
    OUT SYNACK SYN SYNACK
    IN-ONLY NONE SYN SYNACK
    IN-ONLY FIN_WAIT SYN SYNACK
    IN-ONLY TIME_WAIT SYN SYNACK
    IN-ONLY CLOSE SYN SYNACK
    IN-ONLY CLOSE_WAIT SYN SYNACK
    IN-ONLY LAST_ACK SYN SYNACK
    IN-ONLY LISTEN SYN SYNACK
    IN-ONLY SYNACK SYN SYNACK
)";

const std::map<std::string, std::string> kNames = {{"NO", "NONE"},     {"ES", "ESTABLISHED"}, {"SS", "SYN_SENT"},
                                                   {"SR", "SYN_RECV"}, {"FW", "FIN_WAIT"},    {"TW", "TIME_WAIT"},
                                                   {"CL", "CLOSE"},    {"CW", "CLOSE_WAIT"},  {"LA", "LAST_ACK"},
                                                   {"LI", "LISTEN"},   {"SA", "SYNACK"}};
constexpr const char* kDirections[] = {"IN", "OUT", "IN-ONLY"};
constexpr const char* kEvents[] = {"SYN", "FIN", "ACK", "RST"};

TEST(TcpStates, FollowEveryCellOfTheTables) {
  std::map<std::string, std::string> secure;  // "IN SYNACK SYN" -> "SYNACK"
  std::istringstream changes(kSecureSheet);
  for (std::string direction, from, event, to; changes >> direction >> from >> event >> to;)
    secure[direction + " " + from + " " + event] = to;
  ASSERT_EQ(secure.size(), 15u);

  std::istringstream words(kSheet);
  std::string from, cell;
  std::size_t changed = 0;
  for (int row = 0; row < 11; ++row) {
    ASSERT_TRUE(words >> from);
    const auto state = static_cast<TcpState>(row);
    EXPECT_EQ(tcp_state_name(state), from);
    for (int direction = 0; direction < 3; ++direction) {
      for (int event = 0; event < 4; ++event) {
        ASSERT_TRUE(words >> cell);
        const auto next = [&](bool is_secure) {
          return std::string(tcp_state_name(
              next_tcp_state(static_cast<Direction>(direction), static_cast<TcpEvent>(event), state, is_secure)));
        };
        const std::string place = std::string(kDirections[direction]) + " " + from + " " + kEvents[event];
        EXPECT_EQ(next(false), kNames.at(cell)) << place;
        const auto change = secure.find(place);
        changed += change != secure.end();
        EXPECT_EQ(next(true), change == secure.end() ? kNames.at(cell) : change->second) << place << ", secure";
      }
    }
  }
  EXPECT_FALSE(words >> cell) << cell;
  EXPECT_EQ(changed, secure.size());
}

// CON-24: what the director of a DR service sees.
TEST(TcpStates, ClientFirstCloseInDrEndsInFinWait) {
  TcpState state = TcpState::kNone;
  const auto step = [&](TcpEvent event) { return state = next_tcp_state(Direction::kInOnly, event, state); };
  EXPECT_EQ(step(TcpEvent::kSyn), TcpState::kSynRecv);
  EXPECT_EQ(step(TcpEvent::kRst), TcpState::kSynRecv);
  EXPECT_EQ(step(TcpEvent::kAck), TcpState::kEstablished);
  EXPECT_EQ(step(TcpEvent::kFin), TcpState::kFinWait);
  EXPECT_EQ(step(TcpEvent::kAck), TcpState::kFinWait);
  EXPECT_EQ(step(TcpEvent::kRst), TcpState::kClose);
  EXPECT_EQ(step(TcpEvent::kSyn), TcpState::kSynRecv);
}

// CON-03: with the replies in sight, the same close ends in TIME_WAIT.
TEST(TcpStates, ClientFirstCloseUnderNatEndsInTimeWait) {
  TcpState state = TcpState::kNone;
  const auto step = [&](Direction direction, TcpEvent event) {
    return state = next_tcp_state(direction, event, state);
  };
  EXPECT_EQ(step(Direction::kIn, TcpEvent::kSyn), TcpState::kSynRecv);
  EXPECT_EQ(step(Direction::kOut, TcpEvent::kSyn), TcpState::kSynRecv);
  EXPECT_EQ(step(Direction::kIn, TcpEvent::kAck), TcpState::kEstablished);
  EXPECT_EQ(step(Direction::kIn, TcpEvent::kFin), TcpState::kCloseWait);
  EXPECT_EQ(step(Direction::kOut, TcpEvent::kFin), TcpState::kTimeWait);
  EXPECT_EQ(step(Direction::kIn, TcpEvent::kAck), TcpState::kTimeWait);
}

// CON-20, CON-21, CON-27
TEST(TcpStates, HaveTheirTimeoutsAndNames) {
  const Timeouts defaults;
  EXPECT_EQ(tcp_timeout_s(TcpState::kEstablished, defaults), 900u);
  EXPECT_EQ(tcp_timeout_s(TcpState::kSynRecv, defaults), 60u);
  EXPECT_EQ(tcp_timeout_s(TcpState::kFinWait, defaults), 120u);
  EXPECT_EQ(tcp_timeout_s(TcpState::kClose, defaults), 10u);
  EXPECT_EQ(tcp_timeout_s(TcpState::kEstablished, {.tcp_s = 7}), 7u);
  EXPECT_EQ(tcp_timeout_s(TcpState::kFinWait, {.tcp_fin_s = 8}), 8u);
  EXPECT_EQ(tcp_timeout_s(TcpState::kTimeWait, {.tcp_s = 7, .tcp_fin_s = 8}), 120u);
  EXPECT_EQ(tcp_state_name(TcpState::kSynRecv), "SYN_RECV");
  EXPECT_EQ(tcp_state_name(TcpState::kSynAck), "SYNACK");
  EXPECT_TRUE(is_active(TcpState::kSynRecv));
  EXPECT_FALSE(is_active(TcpState::kFinWait));
}

}  // namespace
}  // namespace lvspec::director
