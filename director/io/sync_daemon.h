#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "director/control/control.h"
#include "director/control/sync_daemons.h"
#include "director/core/director.h"
#include "director/core/sync_message.h"
#include "director/io/neighbours.h"

namespace lvspec::director {

/// Master and backup of this director: sync messages to and from a multicast group, by ordinary UDP sockets in the
/// director's namespace that are bound to the daemon's interface (SYN-01).
///
/// Where the director stands between wire and stack, its side of the wire has no address: the DIP belongs to the
/// stack behind `stack0`. It needs none. Multicast is delivered to whoever has joined its group on the interface, and
/// goes out of the interface that the socket names without asking for a route or a neighbour; IP_TRANSPARENT lets the
/// socket speak as the DIP. The frames are seen by the forwarder as well, which passes them on to the stack, where
/// nobody listens.
///
/// All is told the time by the director's clock: with a manual clock the messages leave when it is moved.
class SyncDaemon final : public SyncDaemons, private SyncSink {
 public:
  /// @param own  addresses to speak as where the interface has none, the first of the group's family
  SyncDaemon(Director& director, Clock& clock, std::vector<FamilyAddress> own);
  ~SyncDaemon();
  SyncDaemon(const SyncDaemon&) = delete;
  SyncDaemon& operator=(const SyncDaemon&) = delete;

  Refusal start(const protocol::Daemon& daemon) override;
  Refusal stop(const std::string& role) override;
  std::vector<protocol::Daemon> list() const override;
  void flush_due(DirectorTime now) override;
  /// When flush_due() has something to do next.
  std::optional<DirectorTime> next_flush() const;

  /// What to poll for while a backup runs.
  std::vector<int> fds() const;
  /// Takes all messages that wait.
  void receive();

  /// Called once for each kind of thing that goes wrong with messages.
  std::function<void(const std::string&)> log = [](const std::string&) {};

 private:
  /// One port of a daemon: the kernel's thread.
  struct Channel;
  struct Role {
    protocol::Daemon daemon;
    std::vector<std::unique_ptr<Channel>> channels;
  };

  void add(DirectorTime now, const SyncEntry& entry) override;
  void open_message(Channel& channel, int version);
  void send(Channel& channel);
  void take(std::span<const std::byte> datagram);
  void note(const std::string& what);
  std::optional<Address> own(Family family) const;
  std::optional<Role>& role_of(const std::string& role) { return role == "master" ? master_ : backup_; }

  Director& director_;
  Clock& clock_;
  std::vector<FamilyAddress> own_;
  std::optional<Role> master_, backup_;
  std::size_t ports_ = 1;
  std::vector<std::byte> received_;
  std::set<std::string> noted_;
};

}  // namespace lvspec::director
