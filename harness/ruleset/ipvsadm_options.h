#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Inside of the reader: the grammar of ipvsadm 1.31 as tables (ADM-30, ADM-31). No behaviour but look-ups.
namespace lvspec::ruleset {

/// What several spellings of an option have in common: ipvsadm counts and forbids options by these, and its messages
/// use their names. The order is the program's own, and decides which of several mistakes it reports.
enum class OptionGroup : std::uint8_t {
  kNumeric,
  kConnection,
  kService,
  kScheduler,
  kPersistent,
  kNetmask,
  kRealServer,
  kForward,
  kWeight,
  kUpper,
  kLower,
  kMcastInterface,
  kTimeout,
  kDaemon,
  kStats,
  kRate,
  kThresholds,
  kPersistentConn,
  kNoSort,
  kSyncId,
  kExact,
  kOnePacket,
  kEngine,
  kSchedFlags,
  kMcastGroup,
  kMcastPort,
  kMcastTtl,
  kSyncMaxLen,
  kTunInfo,
  kTunType,
  kTunPort,
  kTunNoCsum,
  kTunCsum,
  kTunRemCsum,
  kUncounted,  ///< --sort and -6, which ipvsadm neither counts nor forbids
};

inline constexpr std::size_t kOptionGroups = static_cast<std::size_t>(OptionGroup::kUncounted);

/// As ipvsadm's messages call it: "service-address".
const char* group_name(OptionGroup group);

/// A set of groups.
using GroupMask = std::uint64_t;
constexpr GroupMask bit(OptionGroup group) { return GroupMask{1} << static_cast<unsigned>(group); }

enum class Value : std::uint8_t { kNone, kRequired, kOptional };

/// One option, whether command or not.
enum class Opt : std::uint8_t {
  kAddService,
  kEditService,
  kDeleteService,
  kClear,
  kAddServer,
  kEditServer,
  kDeleteServer,
  kList,  ///< from here on commands that change no service, and have no place in a ruleset
  kZero,
  kSave,
  kRestore,
  kSetTimeouts,
  kStartDaemon,
  kStopDaemon,
  kHelp,
  kVersion,
  kTcp,
  kUdp,
  kSctp,
  kFwmark,
  kIpv6,
  kScheduler,
  kPersistent,
  kNetmask,
  kOnePacket,
  kEngine,
  kSchedFlags,
  kRealServer,
  kGatewaying,
  kIpip,
  kMasquerading,
  kWeight,
  kUpper,
  kLower,
  kTunType,
  kTunPort,
  kTunNoCsum,
  kTunCsum,
  kTunRemCsum,
  kNumeric,  ///< from here on options of those other commands only
  kConnection,
  kMcastInterface,
  kMcastGroup,
  kMcastPort,
  kMcastTtl,
  kSyncMaxLen,
  kSyncId,
  kTimeout,
  kDaemon,
  kStats,
  kRate,
  kThresholds,
  kPersistentConn,
  kNoSort,
  kSort,
  kExact,
  kTunInfo,
};

struct OptionSpec {
  Opt opt;
  char letter;       ///< 0: none
  const char* name;  ///< without the dashes
  Value value;
  OptionGroup group;  ///< without meaning for commands
};

/// @return nullptr if ipvsadm has no such option.
const OptionSpec* find_letter(char letter);
const OptionSpec* find_name(std::string_view name);

bool is_command(Opt opt);
/// Whether the command has a place in a ruleset.
bool changes_services(Opt opt);

struct CommandSpec {
  Opt opt;
  char letter;
  const char* name;  ///< as messages call it; -C is "flush" there
  GroupMask required;
  GroupMask optional;
  GroupMask exclusive = 0;  ///< of these at most one
};

/// @return nullptr for -h and -v, which look no further, and for options.
const CommandSpec* find_command(Opt opt);

/// Every long option with its dashes, for "did you mean".
std::vector<std::string> long_options();

}  // namespace lvspec::ruleset
