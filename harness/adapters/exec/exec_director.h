#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/adapters/director_under_test.h"
#include "harness/adapters/wire_fence.h"
#include "harness/base/file_descriptor.h"
#include "harness/process/child.h"
#include "harness/ruleset/read.h"

namespace lvspec {

struct ExecOptions {
  std::string command;  ///< what /bin/sh is to run: all of "exec:CMD" after the colon
  std::string keeper;   ///< path of lvspec-keeper
  std::string folder;   ///< where the command runs; empty: where we are
  /// How long a reply may take; who waits longer waits for a hang.
  std::chrono::milliseconds patience{5000};
  bool real_time = false;  ///< time passes for real: waits that nobody would sit through are refused
  bool ask_all = false;    ///< orders that the program does not claim go to it all the same
};

/// A program that speaks the contract of README.md, one request at a time. It lives under lvspec-keeper, so whatever
/// it starts ends with it.
class ExecSession {
 public:
  /// @param netns  where the program runs; nullptr: where we are
  static Result<std::unique_ptr<ExecSession>> start(const ExecOptions& options, const NetworkNamespace* netns);
  /// Closes its stdin and gives it a moment before it is ended.
  ~ExecSession();

  /// A request and its reply, which is an object with "ok" and, if that is false, "error".
  /// Error (kWorld): it died, hangs, or answers what is not the contract; with its last words.
  Result<nlohmann::json> exchange(const nlohmann::json& request);
  /// As exchange; a refusal is an error, kUnsupported or kDirector, in the program's own words.
  Result<nlohmann::json> order(const nlohmann::json& request);
  /// One line as it is, and the line that answers, for those who test the contract.
  Result<std::string> exchange_text(const std::string& line, const std::string& verb);

  /// How the program ended, and what it left behind, in words.
  struct End {
    std::string how;                ///< "exited with 0"
    std::vector<std::string> left;  ///< "process sleep", "file lock", "namespace blue"
  };
  /// Closes its stdin, waits for its end. Error: it did not end within `patience`, and was ended.
  Result<End> close(std::chrono::milliseconds patience);
  std::string log() const { return child_.output(); }
  /// Whether it has died, hung or said what is no reply; there is no talking to it any more.
  bool is_lost() const { return lost_; }
  const std::string& command() const { return command_; }

 private:
  ExecSession(std::string command, Child child, FileDescriptor to, FileDescriptor from, FileDescriptor report,
              std::chrono::milliseconds patience)
      : command_(std::move(command)),
        child_(std::move(child)),
        to_(std::move(to)),
        from_(std::move(from)),
        report_(std::move(report)),
        patience_(patience) {}
  Error lost(const std::string& verb, const std::string& how);

  std::string command_;
  Child child_;
  FileDescriptor to_, from_, report_;
  std::chrono::milliseconds patience_;
  std::string unread_;
  bool lost_ = false;
};

/// What the program says of itself, without a world to run in.
Result<DirectorIdentity> exec_identity(const ExecOptions& options);

/// A director behind such a program. Orders go to it one by one if it claims "edit", else as a whole ruleset each
/// time.
class ExecDirector : public DirectorUnderTest {
 public:
  static Result<std::unique_ptr<ExecDirector>> start(const DirectorSite& site, const ExecOptions& options);
  ~ExecDirector() override;

  const DirectorIdentity& identity() const override { return identity_; }
  Status add_service(const VirtualService& service) override;
  Status edit_service(const VirtualService& service) override;
  Status remove_service(const ServiceId& id) override;
  Status add_server(const ServiceId& service, const RealServer& server) override;
  Status edit_server(const ServiceId& service, const RealServer& server) override;
  Status remove_server(const ServiceId& service, const Endpoint& server) override;
  Status clear() override;
  Status set_marks(const std::vector<MarkRule>& rules) override;
  Status set_sysctl(const std::string& name, int value) override;
  Status set_timeouts(std::uint32_t tcp, std::uint32_t tcp_fin, std::uint32_t udp) override;
  Status zero() override;
  Status start_daemon(const SyncDaemon& daemon) override;
  Status stop_daemon(SyncRole role) override;
  Result<Tables> tables() override;
  Status await_fence(std::uint64_t token) override;
  /// By message for one that claims "clock"; else it sleeps, at no cost where a guest's time jumps over idleness.
  Status advance(std::chrono::nanoseconds step) override;
  std::chrono::nanoseconds granule(std::chrono::nanoseconds interval) const override;
  std::string log() const override { return session_->log(); }
  /// The ruleset that it was last told, as it was told.
  std::string configuration() const override { return configuration_; }

  ExecSession& session() { return *session_; }
  Status apply_whole(const Ruleset& ruleset);

 private:
  ExecDirector(std::unique_ptr<ExecSession> session, DirectorIdentity identity, WireFence fence, ExecOptions options)
      : session_(std::move(session)),
        identity_(std::move(identity)),
        fence_(std::move(fence)),
        options_(std::move(options)) {}

  Error unclaimed(const std::string& what) const;
  /// Does `command` to our copy of the ruleset, and tells the program.
  Status change(const Command& command, nlohmann::json edit);

  std::unique_ptr<ExecSession> session_;
  DirectorIdentity identity_;
  WireFence fence_;
  ExecOptions options_;
  Ruleset wanted_;
  std::string configuration_;
};

}  // namespace lvspec
