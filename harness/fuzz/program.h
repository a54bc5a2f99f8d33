#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "harness/base/ip_address.h"
#include "harness/ruleset/read.h"
#include "harness/ruleset/ruleset.h"

/// Programs that are played on two directors, and what comes of it.
namespace lvspec::fuzz {

/// `sysctl -w net.ipv4.vs.NAME=VALUE`
struct SetSysctl {
  std::string name;
  int value = 0;
  bool operator==(const SetSysctl&) const = default;
};

/// `ipvsadm --set`, in seconds; 0 keeps.
struct SetTimeouts {
  std::uint32_t tcp = 0, tcp_fin = 0, udp = 0;
  bool operator==(const SetTimeouts&) const = default;
};

/// All rules of the mangle table, anew.
struct SetMarks {
  std::vector<MarkRule> rules;
  bool operator==(const SetMarks&) const = default;
};

/// How far a client goes with a connection, and how it ends it.
enum class Shape {
  kSyn,          ///< a SYN, then silence
  kOpen,         ///< a handshake; the connection stays open
  kNothingSaid,  ///< a handshake, then the client closes
  kClientFirst,  ///< a question, then the client closes first
  kServerFirst,  ///< a question; the server closes first
  kHalfClose,    ///< the client closes its half and goes on acknowledging what comes
  kReset,        ///< a question, then a RST
};
inline constexpr int kShapes = 7;

/// A TCP connection. A client whose SYN did not reach a server sends nothing more.
struct Connect {
  Endpoint client, target;
  Shape shape = Shape::kClientFirst;
  bool operator==(const Connect&) const = default;
};

/// One more segment of a connection that was opened, or of none: then it is out of the blue.
struct Segment {
  Endpoint client, target;
  std::string flags;  ///< of "SFRPA", as hping3 and tcpdump name them
  bool operator==(const Segment&) const = default;
};

struct Datagram {
  Endpoint client, target;
  bool operator==(const Datagram&) const = default;
};

struct Pause {
  std::uint32_t seconds = 1;
  bool operator==(const Pause&) const = default;
};

/// What a program is made of. Nothing in it depends on what came before.
using Step = std::variant<Command, SetSysctl, SetTimeouts, SetMarks, Connect, Segment, Datagram, Pause>;

struct Program {
  std::uint64_t seed = 0;  ///< what it was made from; 0: not generated
  std::vector<Step> steps;
  bool operator==(const Program&) const = default;
};

/// "client-first" and the like.
const std::string& name_of(Shape shape);
/// Error (usage): names the word and those that there are.
Result<Shape> shape_named(const std::string& name);

}  // namespace lvspec::fuzz
