#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "harness/base/check.h"

namespace lvspec {

/// Who has to act on an error; decides the verdict and the exit status, never the text.
enum class ErrorKind {
  kWorld,        ///< the machine refused: a syscall, netlink, a child process, curl
  kDirector,     ///< the director under test did, or refused, what no case can go on from: its fault, not ours
  kUnsupported,  ///< the director under test does not claim to do this
  kUsage,        ///< the user's input: an option, a ruleset line
  kEnvironment,  ///< this machine, or this lab, lacks what is needed; the text names it
};

/// What was attempted, on what, and why it failed: "client1: setns(CLONE_NEWNET): EPERM (Operation not permitted)".
struct Error {
  std::string message;
  ErrorKind kind = ErrorKind::kWorld;

  /// The same error, seen from further out: "context: message".
  Error in(const std::string& context) const { return {context + ": " + message, kind}; }
};

/// "ENOENT (No such file or directory)" for an errno value.
std::string errno_text(int error);

/// Error of a failed system call, from errno: `attempt` is the call as it was made.
Error system_error(const std::string& attempt, int error);
Error system_error(const std::string& attempt);

inline Error usage_error(std::string message) { return {std::move(message), ErrorKind::kUsage}; }
inline Error director_error(std::string message) { return {std::move(message), ErrorKind::kDirector}; }
inline Error environment_error(std::string message) { return {std::move(message), ErrorKind::kEnvironment}; }
inline Error unsupported(std::string message) { return {std::move(message), ErrorKind::kUnsupported}; }

/// A value, or the error that kept us from it. Reading the wrong side stops the program (a bug of ours).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    LVSPEC_CHECK_OK(*this);
    return std::get<0>(state_);
  }
  const T& value() const& {
    LVSPEC_CHECK_OK(*this);
    return std::get<0>(state_);
  }
  T&& value() && {
    LVSPEC_CHECK_OK(*this);
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

/// Success without a value, or an error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

#define LVSPEC_CONCAT_INNER(a, b) a##b
#define LVSPEC_CONCAT(a, b) LVSPEC_CONCAT_INNER(a, b)

/// Leaves the function with the error, if there is one.
#define LVSPEC_TRY(expression)                                                                \
  do {                                                                                        \
    if (auto lvspec_status = (expression); !lvspec_status.ok()) return lvspec_status.error(); \
  } while (false)

/// `LVSPEC_ASSIGN(auto fd, open_it())`: binds the value or leaves the function with the error.
#define LVSPEC_ASSIGN(declaration, expression) \
  LVSPEC_ASSIGN_INNER(LVSPEC_CONCAT(lvspec_result_, __LINE__), declaration, expression)
#define LVSPEC_ASSIGN_INNER(result, declaration, expression) \
  auto result = (expression);                                \
  if (!result.ok()) return result.error();                   \
  declaration = std::move(result).value()

}  // namespace lvspec
