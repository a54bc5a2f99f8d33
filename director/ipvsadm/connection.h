#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/base/file_descriptor.h"
#include "harness/base/result.h"

namespace lvspec::ipvsadm {

/// A conversation with a director over its control socket (director/control/protocol.h).
class Connection {
 public:
  /// @param where  a path, or "@name" for an abstract socket of this network namespace.
  /// Errors name the socket and say what to do.
  static Result<Connection> open(const std::string& where,
                                 std::chrono::milliseconds patience = std::chrono::seconds(10));

  /// One request and its reply, whatever that says. Error: the director is gone, hangs, or does not speak the
  /// protocol.
  Result<nlohmann::json> ask(const nlohmann::json& request);

 private:
  Connection(std::string where, FileDescriptor socket, std::chrono::milliseconds patience)
      : where_(std::move(where)), socket_(std::move(socket)), patience_(patience) {}

  std::string where_;
  FileDescriptor socket_;
  std::chrono::milliseconds patience_;
  std::string unread_;
};

}  // namespace lvspec::ipvsadm
