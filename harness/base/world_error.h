#pragma once

#include <exception>
#include <string>
#include <utility>

#include "harness/base/result.h"

namespace lvspec {

/// A step of a case that the world refused. Steps read as sentences, "client connects, time passes", and a case has
/// nothing to say about a broken world: so this one error flies to whoever runs the case, who calls it HARNESS-ERROR
/// (or UNSUPPORTED). Only harness/lab throws it; everything below returns Result.
class WorldError : public std::exception {
 public:
  explicit WorldError(Error error) : error_(std::move(error)) {}
  const char* what() const noexcept override { return error_.message.c_str(); }
  const Error& error() const { return error_; }

 private:
  Error error_;
};

/// The value of a step, or WorldError.
template <typename T>
T must(Result<T> result) {
  if (!result.ok()) throw WorldError(result.error());
  return std::move(result).value();
}
inline void must(Status status) {
  if (!status.ok()) throw WorldError(status.error());
}

}  // namespace lvspec
