#include "harness/ipvs/xt_marks.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <type_traits>

namespace lvspec {
namespace {

/// What differs between the families.
struct V4 {
  using Entry = ipt_entry;
  using Replace = ipt_replace;
  using Info = ipt_getinfo;
  static constexpr int kFamily = AF_INET, kLevel = IPPROTO_IP, kGetInfo = IPT_SO_GET_INFO, kSet = IPT_SO_SET_REPLACE;
  static ipt_ip& head(Entry& entry) { return entry.ip; }
  static void set_protocol(Entry& entry, int protocol) { entry.ip.proto = static_cast<std::uint16_t>(protocol); }
};
struct V6 {
  using Entry = ip6t_entry;
  using Replace = ip6t_replace;
  using Info = ip6t_getinfo;
  static constexpr int kFamily = AF_INET6, kLevel = IPPROTO_IPV6, kGetInfo = IP6T_SO_GET_INFO,
                       kSet = IP6T_SO_SET_REPLACE;
  static ip6t_ip6& head(Entry& entry) { return entry.ipv6; }
  static void set_protocol(Entry& entry, int protocol) {
    entry.ipv6.proto = static_cast<std::uint16_t>(protocol);
    entry.ipv6.flags |= IP6T_F_PROTO;
  }
};

void set_prefix(const std::optional<Prefix>& prefix, void* address, void* mask) {
  if (!prefix) return;
  std::memcpy(address, prefix->address.bytes(), prefix->address.size());
  auto* bytes = static_cast<std::uint8_t*>(mask);
  for (int bit = 0; bit < prefix->length; ++bit) bytes[bit / 8] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
}

/// "eth0" with its final zero, or "eth+" without the plus, compared as far as the mask is set.
void set_interface(const std::string& pattern, char (&name)[IFNAMSIZ], unsigned char (&mask)[IFNAMSIZ]) {
  if (pattern.empty()) return;
  const bool open_end = pattern.back() == '+';
  const std::size_t letters = std::min<std::size_t>(pattern.size() - (open_end ? 1 : 0), IFNAMSIZ - 1);
  std::memcpy(name, pattern.data(), letters);
  std::memset(mask, 0xff, open_end ? letters : letters + 1);
}

/// A header, then its data, padded.
template <typename Header, typename Data>
void append(std::vector<char>* to, const char* name, std::uint8_t revision, const Data& data) {
  Header header{};
  const std::size_t size = XT_ALIGN(sizeof(Header)) + XT_ALIGN(sizeof(Data));
  if constexpr (std::is_same_v<Header, xt_entry_target>) {
    header.u.user.target_size = static_cast<std::uint16_t>(size);
  } else {
    header.u.user.match_size = static_cast<std::uint16_t>(size);
  }
  std::strncpy(header.u.user.name, name, sizeof header.u.user.name - 1);
  header.u.user.revision = revision;
  const std::size_t at = to->size();
  to->resize(at + size);
  std::memcpy(to->data() + at, &header, sizeof header);
  std::memcpy(to->data() + at + XT_ALIGN(sizeof(Header)), &data, sizeof data);
}

/// One multiport match: as many ranges as go into its 15 slots, of which a range of several ports takes two.
xt_multiport_v1 take_ports(std::vector<PortRange>::const_iterator* from, std::vector<PortRange>::const_iterator end,
                           xt_multiport_flags side) {
  xt_multiport_v1 match{};
  match.flags = static_cast<std::uint8_t>(side);
  for (; *from != end; ++*from) {
    const bool several = (*from)->first != (*from)->last;
    if (match.count + (several ? 2 : 1) > XT_MULTI_PORTS) break;
    match.pflags[match.count] = several ? 1 : 0;
    match.ports[match.count++] = (*from)->first;  // host order
    if (several) match.ports[match.count++] = (*from)->last;
  }
  return match;
}

/// A list of ports as matches of which a packet fits at most one; one empty place where every port fits.
std::vector<std::optional<xt_multiport_v1>> port_matches(const std::vector<PortRange>& ports,
                                                         xt_multiport_flags side) {
  if (ports.empty()) return {std::nullopt};
  const std::vector<PortRange> ranges = disjoint(ports);
  std::vector<std::optional<xt_multiport_v1>> matches;
  for (auto next = ranges.cbegin(); next != ranges.cend();)
    matches.emplace_back(take_ports(&next, ranges.cend(), side));
  return matches;
}

template <typename Family>
class TableWriter {
 public:
  void rule(const MarkRule& rule) {
    for (const auto& sources : port_matches(rule.source_ports, XT_MULTIPORT_SOURCE))
      for (const auto& destinations : port_matches(rule.destination_ports, XT_MULTIPORT_DESTINATION)) {
        Entry entry{};
        auto& head = Family::head(entry);
        set_prefix(rule.source, &head.src, &head.smsk);
        set_prefix(rule.destination, &head.dst, &head.dmsk);
        set_interface(rule.in_interface, head.iniface, head.iniface_mask);
        if (rule.protocol) Family::set_protocol(entry, protocol_number(*rule.protocol));
        std::vector<char> matches, target;
        if (sources) append<xt_entry_match>(&matches, "multiport", 1, *sources);
        if (destinations) append<xt_entry_match>(&matches, "multiport", 1, *destinations);
        append<xt_entry_target>(&target, "MARK", 2, xt_mark_tginfo2{rule.mark, rule.mask});
        add(entry, matches, target);
      }
  }

  /// The end of a chain.
  void policy_accept() {
    std::vector<char> target;
    append<xt_entry_target>(&target, XT_STANDARD_TARGET, 0, int{-NF_ACCEPT - 1});
    add(Entry{}, {}, target);
  }

  /// The end of a table.
  void error() {
    struct Name {
      char text[XT_FUNCTION_MAXNAMELEN];
    } name{"ERROR"};
    std::vector<char> target;
    append<xt_entry_target>(&target, XT_ERROR_TARGET, 0, name);
    add(Entry{}, {}, target);
  }

  unsigned offset() const { return static_cast<unsigned>(blob_.entries.size()); }
  XtBlob& blob() { return blob_; }

 private:
  using Entry = typename Family::Entry;

  void add(Entry entry, const std::vector<char>& matches, const std::vector<char>& target) {
    entry.target_offset = static_cast<std::uint16_t>(sizeof entry + matches.size());
    entry.next_offset = static_cast<std::uint16_t>(entry.target_offset + target.size());
    const char* bytes = reinterpret_cast<const char*>(&entry);
    blob_.entries.insert(blob_.entries.end(), bytes, bytes + sizeof entry);
    blob_.entries.insert(blob_.entries.end(), matches.begin(), matches.end());
    blob_.entries.insert(blob_.entries.end(), target.begin(), target.end());
    ++blob_.count;
  }

  XtBlob blob_;
};

template <typename Family>
XtBlob mangle_table(const std::vector<MarkRule>& rules) {
  TableWriter<Family> table;
  for (int hook = 0; hook < NF_INET_NUMHOOKS; ++hook) {
    table.blob().hook_entry[hook] = table.offset();
    if (hook == NF_INET_PRE_ROUTING)
      for (const MarkRule& rule : rules)
        if (rule.family == Family::kFamily) table.rule(rule);
    table.blob().underflow[hook] = table.offset();
    table.policy_accept();
  }
  table.error();
  return std::move(table.blob());
}

template <typename Family>
Status replace_table(const FileDescriptor& socket, const std::vector<MarkRule>& rules) {
  constexpr const char* kVersion = Family::kFamily == AF_INET6 ? "IPv6" : "IPv4";
  typename Family::Info info{};
  std::strcpy(info.name, "mangle");
  socklen_t size = sizeof info;
  if (getsockopt(socket.get(), Family::kLevel, Family::kGetInfo, &info, &size) != 0)
    return system_error(fmt::format("x_tables: {}: getsockopt(mangle, GET_INFO)", kVersion));

  const XtBlob blob = mangle_table<Family>(rules);
  std::vector<xt_counters> counters(info.num_entries);  // the kernel hands back those of the old entries
  std::vector<char> request(sizeof(typename Family::Replace) + blob.entries.size());
  auto* head = reinterpret_cast<typename Family::Replace*>(request.data());
  std::strcpy(head->name, "mangle");
  head->valid_hooks = info.valid_hooks;
  head->num_entries = blob.count;
  head->size = static_cast<unsigned>(blob.entries.size());
  std::copy(std::begin(blob.hook_entry), std::end(blob.hook_entry), head->hook_entry);
  std::copy(std::begin(blob.underflow), std::end(blob.underflow), head->underflow);
  head->num_counters = info.num_entries;
  head->counters = counters.data();
  std::copy(blob.entries.begin(), blob.entries.end(), request.begin() + sizeof(typename Family::Replace));
  if (setsockopt(socket.get(), Family::kLevel, Family::kSet, request.data(),
                 static_cast<socklen_t>(request.size())) != 0)
    return system_error(fmt::format("x_tables: {}: setsockopt(mangle, REPLACE, {} entries)", kVersion, blob.count));
  return {};
}

bool any_of_family(const std::vector<MarkRule>& rules, int family) {
  return std::any_of(rules.begin(), rules.end(), [family](const MarkRule& rule) { return rule.family == family; });
}

}  // namespace

XtBlob xt_mangle_table(const std::vector<MarkRule>& rules, int family) {
  return family == AF_INET6 ? mangle_table<V6>(rules) : mangle_table<V4>(rules);
}

Result<std::unique_ptr<MarkTable>> XtMarks::open(const NetworkNamespace& netns) {
  const auto raw = [&netns](int family) {
    return netns.call([&]() -> Result<FileDescriptor> {
      FileDescriptor socket(::socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
      if (!socket.valid()) return system_error(fmt::format("{}: socket(SOCK_RAW) for x_tables", netns.name()));
      return socket;
    });
  };
  LVSPEC_ASSIGN(FileDescriptor v4, raw(AF_INET));
  LVSPEC_ASSIGN(FileDescriptor v6, raw(AF_INET6));
  return std::unique_ptr<MarkTable>(new XtMarks(netns.name(), std::move(v4), std::move(v6)));
}

Status XtMarks::replace(const std::vector<MarkRule>& rules) {
  // A family that has no rules and never had any is left alone: a kernel may lack it.
  if (const bool wanted = any_of_family(rules, AF_INET); wanted || has_v4_) {
    if (Status status = replace_table<V4>(v4_, rules); !status.ok()) return status.error().in(netns_);
    has_v4_ = wanted;
  }
  if (const bool wanted = any_of_family(rules, AF_INET6); wanted || has_v6_) {
    if (Status status = replace_table<V6>(v6_, rules); !status.ok()) return status.error().in(netns_);
    has_v6_ = wanted;
  }
  return {};
}

}  // namespace lvspec
