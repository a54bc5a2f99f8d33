#pragma once

#include <functional>
#include <memory>

#include "harness/fuzz/program.h"
#include "harness/fuzz/record.h"
#include "harness/lab/lab.h"

namespace lvspec::fuzz {

/// Whose time a program is played in.
class Pace {
 public:
  virtual ~Pace() = default;
  /// Before the director's namespace is made. @return the tick in which that is.
  virtual Result<std::int64_t> before_birth() = 0;
  /// The director is there.
  virtual Status after_birth(DirectorUnderTest& director) = 0;
  /// Before step `i` is carried out, after `pause` seconds (0 for anything but a pause). @return the tick it is then.
  virtual Result<std::int64_t> before_acting(DirectorUnderTest& director, std::size_t i, std::uint32_t pause) = 0;
  /// Before the tables are read. @return the tick, as above.
  virtual Result<std::int64_t> before_looking(DirectorUnderTest& director, std::size_t i) = 0;
  /// The tick now.
  virtual std::int64_t now() const = 0;
};

/// The kernel's own ticks: every action and every look begins with a new one.
std::unique_ptr<Pace> kernel_pace();
/// A director whose clock is moved by message goes through the same ticks as another one did before it.
std::unique_ptr<Pace> pace_of(Record leader, int hz);
/// ... or, leading, makes ticks of its own: each look and each action is a tick later than what was before.
std::unique_ptr<Pace> steady_pace(int hz);

/// Plays one program in a world of its own. Stops after a step that is blurred, and after one in which the director
/// died or could not be reached: then its outcome says so. Error: the world could not be built.
Result<Record> play(const Program& program, const DirectorFactory& director, Pace& pace);

}  // namespace lvspec::fuzz
