#pragma once

#include <string>

#include "harness/base/file_descriptor.h"
#include "harness/base/result.h"

namespace lvspec {

/// One network namespace, held by descriptor alone: nothing under /run/netns, so that when the last descriptor goes,
/// by close or by SIGKILL, the namespace goes too.
class NetworkNamespace {
 public:
  /// A new, empty namespace (loopback down). `name` appears in error messages only.
  static Result<NetworkNamespace> create(std::string name);
  /// The namespace that the calling thread is in.
  static Result<NetworkNamespace> current(std::string name);

  int fd() const { return fd_.get(); }
  const std::string& name() const { return name_; }

  /// Runs `function` with the calling thread inside this namespace and brings the thread back, whatever happens.
  /// For making sockets: a socket stays in the namespace it was made in, whoever uses it afterwards. Not for
  /// starting threads. @return the function's own Result, or the error of setns.
  template <typename Function>
  auto call(Function&& function) const -> decltype(function()) {
    LVSPEC_ASSIGN(const Entered entered, enter());
    return function();
  }

 private:
  /// The stay of one thread in a namespace; its end leads back. Not being able to go back is a bug of ours (checked).
  class Entered {
   public:
    explicit Entered(FileDescriptor home) : home_(std::move(home)) {}
    Entered(Entered&&) = default;
    ~Entered();

   private:
    FileDescriptor home_;
  };

  NetworkNamespace(std::string name, FileDescriptor fd) : name_(std::move(name)), fd_(std::move(fd)) {}
  Result<Entered> enter() const;

  std::string name_;
  FileDescriptor fd_;
};

/// Makes this process able to create namespaces: as it is where it has CAP_SYS_ADMIN, else through a user namespace
/// of its own in which it is root. Call it once, before any thread is started.
/// Error: one message that says which of the two ways failed, how, and what to change on the machine.
Status become_able_to_create_namespaces();

}  // namespace lvspec
