#include "harness/ipvs/nft_marks.h"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>

namespace lvspec {
namespace {

constexpr const char* kTable = "lvspec";
constexpr const char* kChain = "marks";
constexpr std::int32_t kManglePriority = -150;  // NF_IP_PRI_MANGLE, NF_IP6_PRI_MANGLE

struct Deleter {
  void operator()(nftnl_table* table) const { nftnl_table_free(table); }
  void operator()(nftnl_chain* chain) const { nftnl_chain_free(chain); }
  void operator()(nftnl_rule* rule) const { nftnl_rule_free(rule); }
};

/// The expressions of one rule, in the order in which the kernel evaluates them; all use register 1.
class RuleWriter {
 public:
  RuleWriter(int family) : rule_(nftnl_rule_alloc()) {
    LVSPEC_CHECK(rule_ != nullptr);
    nftnl_rule_set_u32(rule_.get(), NFTNL_RULE_FAMILY, static_cast<std::uint32_t>(family));
    nftnl_rule_set_str(rule_.get(), NFTNL_RULE_TABLE, kTable);
    nftnl_rule_set_str(rule_.get(), NFTNL_RULE_CHAIN, kChain);
  }

  void interface(const std::string& pattern) {
    if (pattern.empty()) return;
    const bool open_end = pattern.back() == '+';
    std::string name = open_end ? pattern.substr(0, pattern.size() - 1) : pattern;
    if (name.empty()) return;              // "+": every interface
    if (!open_end) name.resize(16, '\0');  // IFNAMSIZ: to the end of the register, so that the end counts
    load_meta(NFT_META_IIFNAME);
    compare(NFT_CMP_EQ, name.data(), name.size());
  }

  void protocol(Protocol protocol) {
    const auto number = static_cast<std::uint8_t>(protocol_number(protocol));
    load_meta(NFT_META_L4PROTO);
    compare(NFT_CMP_EQ, &number, sizeof number);
  }

  /// @param offset  of the address in the IP header
  void prefix(const std::optional<Prefix>& prefix, std::uint32_t offset) {
    if (!prefix || prefix->length == 0) return;
    const std::size_t size = prefix->address.size();
    load_payload(NFT_PAYLOAD_NETWORK_HEADER, offset, static_cast<std::uint32_t>(size));
    std::array<std::uint8_t, 16> mask{}, zero{};
    for (int bit = 0; bit < prefix->length; ++bit)
      mask[static_cast<std::size_t>(bit) / 8] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
    if (prefix->length < static_cast<int>(8 * size)) bitwise(mask.data(), zero.data(), size);
    compare(NFT_CMP_EQ, prefix->address.bytes(), size);
  }

  /// @param offset  of the port in the transport header
  void ports(const PortRange& range, std::uint32_t offset) {
    const std::uint16_t first = htons(range.first), last = htons(range.last);
    load_payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof first);
    if (range.first == range.last) {
      compare(NFT_CMP_EQ, &first, sizeof first);
    } else {  // bytes in network order compare as the numbers do
      compare(NFT_CMP_GTE, &first, sizeof first);
      compare(NFT_CMP_LTE, &last, sizeof last);
    }
  }

  void mark(std::uint32_t value, std::uint32_t mask) {
    load_meta(NFT_META_MARK);
    const std::uint32_t kept = ~mask;
    bitwise(&kept, &value, sizeof value);
    nftnl_expr* set = add("meta");
    nftnl_expr_set_u32(set, NFTNL_EXPR_META_KEY, NFT_META_MARK);
    nftnl_expr_set_u32(set, NFTNL_EXPR_META_SREG, NFT_REG_1);
  }

  nftnl_rule* get() { return rule_.get(); }

 private:
  nftnl_expr* add(const char* name) {
    nftnl_expr* expression = nftnl_expr_alloc(name);
    LVSPEC_CHECK(expression != nullptr);
    nftnl_rule_add_expr(rule_.get(), expression);
    return expression;
  }
  void load_meta(std::uint32_t key) {
    nftnl_expr* meta = add("meta");
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, NFT_REG_1);
  }
  void load_payload(std::uint32_t base, std::uint32_t offset, std::uint32_t length) {
    nftnl_expr* payload = add("payload");
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_LEN, length);
  }
  void compare(std::uint32_t how, const void* with, std::size_t size) {
    nftnl_expr* cmp = add("cmp");
    nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_OP, how);
    LVSPEC_CHECK_EQ(nftnl_expr_set(cmp, NFTNL_EXPR_CMP_DATA, with, static_cast<std::uint32_t>(size)), 0);
  }
  /// register = (register & mask) ^ value
  void bitwise(const void* mask, const void* value, std::size_t size) {
    const auto length = static_cast<std::uint32_t>(size);
    nftnl_expr* bits = add("bitwise");
    nftnl_expr_set_u32(bits, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    nftnl_expr_set_u32(bits, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    nftnl_expr_set_u32(bits, NFTNL_EXPR_BITWISE_LEN, length);
    LVSPEC_CHECK_EQ(nftnl_expr_set(bits, NFTNL_EXPR_BITWISE_MASK, mask, length), 0);
    LVSPEC_CHECK_EQ(nftnl_expr_set(bits, NFTNL_EXPR_BITWISE_XOR, value, length), 0);
  }

  std::unique_ptr<nftnl_rule, Deleter> rule_;
};

class BatchWriter {
 public:
  using Filler = std::function<void(nlmsghdr*)>;

  void begin() {
    Scratch scratch;
    take("begin", nftnl_batch_begin(scratch.data(), next()));
  }
  void end() {
    Scratch scratch;
    take("end", nftnl_batch_end(scratch.data(), next()));
  }
  void message(const std::string& what, std::uint16_t type, int family, std::uint16_t flags, const Filler& fill) {
    Scratch scratch;
    nlmsghdr* header = nftnl_nlmsg_build_hdr(scratch.data(), type, static_cast<std::uint16_t>(family),
                                             static_cast<std::uint16_t>(flags | NLM_F_ACK), next());
    fill(header);
    take(what, header);
  }

  /// New where there is none, so that the next message finds one to delete.
  void table(std::uint16_t type, int family) {
    const std::unique_ptr<nftnl_table, Deleter> table(nftnl_table_alloc());
    LVSPEC_CHECK(table != nullptr);
    nftnl_table_set_u32(table.get(), NFTNL_TABLE_FAMILY, static_cast<std::uint32_t>(family));
    nftnl_table_set_str(table.get(), NFTNL_TABLE_NAME, kTable);
    message(fmt::format("{} table {} {}", type == NFT_MSG_NEWTABLE ? "new" : "delete", name(family), kTable), type,
            family, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0,
            [&](nlmsghdr* header) { nftnl_table_nlmsg_build_payload(header, table.get()); });
  }

  void chain(int family) {
    const std::unique_ptr<nftnl_chain, Deleter> chain(nftnl_chain_alloc());
    LVSPEC_CHECK(chain != nullptr);
    nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_FAMILY, static_cast<std::uint32_t>(family));
    nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TABLE, kTable);
    nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_NAME, kChain);
    nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TYPE, "filter");
    nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_HOOKNUM, NF_INET_PRE_ROUTING);
    nftnl_chain_set_s32(chain.get(), NFTNL_CHAIN_PRIO, kManglePriority);
    message(fmt::format("new chain {} {} {} (filter, prerouting, {})", name(family), kTable, kChain, kManglePriority),
            NFT_MSG_NEWCHAIN, family, NLM_F_CREATE,
            [&](nlmsghdr* header) { nftnl_chain_nlmsg_build_payload(header, chain.get()); });
  }

  /// One rule for each pair of port ranges, of which a packet fits one at most.
  void rule(const MarkRule& rule) {
    const std::vector<PortRange> any(1);
    const bool has_sources = !rule.source_ports.empty(), has_destinations = !rule.destination_ports.empty();
    const bool v6 = rule.family == AF_INET6;
    for (const PortRange& source : has_sources ? disjoint(rule.source_ports) : any)
      for (const PortRange& destination : has_destinations ? disjoint(rule.destination_ports) : any) {
        RuleWriter out(rule.family);
        out.interface(rule.in_interface);
        if (rule.protocol) out.protocol(*rule.protocol);
        out.prefix(rule.source, v6 ? 8 : 12);
        out.prefix(rule.destination, v6 ? 24 : 16);
        if (has_sources) out.ports(source, 0);
        if (has_destinations) out.ports(destination, 2);
        out.mark(rule.mark, rule.mask);
        message("new rule " + rule.str(), NFT_MSG_NEWRULE, rule.family, NLM_F_CREATE | NLM_F_APPEND,
                [&](nlmsghdr* header) { nftnl_rule_nlmsg_build_payload(header, out.get()); });
      }
  }

  NftBatch take_batch() { return std::move(batch_); }

 private:
  /// Room for the largest single message: a rule with every part takes some 1,200 bytes.
  using Scratch = std::array<char, 8192>;

  static const char* name(int family) { return family == AF_INET6 ? "ip6" : "ip"; }
  std::uint32_t next() const { return static_cast<std::uint32_t>(batch_.messages.size()); }
  void take(const std::string& what, const nlmsghdr* header) {
    const char* bytes = reinterpret_cast<const char*>(header);
    batch_.bytes.insert(batch_.bytes.end(), bytes, bytes + NLMSG_ALIGN(header->nlmsg_len));
    batch_.messages.push_back(what);
  }

  NftBatch batch_;
};

/// Reads all answers to a batch: they are there when its sendto returns, since the kernel works on it meanwhile.
/// @return the first refusal.
Status read_answers(int socket, const NftBatch& batch) {
  std::vector<char> buffer(1 << 16);
  Status answer;
  bool any = false;
  for (;;) {
    const ssize_t count = recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) return system_error("recv(nf_tables)");
    int left = static_cast<int>(count);
    for (const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(header, left);
         header = mnl_nlmsg_next(header, &left)) {
      if (header->nlmsg_type != NLMSG_ERROR) continue;
      any = true;
      const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
      if (error->error == 0 || !answer.ok()) continue;
      const std::string what =
          error->msg.nlmsg_seq < batch.messages.size() ? batch.messages[error->msg.nlmsg_seq] : "?";
      answer = system_error("nf_tables: " + what, -error->error);
    }
  }
  if (!any) return Error{"nf_tables: the kernel did not answer"};
  return answer;
}

}  // namespace

NftBatch nft_marks_batch(const std::vector<MarkRule>& rules, const std::vector<int>& families) {
  BatchWriter out;
  out.begin();
  for (const int family : families) {
    out.table(NFT_MSG_NEWTABLE, family);
    out.table(NFT_MSG_DELTABLE, family);
    if (std::none_of(rules.begin(), rules.end(), [&](const MarkRule& rule) { return rule.family == family; }))
      continue;
    out.table(NFT_MSG_NEWTABLE, family);
    out.chain(family);
    for (const MarkRule& rule : rules)
      if (rule.family == family) out.rule(rule);
  }
  out.end();
  return out.take_batch();
}

Result<std::unique_ptr<MarkTable>> NftMarks::open(const NetworkNamespace& netns) {
  LVSPEC_ASSIGN(FileDescriptor socket, netns.call([&]() -> Result<FileDescriptor> {
    FileDescriptor made(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    if (!made.valid())
      return system_error(
          fmt::format("{}: socket(NETLINK_NETFILTER): no nf_tables for marks, and no x_tables", netns.name()));
    return made;
  }));
  return std::unique_ptr<MarkTable>(new NftMarks(netns.name(), std::move(socket)));
}

Status NftMarks::replace(const std::vector<MarkRule>& rules) {
  // A family that has no rules and never had any is left alone: a kernel may lack it.
  std::vector<int> wanted, touched = families_;
  for (const MarkRule& rule : rules) {
    for (std::vector<int>* list : {&wanted, &touched})
      if (std::find(list->begin(), list->end(), rule.family) == list->end()) list->push_back(rule.family);
  }
  if (touched.empty()) return {};
  const NftBatch batch = nft_marks_batch(rules, touched);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sendto(socket_.get(), batch.bytes.data(), batch.bytes.size(), 0, reinterpret_cast<const sockaddr*>(&kernel),
             sizeof kernel) < 0)
    return system_error(fmt::format("{}: nf_tables: sendto({} messages)", netns_, batch.messages.size()));
  if (Status status = read_answers(socket_.get(), batch); !status.ok()) return status.error().in(netns_);
  families_ = wanted;
  return {};
}

}  // namespace lvspec
