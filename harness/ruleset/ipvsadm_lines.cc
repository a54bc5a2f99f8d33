#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>

#include "harness/ruleset/ipvsadm_command.h"
#include "harness/ruleset/ipvsadm_options.h"
#include "harness/ruleset/ipvsadm_split.h"
#include "harness/ruleset/read.h"
#include "harness/ruleset/words.h"

namespace lvspec {
namespace {

using ruleset::bit;
using ruleset::CommandSpec;
using ruleset::Given;
using ruleset::group_name;
using ruleset::GroupMask;
using ruleset::line_error;
using ruleset::Opt;
using ruleset::OptionGroup;
using ruleset::SplitLine;

constexpr std::int64_t kLongestSyncMessage = 65535 - 20 - 8;  // what UDP over IPv4 carries
constexpr std::int64_t kIntMax = std::numeric_limits<std::int32_t>::max();
constexpr char kEndpointAdvice[] =
    "write ADDRESS:PORT in numbers, IPv6 as [ADDRESS]:PORT; names are not resolved, so that a ruleset means the same "
    "on every machine";

/// Address and port as ipvsadm takes them (ADM-36); the port is absent if none was written.
struct WrittenEndpoint {
  IpAddress address;
  std::optional<std::uint16_t> port;
};

/// @param protocol  whose service names a port may have
std::optional<WrittenEndpoint> read_endpoint(const std::string& text, Protocol protocol, const NameLookup& names) {
  if (text.find_first_not_of("0123456789") == std::string::npos) return std::nullopt;  // `-t 80` is no address
  WrittenEndpoint endpoint;
  std::optional<std::string> port;
  const auto v6 = [](const std::string& host) -> std::optional<IpAddress> {
    const Result<IpAddress> address = IpAddress::parse(host);
    if (!address.ok() || !address->is_v6()) return std::nullopt;
    return *address;
  };
  std::string host = text;
  if (text[0] == '[') {
    const auto bracket = text.find(']');
    if (bracket == std::string::npos || bracket + 1 >= text.size() || text[bracket + 1] != ':') return std::nullopt;
    host = text.substr(1, bracket - 1);
    port = text.substr(bracket + 2);
  }
  if (const auto address = v6(host)) {
    endpoint.address = *address;
  } else {
    // Brackets around an IPv4 address are taken too, but the port behind them is lost, odd as that is.
    port.reset();
    if (const auto colon = host.rfind(':'); colon != std::string::npos) {
      port = host.substr(colon + 1);
      host = host.substr(0, colon);
    }
    auto address_v4 = ruleset::classic_v4(host);
    if (!address_v4 && names.host) address_v4 = names.host(host);
    if (!address_v4) return std::nullopt;
    endpoint.address = *address_v4;
  }
  if (!port) return endpoint;
  if (const auto number = ruleset::decimal(*port, 0, 65535)) {
    endpoint.port = static_cast<std::uint16_t>(*number);
  } else if (names.port) {
    endpoint.port = names.port(*port, protocol);
  }
  return endpoint.port ? std::optional(endpoint) : std::nullopt;
}

/// A flag of -b: the bit it sets, and the scheduler whose it is (ADM-37).
struct SchedFlag {
  const char* name;
  int index;              ///< 0 to 2, for flag-1 to flag-3
  const char* scheduler;  ///< empty: any
};

constexpr std::array kSchedFlags{
    SchedFlag{"flag-1", 0, ""},        SchedFlag{"flag-2", 1, ""},    SchedFlag{"flag-3", 2, ""},
    SchedFlag{"sh-fallback", 0, "sh"}, SchedFlag{"sh-port", 1, "sh"}, SchedFlag{"mh-fallback", 0, "mh"},
    SchedFlag{"mh-port", 1, "mh"},
};

/// What ipvsadm allows beside each tunnel type.
struct TunnelRules {
  const char* name;
  bool port_required;  ///< and forbidden otherwise
  GroupMask checksums;
};

constexpr GroupMask kNoCsum = bit(OptionGroup::kTunNoCsum);
constexpr GroupMask kCsum = bit(OptionGroup::kTunCsum);
constexpr GroupMask kRemCsum = bit(OptionGroup::kTunRemCsum);
constexpr GroupMask kAnyTunnelOption =
    bit(OptionGroup::kTunType) | bit(OptionGroup::kTunPort) | kNoCsum | kCsum | kRemCsum;

// In the order of enum TunnelType.
constexpr std::array kTunnelTypes{TunnelRules{"ipip", false, 0}, TunnelRules{"gue", true, kNoCsum | kCsum | kRemCsum},
                                  TunnelRules{"gre", false, kNoCsum | kCsum}};

/// Reads the values in their order on the line, then checks the whole, as ipvsadm does; so a line with two mistakes
/// shows the one that ipvsadm would show.
class LineParser {
 public:
  LineParser(SplitLine options, const NameLookup& names, const std::string& program)
      : options_(std::move(options)), names_(names), program_(program) {}

  std::variant<IpvsadmCommand, Complaint> parse() {
    if (Result<IpvsadmCommand> command = read_line(); command.ok()) return *std::move(command);
    return std::move(complaint_);
  }

 private:
  using Reader = Status (LineParser::*)(const Given&);

  Result<IpvsadmCommand> read_line() {
    if (options_.given.empty() || !is_command(options_.given.front().spec->opt)) return no_command();
    LVSPEC_TRY(read_command(options_.given.front()));
    if (command_ == nullptr) return finish();  // -h and -v look no further
    for (std::size_t i = 1; i < options_.given.size(); ++i) LVSPEC_TRY(read(options_.given[i]));
    if (options_.first_error) return stop(*options_.first_error);
    if (command_->opt == Opt::kSetTimeouts) LVSPEC_TRY(read_timeouts());
    if (!options_.others.empty()) return unexpected(options_.others.front());
    LVSPEC_TRY(check_groups());
    return finish();
  }

  /// Ends the reading: the complaint waits for parse(), the error only finds the way out.
  Error stop(Complaint complaint) {
    complaint_ = std::move(complaint);
    return usage_error(complaint_.message);
  }

  Error fail(const std::string& token, const std::string& message, const std::string& advice) {
    return stop({token, message, advice, message});
  }

  Error no_command() {
    const std::string said = fmt::format("Try `{} -h' or '{} --help' for more information.", program_, program_);
    Complaint complaint{"ipvsadm", said.substr(0, said.size() - 1),
                        "the first option has to be the command: -A -E -D for services, -a -e -d for their servers, "
                        "-C for all",
                        said, 255};
    if (!options_.given.empty()) {
      complaint.token = options_.given.front().word;
    } else if (options_.first_error) {
      complaint = *options_.first_error;
      complaint.said = said;
      complaint.ends_restore = true;
    } else if (!options_.others.empty()) {
      complaint.token = options_.others.front();
    }
    return stop(std::move(complaint));
  }

  Status read_command(const Given& given) {
    command_word_ = given.spec->opt;
    command_ = ruleset::find_command(command_word_);
    if (given.spec->value == ruleset::Value::kNone) return {};
    const bool start = command_word_ == Opt::kStartDaemon;
    if (*given.value != "master" && *given.value != "backup")
      return fail(*given.value, start ? "illegal start-daemon parameter specified" : "illegal start_daemon specified",
                  "a daemon is master or backup");
    daemon_.role = *given.value == "master" ? DaemonRole::kMaster : DaemonRole::kBackup;
    return {};
  }

  Error unexpected(const std::string& word) {
    return fail(word, "unexpected argument " + word,
                ruleset::begins_with_typographic_dash(word) ? "its dash is a typographic one; write -"
                                                            : "every value stands behind its option; take it out");
  }

  Status read(const Given& given) {
    if (is_command(given.spec->opt))
      return fail(given.word, fmt::format("invalid option `{}'", given.typed), "one command a line; take it out");
    if (given.spec->group != OptionGroup::kUncounted) {
      const GroupMask group = bit(given.spec->group);
      if ((seen_ & group) != 0)
        return fail(given.word, fmt::format("multiple '{}' options specified", group_name(given.spec->group)),
                    "say it once");
      seen_ |= group;
      words_.at(static_cast<std::size_t>(given.spec->group)) = given.word;
    }
    const Reader reader = reader_of(given.spec->opt);
    return reader == nullptr ? Status() : (this->*reader)(given);
  }

  static Reader reader_of(Opt opt) {
    struct Row {
      Opt opt;
      Reader reader;
    };
    static constexpr std::array kReaders{
        Row{Opt::kTcp, &LineParser::read_service},
        Row{Opt::kUdp, &LineParser::read_service},
        Row{Opt::kSctp, &LineParser::read_service},
        Row{Opt::kFwmark, &LineParser::read_fwmark},
        Row{Opt::kIpv6, &LineParser::read_ipv6},
        Row{Opt::kScheduler, &LineParser::read_scheduler},
        Row{Opt::kPersistent, &LineParser::read_timeout},
        Row{Opt::kNetmask, &LineParser::read_mask},
        Row{Opt::kOnePacket, &LineParser::read_ops},
        Row{Opt::kEngine, &LineParser::read_engine},
        Row{Opt::kSchedFlags, &LineParser::read_flags},
        Row{Opt::kRealServer, &LineParser::read_real_server},
        Row{Opt::kGatewaying, &LineParser::read_method},
        Row{Opt::kIpip, &LineParser::read_method},
        Row{Opt::kMasquerading, &LineParser::read_method},
        Row{Opt::kWeight, &LineParser::read_weight},
        Row{Opt::kUpper, &LineParser::read_upper},
        Row{Opt::kLower, &LineParser::read_lower},
        Row{Opt::kTunType, &LineParser::read_tun_type},
        Row{Opt::kTunPort, &LineParser::read_tun_port},
        Row{Opt::kTunNoCsum, &LineParser::read_tun_csum},
        Row{Opt::kTunCsum, &LineParser::read_tun_csum},
        Row{Opt::kTunRemCsum, &LineParser::read_tun_csum},
        Row{Opt::kMcastInterface, &LineParser::read_interface},
        Row{Opt::kSyncId, &LineParser::read_sync_id},
        Row{Opt::kMcastGroup, &LineParser::read_group},
        Row{Opt::kMcastPort, &LineParser::read_mcast_port},
        Row{Opt::kMcastTtl, &LineParser::read_ttl},
        Row{Opt::kSyncMaxLen, &LineParser::read_max_length},
    };
    for (const Row& row : kReaders)
      if (row.opt == opt) return row.reader;
    return nullptr;
  }

  Status read_service(const Given& given) {
    const Protocol protocol = given.spec->opt == Opt::kTcp   ? Protocol::kTcp
                              : given.spec->opt == Opt::kUdp ? Protocol::kUdp
                                                             : Protocol::kSctp;
    const auto endpoint = read_endpoint(*given.value, protocol, names_);
    if (!endpoint) return fail(*given.value, "illegal virtual server address[:port] specified", kEndpointAdvice);
    service_.id = ServiceId::of(protocol, endpoint->address, endpoint->port.value_or(0));
    service_word_ = *given.value;
    if (service_.id.family == AF_INET6) reset_masks();  // a -M before an IPv6 address is lost (ADM-35)
    return {};
  }

  Status read_fwmark(const Given& given) {
    const auto mark = ruleset::decimal(*given.value, 1, std::numeric_limits<std::uint32_t>::max());
    if (!mark) {
      std::string advice = "a mark is a decimal number from 1 to 4294967295";
      // What `ipvsadm -S` prints for marks from 2^31 on (FWM-02).
      if (const auto printed = ruleset::decimal(*given.value, std::numeric_limits<std::int32_t>::min(), -1))
        advice += fmt::format("; ipvsadm -S prints {} for the mark {}", *printed,
                              static_cast<std::uint32_t>(static_cast<std::int32_t>(*printed)));
      return fail(*given.value, fmt::format("invalid fwmark value `{}' specified", *given.value), advice);
    }
    service_.id = ServiceId::of_mark(static_cast<std::uint32_t>(*mark));
    service_word_ = *given.value;
    return {};
  }

  Status read_ipv6(const Given& given) {
    if (!service_.id.is_mark()) {
      Complaint complaint{given.word, "-6 used before -f", "write -f MARK -6; an IPv6 address needs no -6", ""};
      complaint.said = complaint.message + "\n";  // with an empty line of its own
      return stop(std::move(complaint));
    }
    service_.id.family = AF_INET6;
    reset_masks();
    return {};
  }

  Status read_scheduler(const Given& given) {
    service_.scheduler = given.value->empty() ? "wlc" : *given.value;
    return {};
  }

  Status read_timeout(const Given& given) {
    const std::int64_t longest = kLongestPersistence.count();
    const auto seconds = given.value ? ruleset::decimal(*given.value, 1, longest) : kDefaultPersistence.count();
    if (!seconds)
      return fail(*given.value, fmt::format("invalid timeout value `{}' specified", *given.value),
                  fmt::format("-p takes seconds, 1 to {}; without a number it means {}", longest,
                              kDefaultPersistence.count()));
    service_.persistent_s = static_cast<std::uint32_t>(*seconds);
    return {};
  }

  Status read_mask(const Given& given) {
    if (service_.id.family == AF_INET6) {
      const long length = std::strtol(given.value->c_str(), nullptr, 10);  // what follows the number is ignored
      if (length < 1 || length > 128)
        return fail(*given.value, "illegal ipv6 netmask specified", "an IPv6 mask is a prefix length, 1 to 128");
      service_.prefix_length = static_cast<int>(length);
      return {};
    }
    const auto mask = ruleset::classic_v4(*given.value);
    if (!mask)
      return fail(*given.value, "illegal virtual server persistent mask specified",
                  "write it in dots, 255.255.255.0; a prefix length goes with IPv6 only, after the service");
    service_.netmask = *mask;
    return {};
  }

  Status read_ops(const Given&) {
    service_.one_packet = true;
    return {};
  }

  Status read_engine(const Given& given) {
    service_.pe = *given.value;
    return {};
  }

  Status read_flags(const Given& given) {
    flags_value_ = *given.value;
    return {};
  }

  Status read_real_server(const Given& given) {
    NameLookup names = names_;
    if (!has(OptionGroup::kService)) names.port = nullptr;  // of no protocol yet
    const auto endpoint = read_endpoint(*given.value, service_.id.protocol, names);
    if (!endpoint) return fail(*given.value, "illegal real server address[:port] specified", kEndpointAdvice);
    server_.address = endpoint->address;
    // The service's port as it is known here: a -r before the -t gets port 0, with -m for good.
    server_.port = endpoint->port.value_or(service_.id.port);
    server_word_ = *given.value;
    return {};
  }

  Status read_method(const Given& given) {
    server_.method = given.spec->opt == Opt::kGatewaying ? ForwardMethod::kDirectRoute
                     : given.spec->opt == Opt::kIpip     ? ForwardMethod::kTunnel
                                                         : ForwardMethod::kMasquerade;
    return {};
  }

  Result<std::int64_t> read_count(const Given& given, const char* what, std::int64_t min = 0,
                                  std::int64_t max = kIntMax) {
    const auto count = ruleset::decimal(*given.value, min, max);
    if (!count)
      return fail(*given.value, fmt::format("illegal {} specified", what),
                  fmt::format("{} takes a whole number from {} to {}", given.word, min, max));
    return *count;
  }

  Status read_weight(const Given& given) {
    LVSPEC_ASSIGN(const std::int64_t weight, read_count(given, "weight"));
    server_.weight = static_cast<std::int32_t>(weight);
    return {};
  }

  Status read_upper(const Given& given) {
    LVSPEC_ASSIGN(const std::int64_t upper, read_count(given, "u_threshold"));
    server_.upper = static_cast<std::uint32_t>(upper);
    return {};
  }

  Status read_lower(const Given& given) {
    LVSPEC_ASSIGN(const std::int64_t lower, read_count(given, "l_threshold"));
    server_.lower = static_cast<std::uint32_t>(lower);
    return {};
  }

  Status read_tun_type(const Given& given) {
    const auto type = std::find_if(kTunnelTypes.begin(), kTunnelTypes.end(),
                                   [&](const TunnelRules& rules) { return rules.name == *given.value; });
    if (type == kTunnelTypes.end())
      return fail(*given.value, "illegal tunnel type specified", "a tunnel is ipip, gue or gre");
    server_.tunnel.type = static_cast<TunnelType>(type - kTunnelTypes.begin());
    return {};
  }

  Status read_tun_port(const Given& given) {
    const auto port = ruleset::decimal(*given.value, 1, 65535);
    if (!port) return fail(*given.value, "illegal tunnel port specified", "a port is a number from 1 to 65535");
    server_.tunnel.port = static_cast<std::uint16_t>(*port);
    return {};
  }

  Status read_tun_csum(const Given& given) {
    server_.tunnel.checksum = given.spec->opt == Opt::kTunNoCsum ? TunnelChecksum::kNone
                              : given.spec->opt == Opt::kTunCsum ? TunnelChecksum::kFull
                                                                 : TunnelChecksum::kRemote;
    return {};
  }

  Status read_interface(const Given& given) {
    if (!given.value->empty()) daemon_.interface = *given.value;  // an empty one is the default, eth0
    return {};
  }

  Status read_sync_id(const Given& given) {
    LVSPEC_ASSIGN(const std::int64_t id, read_count(given, "syncid", 0, 255));
    daemon_.sync_id = static_cast<std::uint32_t>(id);
    return {};
  }

  Status read_group(const Given& given) {
    const bool v6 = given.value->find(':') != std::string::npos;
    const Result<IpAddress> group = IpAddress::parse(*given.value);
    const bool multicast =
        group.ok() && group->is_v6() == v6 && (v6 ? group->bytes()[0] == 0xff : (group->bytes()[0] & 0xf0) == 0xe0);
    if (!multicast)
      return fail(*given.value, fmt::format("invalid IPv{} mcast-group `{}'", v6 ? 6 : 4, *given.value),
                  "a group is a multicast address, 224.0.0.81 or ff02::81");
    daemon_.group = *group;
    return {};
  }

  Status read_mcast_port(const Given& given) {
    LVSPEC_ASSIGN(const std::int64_t port, read_count(given, "mcast-port", 1, 65535));
    daemon_.port = static_cast<std::uint16_t>(port);
    return {};
  }

  Status read_ttl(const Given& given) {
    LVSPEC_ASSIGN(const std::int64_t ttl, read_count(given, "mcast-ttl", 1, 255));
    daemon_.ttl = static_cast<std::uint8_t>(ttl);
    return {};
  }

  Status read_max_length(const Given& given) {
    LVSPEC_ASSIGN(const std::int64_t length, read_count(given, "sync-maxlen", 1, kLongestSyncMessage));
    daemon_.max_length = static_cast<std::uint16_t>(length);
    return {};
  }

  /// The three words of --set, which belong to no option.
  Status read_timeouts() {
    std::vector<std::string>& words = options_.others;
    if (words.size() < 3)
      return fail("--set", "--set option requires 3 timeout values", "write --set TCP TCPFIN UDP, in seconds");
    for (std::uint32_t* timeout : {&timeouts_.tcp, &timeouts_.tcp_fin, &timeouts_.udp}) {
      const auto seconds = ruleset::decimal(words.front(), 0, kLongestPersistence.count());
      if (!seconds)
        return fail(words.front(), fmt::format("invalid timeout value `{}' specified", words.front()),
                    fmt::format("--set takes seconds, 0 to {}; 0 keeps the value", kLongestPersistence.count()));
      *timeout = static_cast<std::uint32_t>(*seconds);
      words.erase(words.begin());
    }
    return {};
  }

  void reset_masks() {
    service_.netmask = VirtualService().netmask;
    service_.prefix_length = VirtualService().prefix_length;
  }

  /// ADM-31: what the command needs, what it forbids.
  Status check_groups() {
    std::optional<OptionGroup> chosen;  // of those that exclude each other
    const std::string typed = options_.given.front().word;
    for (std::size_t i = 0; i < ruleset::kOptionGroups; ++i) {
      const auto group = static_cast<OptionGroup>(i);
      const bool given = (seen_ & bit(group)) != 0;
      if (!given && (command_->required & bit(group)) != 0)
        return fail(
            typed,
            fmt::format("You need to supply the '{}' option for the '{}' command", group_name(group), command_->name),
            group == OptionGroup::kService ? "add -t, -u, --sctp-service or -f" : "add -r ADDRESS[:PORT]");
      if (given && ((command_->required | command_->optional) & bit(group)) == 0)
        return fail(words_.at(i),
                    fmt::format("Illegal '{}' option with the '{}' command", group_name(group), command_->name),
                    "take it out");
      if (!given || (command_->exclusive & bit(group)) == 0) continue;
      if (chosen)
        return fail(words_.at(i),
                    fmt::format("The option '{}' conflicts with the '{}' option in the '{}' command",
                                group_name(group), group_name(*chosen), command_->name),
                    "keep one of them");
      chosen = group;
    }
    return {};
  }

  bool has(OptionGroup group) const { return (seen_ & bit(group)) != 0; }

  Result<IpvsadmCommand> finish() {
    const std::optional<ServiceId> service = has(OptionGroup::kService) ? std::optional(service_.id) : std::nullopt;
    switch (command_word_) {
      case Opt::kAddService:
        LVSPEC_TRY(check_service());
        return IpvsadmCommand(Command(AddService{service_}));
      case Opt::kEditService:
        LVSPEC_TRY(check_service());
        return IpvsadmCommand(Command(EditService{service_}));
      case Opt::kDeleteService:
        return IpvsadmCommand(Command(DeleteService{service_.id}));
      case Opt::kAddServer:
        LVSPEC_TRY(check_server());
        return IpvsadmCommand(Command(AddServer{service_.id, server_}));
      case Opt::kEditServer:
        LVSPEC_TRY(check_server());
        return IpvsadmCommand(Command(EditServer{service_.id, server_}));
      case Opt::kDeleteServer:
        return IpvsadmCommand(Command(DeleteServer{service_.id, server_.address, server_.port}));
      case Opt::kList:
        return list(service);
      case Opt::kZero:
        return IpvsadmCommand(ZeroCounters{service});
      case Opt::kSave:
        return IpvsadmCommand(SaveServices{has(OptionGroup::kNumeric)});
      case Opt::kRestore:
        return IpvsadmCommand(RestoreServices{});
      case Opt::kSetTimeouts:
        return IpvsadmCommand(timeouts_);
      case Opt::kStartDaemon:
        return IpvsadmCommand(daemon_);
      case Opt::kStopDaemon:
        return IpvsadmCommand(StopDaemon{daemon_.role});
      case Opt::kHelp:
        return IpvsadmCommand(ShowHelp{});
      case Opt::kVersion:
        return IpvsadmCommand(ShowVersion{});
      default:
        return IpvsadmCommand(Command(ClearServices{}));
    }
  }

  Result<IpvsadmCommand> list(const std::optional<ServiceId>& service) {
    ListTables list;
    list.service = service;
    list.connections = has(OptionGroup::kConnection);
    list.timeouts = has(OptionGroup::kTimeout);
    list.daemons = has(OptionGroup::kDaemon);
    list.numeric = has(OptionGroup::kNumeric);
    list.exact = has(OptionGroup::kExact);
    list.sorted = !has(OptionGroup::kNoSort);
    list.tunnels = has(OptionGroup::kTunInfo);
    list.stats = has(OptionGroup::kStats);
    list.rates = has(OptionGroup::kRate);
    list.thresholds = has(OptionGroup::kThresholds);
    list.persistent_connections = has(OptionGroup::kPersistentConn);
    // ADM-71. --persistent-conn goes with -c, where it shows the engines' data.
    const bool no_services = list.connections || list.timeouts || list.daemons;
    if ((no_services && (list.stats || list.rates || list.thresholds)) ||
        ((list.timeouts || list.daemons) && list.persistent_connections))
      return fail("-L", "options conflicts in the list command", "columns belong to the list of services");
    return IpvsadmCommand(list);
  }

  Status check_service() {
    if (!service_.id.is_mark()) {
      if (service_.id.port == kAnyPort && !service_.persistent_s)
        return fail(service_word_, "Zero port specified for non-persistent service",
                    "add -p SECONDS, or give the service a port");
      if (service_.one_packet && service_.id.protocol != Protocol::kUdp)
        return fail(words_.at(static_cast<std::size_t>(OptionGroup::kOnePacket)),
                    "One-Packet Scheduling is only for UDP virtual services", "take it out, or make the service -u");
    }
    return set_flags();
  }

  /// ADM-37. The flags are kept under the names that ipvsadm lists them by, so that -s sh -b flag-1 and
  /// -s sh -b sh-fallback are equal, as they are in the kernel.
  Status set_flags() {
    std::array<bool, 3> set{};
    std::string_view rest = flags_value_;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      const std::string name(rest.substr(0, comma));
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
      if (name.empty()) continue;
      const auto flag = std::find_if(kSchedFlags.begin(), kSchedFlags.end(),
                                     [&](const SchedFlag& known) { return known.name == name; });
      if (flag == kSchedFlags.end())
        return fail(name, fmt::format("invalid scheduler flag `{}'", name),
                    "the flags are sh-fallback sh-port mh-fallback mh-port flag-1 flag-2 flag-3");
      if (*flag->scheduler != 0 && service_.scheduler != flag->scheduler)
        return fail(name, fmt::format("incompatible scheduler flag `{}'", name),
                    fmt::format("it goes with -s {}; this is -s {}", flag->scheduler, service_.scheduler));
      set.at(static_cast<std::size_t>(flag->index)) = true;
    }
    for (int index = 0; index < 3; ++index) {
      if (!set.at(static_cast<std::size_t>(index))) continue;
      const char* shown = nullptr;
      for (const SchedFlag& flag : kSchedFlags)
        if (flag.index == index && (*flag.scheduler == 0 || service_.scheduler == flag.scheduler)) shown = flag.name;
      service_.sched_flags.emplace_back(shown);
    }
    return {};
  }

  Status check_server() {
    LVSPEC_TRY(check_tunnel());
    // DST-10: these methods do not rewrite ports, so ipvsadm does not let one be chosen.
    if (!service_.id.is_mark() && server_.method != ForwardMethod::kMasquerade) server_.port = service_.id.port;
    if (server_.address.family() != service_.id.family && server_.method != ForwardMethod::kTunnel)
      return fail(server_word_, "Different address family is allowed only for tunneling servers",
                  fmt::format("{} is an IPv{} service; give an address of its family, or add -i", service_.id.str(),
                              service_.id.family == AF_INET6 ? 6 : 4));
    return {};
  }

  Status check_tunnel() {
    const GroupMask given = seen_ & kAnyTunnelOption;
    if (server_.method != ForwardMethod::kTunnel) {
      if (given == 0) return {};
      return fail(word_of(given), "Tunnel options conflict with forward method", "take it out, or forward with -i");
    }
    const TunnelRules& rules = kTunnelTypes.at(static_cast<std::size_t>(server_.tunnel.type));
    const GroupMask port = bit(OptionGroup::kTunPort);
    if (rules.port_required && (given & port) == 0)
      return fail(rules.name,
                  fmt::format("You need to supply the 'tun-port' option for the '{}' tunnel type", rules.name),
                  "add --tun-port PORT");
    const GroupMask illegal =
        given & ~(bit(OptionGroup::kTunType) | rules.checksums | (rules.port_required ? port : 0));
    if (illegal != 0)
      return fail(
          word_of(illegal),
          fmt::format("Illegal '{}' option with the '{}' tunnel type", group_name(lowest(illegal)), rules.name),
          "take it out");
    const GroupMask checksums = given & rules.checksums;
    if (const GroupMask second = checksums & (checksums - 1); second != 0)
      return fail(word_of(second),
                  fmt::format("The option '{}' conflicts with the '{}' option in the '{}' tunnel type",
                              group_name(lowest(second)), group_name(lowest(checksums)), rules.name),
                  "keep one of them");
    return {};
  }

  static OptionGroup lowest(GroupMask groups) { return static_cast<OptionGroup>(__builtin_ctzll(groups)); }
  const std::string& word_of(GroupMask groups) const { return words_.at(static_cast<std::size_t>(lowest(groups))); }

  SplitLine options_;
  const NameLookup& names_;
  const std::string& program_;
  Complaint complaint_;
  Opt command_word_ = Opt::kClear;
  const CommandSpec* command_ = nullptr;
  GroupMask seen_ = 0;
  std::array<std::string, ruleset::kOptionGroups> words_;  ///< each group's option as it was typed
  VirtualService service_;
  RealServer server_;
  SetTimeouts timeouts_;
  StartDaemon daemon_;
  std::string service_word_;
  std::string server_word_;
  std::string flags_value_;
};

std::variant<IpvsadmCommand, Complaint> parse_options(SplitLine options, const NameLookup& names,
                                                      const std::string& program) {
  return LineParser(std::move(options), names, program).parse();
}

}  // namespace

std::variant<IpvsadmCommand, Complaint> parse_ipvsadm_words(std::vector<std::string> words, const NameLookup& names,
                                                            const std::string& program) {
  return parse_options(ruleset::split_options(std::move(words)), names, program);
}

Result<Command> parse_ipvsadm_line(std::string_view line, const LineOrigin& origin) {
  LVSPEC_ASSIGN(std::vector<std::string> words, ruleset::split_words(line, origin));
  if (!words.empty() && ruleset::program_of(words.front()) == "ipvsadm") words.erase(words.begin());
  SplitLine options = ruleset::split_options(std::move(words));
  if (!options.given.empty()) {
    const Given& first = options.given.front();
    if (is_command(first.spec->opt) && !ruleset::changes_services(first.spec->opt))
      return line_error(origin, first.word, "this command changes no service",
                        "a ruleset is made of -A -E -D -a -e -d and -C; leave the line out");
  }
  const auto parsed = parse_options(std::move(options), {}, "ipvsadm");
  if (const auto* complaint = std::get_if<Complaint>(&parsed))
    return line_error(origin, complaint->token, complaint->message, complaint->advice);
  return std::get<Command>(std::get<IpvsadmCommand>(parsed));
}

}  // namespace lvspec
