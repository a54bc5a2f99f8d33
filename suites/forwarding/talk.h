#pragma once

#include <string>

#include "harness/base/file_descriptor.h"
#include "harness/base/ip_address.h"
#include "harness/netns/namespace.h"

namespace lvspec {

/// A TCP connection whose both ends a case holds, for protocols that the real servers do not speak. Every call throws
/// WorldError if nothing comes of it for a while.
class Talk {
 public:
  static Talk connect(const NetworkNamespace& from, const Endpoint& source, const Endpoint& target);

  void say(const std::string& text);
  /// The next line, with its end.
  std::string hear();
  Endpoint peer() const;

 private:
  friend class Listener;
  explicit Talk(FileDescriptor socket) : socket_(std::move(socket)) {}

  FileDescriptor socket_;
  std::string unread_;
};

/// Waits for connections at one address.
class Listener {
 public:
  Listener(const NetworkNamespace& netns, const Endpoint& at);
  Talk accept();

 private:
  FileDescriptor socket_;
};

}  // namespace lvspec
