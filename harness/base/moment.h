#pragma once

#include <string>

namespace lvspec {

/// What kind of thing happened at one moment of a case.
enum class MomentKind {
  kWorld,       ///< a world was built: `what` is "2 clients, 3 real servers, direct routing"; its time begins at 0
  kAnswer,      ///< client `who` asked `what`, and server `by` answered
  kNoAnswer,    ///< client `who` asked `what`, and what came of it is `by`: "refused", "silence"
  kSent,        ///< client `who` sent `what`, and listened for nothing
  kEdit,        ///< somebody told the director, or did to a server, what `what` says
  kStep,        ///< a step that a case takes by its own means
  kTemplate,    ///< a look at the tables: the template of client `who` for `what` leads to `by`, `left_s` from now
  kNoTemplate,  ///< a look at the tables: there is no template
  kGap,         ///< `times` moments are left out here
};

/// One point on the line of a case's time, for a picture: what evidence tells at length, in a few words.
struct Moment {
  MomentKind kind = MomentKind::kStep;
  double at_s = 0;     ///< protocol time since the world was built
  std::string who{};   ///< the client's address
  std::string what{};  ///< "connect 198.51.100.10:80"
  std::string by{};    ///< "real2", or the outcome
  double left_s = 0;   ///< of a template
  int times = 1;       ///< so many alike at this moment

  /// Whether the two say the same but for their time and number.
  bool is_like(const Moment& other) const {
    return kind == other.kind && who == other.who && what == other.what && by == other.by && left_s == other.left_s;
  }
};

}  // namespace lvspec
