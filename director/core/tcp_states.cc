#include "director/core/tcp_states.h"

#include "director/core/faults.h"

#include <array>
#include <cstddef>

namespace lvspec::director {
namespace {

constexpr TcpState kNO = TcpState::kNone, kES = TcpState::kEstablished, kSS = TcpState::kSynSent,
                   kSR = TcpState::kSynRecv, kFW = TcpState::kFinWait, kTW = TcpState::kTimeWait,
                   kCL = TcpState::kClose, kCW = TcpState::kCloseWait, kLA = TcpState::kLastAck,
                   kLI = TcpState::kListen, kSA = TcpState::kSynAck;

constexpr std::size_t kStates = 11;

struct Row {
  TcpState from;
  std::array<std::array<TcpState, 4>, 3> to;  // [direction][SYN, FIN, ACK, RST]
};

using Table = std::array<Row, kStates>;

// CON-23 as printed there: one line a state; in, out, in-only.
// clang-format off
constexpr Table kTable = {{
    {kNO, {{{kSR, kCL, kES, kCL}, {kSS, kTW, kES, kCL}, {kSR, kCL, kES, kCL}}}},
    {kES, {{{kES, kCW, kES, kCL}, {kES, kFW, kES, kCL}, {kES, kFW, kES, kCL}}}},
    {kSS, {{{kES, kSS, kSS, kCL}, {kSS, kSS, kSS, kSS}, {kES, kSS, kSS, kCL}}}},
    {kSR, {{{kSR, kTW, kES, kSR}, {kSR, kTW, kES, kCL}, {kSR, kTW, kES, kSR}}}},
    {kFW, {{{kSR, kTW, kFW, kCL}, {kSS, kFW, kFW, kCL}, {kSR, kFW, kFW, kCL}}}},
    {kTW, {{{kSR, kTW, kTW, kCL}, {kSS, kTW, kTW, kTW}, {kSR, kTW, kTW, kCL}}}},
    {kCL, {{{kSR, kCL, kCL, kCL}, {kSS, kCL, kCL, kCL}, {kSR, kCL, kCL, kCL}}}},
    {kCW, {{{kSR, kCW, kCW, kCL}, {kSS, kTW, kCW, kCL}, {kSR, kCW, kCW, kCL}}}},
    {kLA, {{{kSR, kLA, kCL, kLA}, {kSS, kLA, kLA, kCL}, {kSR, kLA, kCL, kLA}}}},
    {kLI, {{{kSR, kLI, kLI, kLI}, {kLI, kLI, kES, kCL}, {kSR, kLI, kLI, kLI}}}},
    {kSA, {{{kSR, kTW, kES, kSR}, {kSR, kTW, kES, kCL}, {kSR, kTW, kES, kCL}}}},
}};
// clang-format on

struct Traits {
  std::string_view name;
  std::uint32_t timeout_s;
  bool active;
};

constexpr std::array<Traits, kStates> kTraits = {{
    {"NONE", 2, false},
    {"ESTABLISHED", 900, true},
    {"SYN_SENT", 120, true},
    {"SYN_RECV", 60, true},
    {"FIN_WAIT", 120, false},
    {"TIME_WAIT", 120, false},
    {"CLOSE", 10, false},
    {"CLOSE_WAIT", 60, false},
    {"LAST_ACK", 30, false},
    {"LISTEN", 120, false},
    {"SYNACK", 120, true},
}};

constexpr bool rows_stand_in_order_of_states() {
  for (std::size_t i = 0; i < kStates; ++i) {
    if (static_cast<std::size_t>(kTable[i].from) != i) return false;
  }
  return true;
}
static_assert(rows_stand_in_order_of_states());

constexpr std::size_t index(TcpState state) { return static_cast<std::size_t>(state); }

constexpr TcpState& cell(Table& table, TcpState from, Direction direction, TcpEvent event) {
  return table[index(from)].to[static_cast<std::size_t>(direction)][static_cast<std::size_t>(event)];
}

// CON-26: the differences alone.
constexpr Table secure_table() {
  Table table = kTable;
  cell(table, kSR, Direction::kIn, TcpEvent::kAck) = kSR;
  for (const TcpEvent event : {TcpEvent::kSyn, TcpEvent::kFin, TcpEvent::kAck}) {
    cell(table, kSA, Direction::kIn, event) = kSA;
  }
  cell(table, kSA, Direction::kIn, TcpEvent::kRst) = kCL;
  for (const TcpState from : {kSR, kSA}) cell(table, from, Direction::kOut, TcpEvent::kSyn) = kSA;
  for (const TcpState from : {kNO, kFW, kTW, kCL, kCW, kLA, kLI, kSA}) {
    cell(table, from, Direction::kInOnly, TcpEvent::kSyn) = kSA;
  }
  return table;
}
constexpr Table kSecureTable = secure_table();

}  // namespace

TcpEvent tcp_event(const TcpFlags& flags) {
  if (flags.rst) return TcpEvent::kRst;
  if (flags.syn) return TcpEvent::kSyn;
  if (flags.fin) return TcpEvent::kFin;
  if (flags.ack) return TcpEvent::kAck;
  return TcpEvent::kNone;
}

TcpState next_tcp_state(Direction direction, TcpEvent event, TcpState state, bool secure) {
  if (event == TcpEvent::kNone) return TcpState::kClose;
  if (fault(Fault::kTcpRepliesExpected) && direction == Direction::kInOnly) direction = Direction::kIn;
  const Table& table = secure ? kSecureTable : kTable;
  return table[index(state)].to[static_cast<std::size_t>(direction)][static_cast<std::size_t>(event)];
}

bool is_active(TcpState state) {
  if (fault(Fault::kHalfOpenInactive) && state == TcpState::kSynRecv) return false;
  return kTraits[index(state)].active;
}

std::uint32_t tcp_timeout_s(TcpState state, const Timeouts& timeouts) {
  if (state == TcpState::kEstablished && fault(Fault::kEstablishedCutShort)) return 300;
  if (state == TcpState::kEstablished) return timeouts.tcp_s;
  if (state == TcpState::kFinWait) return timeouts.tcp_fin_s;
  return kTraits[index(state)].timeout_s;
}

std::string_view tcp_state_name(TcpState state) { return kTraits[index(state)].name; }

}  // namespace lvspec::director
