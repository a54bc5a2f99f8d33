#include "director/core/tcp_states.h"

#include <gtest/gtest.h>

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
