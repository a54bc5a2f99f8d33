#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/testing/fixture.h"

namespace lvspec {

using namespace std::chrono_literals;
using ::testing::AllOf;
using testing::Answered;
using testing::ConnectionOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::EntryParts;
using ::testing::Eq;
using ::testing::Ge;
using testing::HalfOpen;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Ne;
using ::testing::Not;
using testing::Obeyed;
using testing::Refused;
using testing::RefusedSaying;
using testing::Reset;
using testing::ServedBy;
using ::testing::SizeIs;
using testing::SpreadOverAtLeast;
using testing::TemplateOf;
using testing::Unanswered;

inline const IpAddress kVip = IpAddress::of("198.51.100.10");
inline const IpAddress kSecondVip = IpAddress::of("198.51.100.20");
inline const IpAddress kVip6 = IpAddress::of("2001:db8:51::10");

/// The names of those who answered, in order; "-" where nobody did.
std::vector<std::string> names(const std::vector<Answer>& answers);

/// One connection while `server` has weight 0, and its weight is 1 again afterwards. A template goes on leading there
/// (VAL-03) and a scheduler never does (DST-12), so the answer tells whether the director still remembers the client;
/// three equal answers in a row could be luck.
Answer connect_while_quiescent(Bench& bench, const ServiceId& service, BenchClient client, const IpAddress& vip,
                               std::uint16_t port, const std::string& server);

/// As above, over UDP.
Answer udp_while_quiescent(Bench& bench, const ServiceId& service, BenchClient client, const IpAddress& vip,
                           std::uint16_t port, const std::string& server);

/// A server of a service with another weight, as `ipvsadm -e` wants it.
RealServer with_weight(const Bench& bench, const ServiceId& service, const std::string& server, int weight);

/// How long to wait until a timer of this length has fired for sure: kernels are late by a granule, never early
/// (TIM-01, TIM-02).
std::chrono::nanoseconds past(const Bench& bench, std::chrono::nanoseconds interval);

/// The services and marks of a file below fixtures/; reading it is a case of its own.
Result<Ruleset> read_fixture(const std::string& name);
Ruleset fixture_rules(const std::string& name);

}  // namespace lvspec
