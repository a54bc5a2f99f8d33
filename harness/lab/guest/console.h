#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "harness/base/file_descriptor.h"
#include "harness/base/result.h"

namespace lvspec {

/// How a guest ended that ended well.
struct GuestExit {
  int status = 0;                        ///< what the guest's body returned
  std::chrono::milliseconds wall{};      ///< the host's time from exec to the end of the guest's process
  std::chrono::milliseconds virtual_{};  ///< the guest's time from its boot to its report
};

/// The last lines of a console, without empty ones and carriage returns, each behind "  | ".
std::string tail_of(const std::string& text, std::size_t lines);

/// A guest's console as it grows: a file, not a pipe, since a guest must never wait for us to read; that wait would
/// show in its clock.
class GuestConsole {
 public:
  /// @param path  where to keep it; empty: in a file without a name in `scratch`, which inotify sees grow (memory
  ///              files it does not see).
  static Result<GuestConsole> open(const std::string& path, const std::string& scratch = "/tmp");

  int fd() const { return file_.get(); }
  /// Takes in what has come since; each whole line but the report goes to `on_line`, if there is one.
  void read(const std::function<void(std::string_view)>& on_line);
  const std::string& text() const { return text_; }
  bool contains(std::string_view words) const { return text_.find(words) != std::string::npos; }

  /// How the guest came out, or the reason why it did not: a panic, or an end before its work was done.
  /// @param ended_well  its process ended as one that powered off.
  /// @param ended       how its process ended, in words: "exited with 0".
  Result<GuestExit> verdict(bool ended_well, const std::string& ended) const;

 private:
  explicit GuestConsole(FileDescriptor file) : file_(std::move(file)) {}

  FileDescriptor file_;
  std::string text_;
  std::size_t line_start_ = 0;  // in text_, of the line that has not ended yet
  std::optional<GuestExit> reported_;
};

}  // namespace lvspec
