#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/ruleset/read.h"

/// What a user has written, or a kernel has, with the place of each part. Unlike a Ruleset it remembers *how* things
/// were said, because that is where traps lie: `-p` without a number, a port that the front end drops.
namespace lvspec::doctor {

/// "keepalived.conf:12"; of a table, which has no lines, its name alone.
struct Place {
  std::string file;
  int line = 0;  ///< from 1; 0: none

  std::string str() const;
  bool operator==(const Place&) const = default;
};

/// Who gives a persistent service its window.
enum class WindowFrom {
  kNumber,       ///< -p 600, persistence_timeout 600
  kBareOption,   ///< -p, persistence_timeout: the program's 360 s (ADM-33)
  kGranularity,  ///< keepalived: persistence_granularity alone switches persistence on
  kPortZero,     ///< keepalived: so does port 0
};

struct PlacedServer {
  RealServer server;
  Place place;
  std::optional<std::uint16_t> typed_port{};  ///< as written, which may not be what is used (DST-10)
  bool inhibit_on_failure = false;            ///< keepalived: weight 0 instead of removal when a check fails
};

struct PlacedService {
  VirtualService service;  ///< without servers
  Place place;
  std::vector<PlacedServer> servers{};
  WindowFrom window_from = WindowFrom::kNumber;
  /// Where the window, the mask and the scheduler are said; absent: where the service is.
  std::optional<Place> window_place{}, mask_place{}, scheduler_place{};
  std::string mask_text{};              ///< as written; empty: not written
  std::optional<PlacedServer> sorry{};  ///< keepalived: replaces all servers when too few are left

  bool persistent() const { return service.persistent_s.has_value(); }
  const ServiceId& id() const { return service.id; }
};

struct PlacedMark {
  MarkRule rule;
  Place place;
};

/// A command that changes or takes away what an earlier line has made; clients may have come in between.
struct Change {
  Place place;
  Command command;
  std::optional<VirtualService> before{};  ///< the service that it meets
  std::optional<RealServer> server_before{};
  bool scheduler_typed = false;  ///< whether the line says -s
};

/// A line that the program it is for would refuse; it changes nothing, and what follows it still counts.
struct Refusal {
  Place place;
  std::string text;  ///< `"TOKEN": what is wrong; what to do`
};

enum class Source { kScript, kKeepalived, kLive };

struct Configuration {
  Source source = Source::kScript;
  std::vector<PlacedService> services{};
  std::vector<PlacedMark> marks{};
  std::vector<Change> changes{};
  std::vector<Refusal> refusals{};
  std::optional<Place> sync_daemon{};  ///< keepalived's lvs_sync_daemon
  std::optional<Place> fail_over{};    ///< keepalived: the first vrrp_instance
  std::uint32_t tcp_fin_s = 120;       ///< how long a closed connection keeps its entry (CON-20)
  std::uint32_t udp_s = 300;           ///< how long a datagram keeps its entry (CON-30)

  const PlacedService* find(const ServiceId& id) const;
  PlacedService* find(const ServiceId& id);
};

/// Lines of ipvsadm-save, iptables-save, or a script of ipvsadm and iptables commands, carried out in turn.
/// @param file  the name that places carry
Configuration read_script(std::string_view text, const std::string& file);

}  // namespace lvspec::doctor
