#include "harness/ruleset/ipvsadm_options.h"

#include <algorithm>

namespace lvspec::ruleset {
namespace {

using G = OptionGroup;

constexpr std::array<const char*, kOptionGroups> kGroupNames{"numeric",
                                                             "connection",
                                                             "service-address",
                                                             "scheduler",
                                                             "persistent",
                                                             "netmask",
                                                             "real-server",
                                                             "forwarding-method",
                                                             "weight",
                                                             "u-threshold",
                                                             "l-threshold",
                                                             "mcast-interface",
                                                             "timeout",
                                                             "daemon",
                                                             "stats",
                                                             "rate",
                                                             "thresholds",
                                                             "persistent-conn",
                                                             "nosort",
                                                             "syncid",
                                                             "exact",
                                                             "ops",
                                                             "pe",
                                                             "sched-flags",
                                                             "mcast-group",
                                                             "mcast-port",
                                                             "mcast-ttl",
                                                             "sync-maxlen",
                                                             "tun-info",
                                                             "tun-type",
                                                             "tun-port",
                                                             "tun-nocsum",
                                                             "tun-csum",
                                                             "tun-remcsum"};

constexpr std::array kOptions{
    OptionSpec{Opt::kAddService, 'A', "add-service", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kEditService, 'E', "edit-service", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kDeleteService, 'D', "delete-service", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kClear, 'C', "clear", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kAddServer, 'a', "add-server", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kEditServer, 'e', "edit-server", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kDeleteServer, 'd', "delete-server", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kList, 'L', "list", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kList, 'l', "list", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kZero, 'Z', "zero", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kSave, 'S', "save", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kRestore, 'R', "restore", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kHelp, 'h', "help", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kVersion, 'v', "version", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kSetTimeouts, 0, "set", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kStartDaemon, 0, "start-daemon", Value::kRequired, G::kUncounted},
    OptionSpec{Opt::kStopDaemon, 0, "stop-daemon", Value::kRequired, G::kUncounted},

    OptionSpec{Opt::kTcp, 't', "tcp-service", Value::kRequired, G::kService},
    OptionSpec{Opt::kUdp, 'u', "udp-service", Value::kRequired, G::kService},
    OptionSpec{Opt::kSctp, 0, "sctp-service", Value::kRequired, G::kService},
    OptionSpec{Opt::kFwmark, 'f', "fwmark-service", Value::kRequired, G::kService},
    OptionSpec{Opt::kIpv6, '6', "ipv6", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kScheduler, 's', "scheduler", Value::kRequired, G::kScheduler},
    OptionSpec{Opt::kPersistent, 'p', "persistent", Value::kOptional, G::kPersistent},
    OptionSpec{Opt::kNetmask, 'M', "netmask", Value::kRequired, G::kNetmask},
    OptionSpec{Opt::kOnePacket, 'o', "ops", Value::kNone, G::kOnePacket},
    OptionSpec{Opt::kEngine, 0, "pe", Value::kRequired, G::kEngine},
    OptionSpec{Opt::kSchedFlags, 'b', "sched-flags", Value::kRequired, G::kSchedFlags},
    OptionSpec{Opt::kRealServer, 'r', "real-server", Value::kRequired, G::kRealServer},
    OptionSpec{Opt::kGatewaying, 'g', "gatewaying", Value::kNone, G::kForward},
    OptionSpec{Opt::kIpip, 'i', "ipip", Value::kNone, G::kForward},
    OptionSpec{Opt::kMasquerading, 'm', "masquerading", Value::kNone, G::kForward},
    OptionSpec{Opt::kWeight, 'w', "weight", Value::kRequired, G::kWeight},
    OptionSpec{Opt::kUpper, 'x', "u-threshold", Value::kRequired, G::kUpper},
    OptionSpec{Opt::kLower, 'y', "l-threshold", Value::kRequired, G::kLower},
    OptionSpec{Opt::kTunType, 0, "tun-type", Value::kRequired, G::kTunType},
    OptionSpec{Opt::kTunPort, 0, "tun-port", Value::kRequired, G::kTunPort},
    OptionSpec{Opt::kTunNoCsum, 0, "tun-nocsum", Value::kNone, G::kTunNoCsum},
    OptionSpec{Opt::kTunCsum, 0, "tun-csum", Value::kNone, G::kTunCsum},
    OptionSpec{Opt::kTunRemCsum, 0, "tun-remcsum", Value::kNone, G::kTunRemCsum},

    OptionSpec{Opt::kNumeric, 'n', "numeric", Value::kNone, G::kNumeric},
    OptionSpec{Opt::kConnection, 'c', "connection", Value::kNone, G::kConnection},
    OptionSpec{Opt::kMcastInterface, 0, "mcast-interface", Value::kRequired, G::kMcastInterface},
    OptionSpec{Opt::kMcastGroup, 0, "mcast-group", Value::kRequired, G::kMcastGroup},
    OptionSpec{Opt::kMcastPort, 0, "mcast-port", Value::kRequired, G::kMcastPort},
    OptionSpec{Opt::kMcastTtl, 0, "mcast-ttl", Value::kRequired, G::kMcastTtl},
    OptionSpec{Opt::kSyncMaxLen, 0, "sync-maxlen", Value::kRequired, G::kSyncMaxLen},
    OptionSpec{Opt::kSyncId, 0, "syncid", Value::kRequired, G::kSyncId},
    OptionSpec{Opt::kTimeout, 0, "timeout", Value::kNone, G::kTimeout},
    OptionSpec{Opt::kDaemon, 0, "daemon", Value::kNone, G::kDaemon},
    OptionSpec{Opt::kStats, 0, "stats", Value::kNone, G::kStats},
    OptionSpec{Opt::kRate, 0, "rate", Value::kNone, G::kRate},
    OptionSpec{Opt::kThresholds, 0, "thresholds", Value::kNone, G::kThresholds},
    OptionSpec{Opt::kPersistentConn, 0, "persistent-conn", Value::kNone, G::kPersistentConn},
    OptionSpec{Opt::kNoSort, 0, "nosort", Value::kNone, G::kNoSort},
    OptionSpec{Opt::kSort, 0, "sort", Value::kNone, G::kUncounted},
    OptionSpec{Opt::kExact, 'X', "exact", Value::kNone, G::kExact},
    OptionSpec{Opt::kTunInfo, 0, "tun-info", Value::kNone, G::kTunInfo},
};

constexpr GroupMask kServiceOptions = bit(G::kScheduler) | bit(G::kPersistent) | bit(G::kNetmask) |
                                      bit(G::kOnePacket) | bit(G::kEngine) | bit(G::kSchedFlags);
constexpr GroupMask kServerOptions = bit(G::kForward) | bit(G::kWeight) | bit(G::kUpper) | bit(G::kLower) |
                                     bit(G::kTunType) | bit(G::kTunPort) | bit(G::kTunNoCsum) | bit(G::kTunCsum) |
                                     bit(G::kTunRemCsum);
constexpr GroupMask kServer = bit(G::kService) | bit(G::kRealServer);
constexpr GroupMask kOneListing = bit(G::kConnection) | bit(G::kService) | bit(G::kTimeout) | bit(G::kDaemon);
constexpr GroupMask kListOptions = kOneListing | bit(G::kNumeric) | bit(G::kStats) | bit(G::kRate) |
                                   bit(G::kThresholds) | bit(G::kPersistentConn) | bit(G::kNoSort) | bit(G::kExact) |
                                   bit(G::kTunInfo);
constexpr GroupMask kDaemonOptions = bit(G::kMcastInterface) | bit(G::kSyncId) | bit(G::kMcastGroup) |
                                     bit(G::kMcastPort) | bit(G::kMcastTtl) | bit(G::kSyncMaxLen);

constexpr std::array kCommands{
    CommandSpec{Opt::kAddService, 'A', "add-service", bit(G::kService), kServiceOptions},
    CommandSpec{Opt::kEditService, 'E', "edit-service", bit(G::kService), kServiceOptions},
    CommandSpec{Opt::kDeleteService, 'D', "delete-service", bit(G::kService), 0},
    CommandSpec{Opt::kClear, 'C', "flush", 0, 0},
    CommandSpec{Opt::kAddServer, 'a', "add-server", kServer, kServerOptions},
    CommandSpec{Opt::kEditServer, 'e', "edit-server", kServer, kServerOptions},
    CommandSpec{Opt::kDeleteServer, 'd', "delete-server", kServer, 0},
    CommandSpec{Opt::kList, 'L', "list", 0, kListOptions, kOneListing},
    CommandSpec{Opt::kZero, 'Z', "zero", 0, bit(G::kService)},
    CommandSpec{Opt::kSave, 'S', "save", 0, bit(G::kNumeric)},
    CommandSpec{Opt::kRestore, 'R', "restore", 0, 0},
    CommandSpec{Opt::kSetTimeouts, 0, "set", 0, 0},
    CommandSpec{Opt::kStartDaemon, 0, "start-daemon", 0, kDaemonOptions},
    CommandSpec{Opt::kStopDaemon, 0, "stop-daemon", 0, bit(G::kSyncId)},
};

template <typename Table, typename Predicate>
const typename Table::value_type* find_in(const Table& table, Predicate predicate) {
  const auto found = std::find_if(table.begin(), table.end(), predicate);
  return found == table.end() ? nullptr : &*found;
}

}  // namespace

const char* group_name(OptionGroup group) { return kGroupNames.at(static_cast<std::size_t>(group)); }

const OptionSpec* find_letter(char letter) {
  if (letter == 0) return nullptr;
  return find_in(kOptions, [letter](const OptionSpec& option) { return option.letter == letter; });
}

const OptionSpec* find_name(std::string_view name) {
  return find_in(kOptions, [name](const OptionSpec& option) { return option.name == name; });
}

bool is_command(Opt opt) { return opt <= Opt::kVersion; }
bool changes_services(Opt opt) { return opt < Opt::kList; }

const CommandSpec* find_command(Opt opt) {
  return find_in(kCommands, [opt](const CommandSpec& command) { return command.opt == opt; });
}

std::vector<std::string> long_options() {
  std::vector<std::string> names;
  for (const OptionSpec& option : kOptions) names.push_back(std::string("--") + option.name);
  return names;
}

}  // namespace lvspec::ruleset
