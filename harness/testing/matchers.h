#pragma once

#include <gmock/gmock.h>

#include <chrono>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "harness/adapters/tables.h"
#include "harness/base/result.h"
#include "harness/probe/answer.h"
#include "harness/testing/recorder.h"

namespace lvspec {

// GoogleTest prints with these; without them a failure would say "40-byte object".
inline void PrintTo(const Answer& answer, std::ostream* out) { *out << answer; }
inline void PrintTo(const Entry& entry, std::ostream* out) { *out << entry; }
inline void PrintTo(const ServerState& server, std::ostream* out) { *out << server; }
inline void PrintTo(const Status& status, std::ostream* out) {
  *out << (status.ok() ? "ok" : status.error().message);
}

}  // namespace lvspec

namespace lvspec::testing {

/// Some real server said who it is.
MATCHER(Answered, negation ? "is not answered" : "is answered by a real server") {
  return arg.outcome == Outcome::kAnswered;
}

/// A real server answered, and its name is `server`: a name, or a matcher of names.
MATCHER_P(ServedBy, server,
          (negation ? "is not served by a server that " : "is served by a server that ") +
              ::testing::DescribeMatcher<std::string>(server)) {
  if (arg.outcome != Outcome::kAnswered && arg.outcome != Outcome::kHalfOpen) return false;
  const bool served = ::testing::ExplainMatchResult(server, arg.server, result_listener);
  if (served) Recorder::current().served();
  return served;
}

/// Several answers, from at least `count` different servers.
MATCHER_P(SpreadOverAtLeast, count,
          (negation ? "is not spread over at least " : "is spread over at least ") + ::testing::PrintToString(count) +
              " servers") {
  std::set<std::string> servers;
  for (const Answer& answer : arg)
    if (answer.outcome == Outcome::kAnswered) servers.insert(answer.server);
  *result_listener << "servers " << ::testing::PrintToString(servers);
  return servers.size() >= static_cast<std::size_t>(count);
}

/// ECONNREFUSED: a RST, or ICMP port unreachable.
MATCHER(Refused, negation ? "is not refused" : "is refused (RST or ICMP port unreachable)") {
  return arg.outcome == Outcome::kRefused;
}

/// The connection was up and then reset.
MATCHER(Reset, negation ? "is not reset" : "is reset") { return arg.outcome == Outcome::kReset; }

/// Nothing came back.
MATCHER(Unanswered, negation ? "is not met with silence" : "is met with silence") {
  return arg.outcome == Outcome::kSilence;
}

/// A SYN was answered, by whoever.
MATCHER(HalfOpen, negation ? "is not half open" : "gets a SYN-ACK") { return arg.outcome == Outcome::kHalfOpen; }

/// An order was obeyed.
MATCHER(Obeyed, negation ? "is refused" : "is obeyed") { return arg.ok(); }

/// An order was refused, in words that match.
MATCHER_P(RefusedSaying, words,
          "is refused, saying something that " + ::testing::DescribeMatcher<std::string>(words)) {
  return !arg.ok() && ::testing::ExplainMatchResult(words, arg.error().message, result_listener);
}

/// Parts of an entry that a case cares about; a part left out fits everything.
struct EntryParts {
  std::optional<std::string> protocol{};
  std::optional<IpAddress> client{};
  std::optional<std::uint16_t> cport{};
  std::optional<IpAddress> vip{};
  std::optional<std::uint16_t> vport{};
  std::optional<IpAddress> server{};
  std::optional<std::uint16_t> sport{};
  std::optional<std::string> state{};
  std::optional<std::string> engine_data{};
  std::optional<std::chrono::seconds> expires{};  ///< at most this, and less than a second before it
};

bool fits(const Entry& entry, const EntryParts& parts);
std::string describe(const EntryParts& parts);

/// A template of which these parts are so.
MATCHER_P(TemplateOf, parts, (negation ? "is not a template of " : "is a template of ") + describe(parts)) {
  return arg.is_template && fits(arg, parts);
}

/// A connection entry of which these parts are so.
MATCHER_P(ConnectionOf, parts, (negation ? "is not a connection of " : "is a connection of ") + describe(parts)) {
  return !arg.is_template && fits(arg, parts);
}

}  // namespace lvspec::testing
