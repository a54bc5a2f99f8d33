#include "director/core/sctp_states.h"

#include <array>
#include <cstddef>

#include "director/core/faults.h"

namespace lvspec::director {
namespace {

constexpr SctpState kI1 = SctpState::kInit1, kIN = SctpState::kInit, kCS = SctpState::kCookieSent,
                    kCR = SctpState::kCookieReplied, kCW = SctpState::kCookieWait, kCO = SctpState::kCookie,
                    kCE = SctpState::kCookieEchoed, kES = SctpState::kEstablished, kSS = SctpState::kShutdownSent,
                    kSR = SctpState::kShutdownReceived, kSA = SctpState::kShutdownAckSent, kRJ = SctpState::kRejected,
                    kCL = SctpState::kClosed;

constexpr std::size_t kStates = 14, kEvents = 10;

// CON-33: [direction][from][event]; events in the order of SctpEvent.
// clang-format off
constexpr std::array<std::array<std::array<SctpState, kEvents>, kStates>, 3> kTables = {{
    {{  // from the client
        {{kES, kI1, kCW, kCR, kES, kSR, kCL, kCL, kCL, kCL}},  // NONE
        {{kI1, kIN, kCW, kIN, kI1, kI1, kIN, kCL, kI1, kCL}},  // INIT1
        {{kIN, kIN, kCW, kIN, kIN, kIN, kIN, kCL, kIN, kCL}},  // INIT
        {{kCS, kCS, kCS, kCR, kCS, kCS, kCS, kCS, kCS, kCL}},  // C-SENT
        {{kCR, kCR, kCR, kCR, kCR, kCR, kCR, kCR, kCR, kCL}},  // C-REPLIED
        {{kCW, kCW, kCO, kCW, kCW, kCW, kCW, kCW, kCW, kRJ}},  // C-WAIT
        {{kCO, kCO, kCO, kCO, kCO, kCO, kCO, kCO, kCO, kCL}},  // COOKIE
        {{kCE, kCE, kCE, kCE, kES, kCE, kCE, kCE, kCL, kCL}},  // C-ECHOED
        {{kES, kES, kES, kES, kES, kSR, kES, kES, kES, kCL}},  // ESTABLISHED
        {{kSS, kSS, kSS, kSS, kSS, kSS, kCL, kSS, kSS, kCL}},  // S-SENT
        {{kSR, kSR, kSR, kSR, kSR, kSR, kSR, kSR, kSR, kCL}},  // S-RECEIVED
        {{kSA, kSA, kSA, kSA, kSA, kSA, kCL, kCL, kSA, kCL}},  // S-ACK-SENT
        {{kRJ, kIN, kRJ, kRJ, kRJ, kRJ, kRJ, kRJ, kRJ, kCL}},  // REJECTED
        {{kCL, kIN, kCL, kCL, kCL, kCL, kCL, kCL, kCL, kCL}},  // CLOSED
    }},
    {{  // replies
        {{kES, kCW, kCS, kCE, kES, kSS, kSA, kCL, kCL, kCL}},  // NONE
        {{kI1, kCW, kCS, kCE, kES, kSS, kSA, kI1, kCL, kRJ}},  // INIT1
        {{kIN, kCW, kCS, kCE, kES, kSS, kSA, kIN, kCL, kCL}},  // INIT
        {{kCS, kCW, kCS, kCE, kES, kSS, kSA, kCS, kCL, kCL}},  // C-SENT
        {{kCR, kCW, kCR, kCE, kES, kSS, kSA, kCR, kCL, kCL}},  // C-REPLIED
        {{kCW, kCW, kCW, kCE, kES, kSS, kCW, kCW, kCW, kCL}},  // C-WAIT
        {{kCO, kCW, kCO, kCE, kES, kSS, kCO, kCO, kCO, kCL}},  // COOKIE
        {{kCE, kCW, kCE, kCE, kES, kSS, kCE, kCE, kCE, kCL}},  // C-ECHOED
        {{kES, kES, kES, kES, kES, kSS, kES, kES, kES, kCL}},  // ESTABLISHED
        {{kSS, kCW, kSS, kSS, kSS, kSS, kSA, kSS, kSS, kCL}},  // S-SENT
        {{kSR, kCW, kSR, kSR, kSR, kSR, kSA, kSR, kSR, kCL}},  // S-RECEIVED
        {{kSA, kCW, kSA, kSA, kSA, kSA, kSA, kSA, kSA, kCL}},  // S-ACK-SENT
        {{kRJ, kCW, kRJ, kRJ, kRJ, kRJ, kRJ, kRJ, kRJ, kCL}},  // REJECTED
        {{kCL, kCW, kCL, kCL, kCL, kCL, kCL, kCL, kCL, kCL}},  // CLOSED
    }},
    {{  // from the client, no reply ever seen
        {{kES, kI1, kCE, kES, kES, kSR, kCL, kCL, kCL, kCL}},  // NONE
        {{kI1, kIN, kCE, kES, kI1, kI1, kIN, kCL, kI1, kCL}},  // INIT1
        {{kIN, kIN, kCE, kES, kIN, kIN, kIN, kCL, kIN, kCL}},  // INIT
        {{kCS, kIN, kCE, kES, kES, kCS, kCS, kCL, kCS, kCL}},  // C-SENT
        {{kCR, kIN, kCE, kES, kES, kCR, kCR, kCL, kCR, kCL}},  // C-REPLIED
        {{kES, kIN, kCE, kES, kCW, kCW, kCW, kCW, kCW, kRJ}},  // C-WAIT
        {{kCO, kCO, kCO, kCO, kES, kCO, kCO, kCO, kCO, kCL}},  // COOKIE
        {{kCE, kCE, kCE, kCE, kES, kCE, kCE, kCE, kCE, kCL}},  // C-ECHOED
        {{kES, kES, kES, kES, kES, kSR, kCL, kES, kES, kCL}},  // ESTABLISHED
        {{kSS, kSS, kSS, kSS, kSS, kSS, kCL, kSS, kSS, kCL}},  // S-SENT
        {{kSR, kSR, kSR, kSR, kSR, kSR, kSR, kCL, kSR, kCL}},  // S-RECEIVED
        {{kSA, kSA, kSA, kSA, kSA, kSA, kCL, kCL, kSA, kCL}},  // S-ACK-SENT
        {{kRJ, kIN, kRJ, kRJ, kRJ, kRJ, kRJ, kRJ, kRJ, kCL}},  // REJECTED
        {{kCL, kIN, kCL, kCL, kCL, kCL, kCL, kCL, kCL, kCL}},  // CLOSED
    }},
}};
// clang-format on

struct Traits {
  std::string_view name;
  std::uint32_t timeout_s;
};

// CON-32
constexpr std::array<Traits, kStates> kTraits = {{
    {"NONE", 2},
    {"INIT1", 4},
    {"INIT", 61},
    {"C-SENT", 61},
    {"C-REPLIED", 61},
    {"C-WAIT", 61},
    {"COOKIE", 61},
    {"C-ECHOED", 61},
    {"ESTABLISHED", 900},
    {"S-SENT", 61},
    {"S-RECEIVED", 61},
    {"S-ACK-SENT", 61},
    {"REJECTED", 4},
    {"CLOSED", 61},
}};

constexpr std::size_t index(auto of) { return static_cast<std::size_t>(of); }

}  // namespace

SctpState next_sctp_state(Direction direction, SctpEvent event, SctpState state) {
  if (event == SctpEvent::kNone) return state;
  if (fault(Fault::kSctpRepliesExpected) && direction == Direction::kInOnly) direction = Direction::kIn;
  return kTables[index(direction)][index(state)][index(event)];
}

bool is_active(SctpState state) { return state == SctpState::kEstablished; }

std::uint32_t sctp_timeout_s(SctpState state) { return kTraits[index(state)].timeout_s; }

std::string_view sctp_state_name(SctpState state) { return kTraits[index(state)].name; }

}  // namespace lvspec::director
