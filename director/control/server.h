#pragma once

#include <poll.h>

#include <map>
#include <string>
#include <vector>

#include "director/control/control.h"

namespace lvspec::director {

/// The control socket: Unix stream connections that carry lines to Control and its replies back.
class ControlServer {
 public:
  /// @param where  "fd:N" for a connected socket that was inherited, else a path to listen on, or "@name" for an
  /// abstract
  ///               socket of the network namespace. A path must not exist; it is removed at the end.
  /// @throws std::system_error
  ControlServer(Control& control, const std::string& where);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// What to poll for: the listener and every connection.
  std::vector<pollfd> interests() const;
  /// Reads what `fd` has and answers every whole line.
  void serve(int fd);
  /// Hands out the replies that waited for this fence.
  void fence(std::uint64_t token);
  /// An inherited connection has ended: whoever started us is gone.
  bool orphaned() const { return inherited_ && connections_.empty(); }

 private:
  void reply(int fd, const std::string& line);

  Control& control_;
  std::string path_;
  int listener_ = -1;
  bool inherited_ = false;
  std::map<int, std::string> connections_;  ///< descriptor and the line that is not whole yet
};

}  // namespace lvspec::director
