#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "director/control/sync_daemons.h"
#include "director/core/director.h"

namespace lvspec::director {

/// What the control socket may ask of the process around the core.
class Clock {
 public:
  /// A manual clock stands still until advanced; a real one runs with CLOCK_MONOTONIC, plus what it was advanced by.
  explicit Clock(bool manual);
  DirectorTime now() const;
  void advance(Duration step) {
    offset_ += step;
    on_advance();
  }
  /// Before anybody else learns of the new time: what was due on the way there.
  std::function<void()> on_advance = [] {};
  bool manual() const { return manual_; }

 private:
  bool manual_;
  std::int64_t start_ns_;
  Duration offset_{0};
};

/// Answers requests of protocol.h. Knows nothing of sockets: a line in, a line out.
class Control {
 public:
  Control(Director& director, Clock& clock) : director_(director), clock_(clock) {}

  /// @return the reply, without a newline; empty while the request waits for a fence (on_fence then says the rest).
  std::string answer(int connection, const std::string& line);
  /// A fence was seen on the wire. @return the replies that waited for it: connection and line.
  std::vector<std::pair<int, std::string>> on_fence(std::uint64_t token);
  bool stopped() const { return stopped_; }
  /// Who carries out orders about sync daemons; null: they are not supported.
  SyncDaemons* sync = nullptr;
  /// Called with one line for each thing that is done, for the director's log.
  std::function<void(const std::string&)> log = [](const std::string&) {};
  /// What became of frames, by name; part of the reply to "dump".
  std::function<std::map<std::string, std::uint64_t>()> frame_counts = [] {
    return std::map<std::string, std::uint64_t>();
  };

 private:
  Director& director_;
  Clock& clock_;
  bool stopped_ = false;
  std::set<std::uint64_t> fences_seen_;
  std::vector<std::pair<int, std::uint64_t>> waiting_;
};

}  // namespace lvspec::director
