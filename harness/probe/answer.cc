#include "harness/probe/answer.h"

#include <ostream>

namespace lvspec {

std::ostream& operator<<(std::ostream& out, Outcome outcome) {
  switch (outcome) {
    case Outcome::kAnswered:
      return out << "answered";
    case Outcome::kRefused:
      return out << "refused";
    case Outcome::kReset:
      return out << "reset";
    case Outcome::kUnreachable:
      return out << "unreachable";
    case Outcome::kSilence:
      return out << "silence";
    case Outcome::kHalfOpen:
      return out << "half open";
  }
  return out << "Outcome(" << static_cast<int>(outcome) << ")";
}

std::ostream& operator<<(std::ostream& out, const Answer& answer) {
  out << answer.outcome;
  if (answer.outcome == Outcome::kAnswered || answer.outcome == Outcome::kHalfOpen) {
    out << (answer.outcome == Outcome::kAnswered ? " by " : " with ");
    if (answer.server.empty()) {
      out << "a stranger";
    } else {
      out << '"' << answer.server << '"';
    }
  }
  out << ", " << answer.client << " -> " << answer.target;
  const bool translated = answer.seen_client != Endpoint{} && answer.seen_client != answer.client;
  if (translated) out << ", seen there as " << answer.seen_client;
  if (!answer.detail.empty()) out << ": " << answer.detail;
  return out;
}

}  // namespace lvspec
