#pragma once

#include <string>
#include <vector>

#include "harness/fuzz/player.h"

namespace lvspec::fuzz {

/// A director to be compared. "ipvs" lives in a user-mode-linux guest, whose time is its own; "bundled" in namespaces
/// of this machine, and is told the time.
struct Side {
  std::string director;
  std::string fault;  ///< deliberately broken; empty: not
};

/// How programs get to where they are played: a process of ours that plays a file of them (play_file).
struct Stage {
  std::string program;                                              ///< "lvspec", whose hidden command does it
  std::string scratch;                                              ///< a directory for files, ours alone
  std::chrono::milliseconds time_limit = std::chrono::minutes(10);  ///< for one batch
};

/// Plays all of them. A side that does not keep its own time goes through the ticks of `leader`, if there is one, as
/// far as that came. Errors: no guest can be booted here, no namespaces, ...
Result<std::vector<Record>> play_on(const Side& side, const std::vector<Program>& programs,
                                    const std::vector<Record>* leader, const Stage& stage);

/// What the hidden command was told.
struct FileOrders {
  Side side;
  std::string programs, records, leader;  ///< paths; `leader` may be empty
};

/// The other end of play_on(): reads, plays, writes. As PID 1 of a guest it never returns.
/// @return  the exit status
int play_file(const FileOrders& orders, const DirectorFactory& director);

/// HZ of the kernel in the guest, whose ticks all records count.
inline constexpr int kHz = 100;

}  // namespace lvspec::fuzz
