#pragma once

#include <string>
#include <vector>

#include "director/control/protocol.h"
#include "director/core/time.h"

namespace lvspec::director {

/// Why an order was not carried out: a stable code for programs, and ipvsadm's words. Both empty: it was.
struct Refusal {
  std::string code, text;
  bool none() const { return code.empty(); }
};

/// The sync daemons of this director as orders see them; what they do is written in director/io.
class SyncDaemons {
 public:
  /// At most one of each role runs. Refused (SYN-14): it already runs; no such interface; nonsense.
  virtual Refusal start(const protocol::Daemon& daemon) = 0;
  virtual Refusal stop(const std::string& role) = 0;
  /// Master before backup.
  virtual std::vector<protocol::Daemon> list() const = 0;
  /// Sends what has waited long enough by `now` (SYN-02).
  virtual void flush_due(DirectorTime now) = 0;

 protected:
  ~SyncDaemons() = default;
};

}  // namespace lvspec::director
