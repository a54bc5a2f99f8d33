#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <limits>

#include "harness/ruleset/read.h"
#include "harness/ruleset/words.h"

namespace lvspec {
namespace {

using ruleset::c_number;
using ruleset::decimal;

constexpr char kWhatIsRead[] =
    "a mark rule here is made of -t mangle -A PREROUTING -i -p -s -d --sport --dport, -m multiport --sports "
    "--dports, "
    "-j MARK --set-mark or --set-xmark";
constexpr std::size_t kLongestInterface = 15;  // IFNAMSIZ without its end
constexpr std::size_t kMultiportSlots = 15;    // xt_multiport; a range takes two

/// What a rule may say once; spellings of one thing share it.
enum class Part : std::uint8_t {
  kChain,
  kTable,
  kInterface,
  kProtocol,
  kSource,
  kDestination,
  kSourcePorts,
  kDestinationPorts,
  kJump,
  kMark,
  kMatch,    ///< -m, any number of times
  kComment,  ///< any number of times
  kCount
};

/// "{network, host bits cleared}" of "198.51.100.10", "198.51.100.0/24" or "198.51.100.0/255.255.255.0".
std::optional<Prefix> read_prefix(const std::string& text) {
  Prefix prefix;
  if (const Result<Prefix> plain = Prefix::parse(text); plain.ok()) {
    prefix = *plain;
  } else {
    const auto slash = text.find('/');
    if (slash == std::string::npos) return std::nullopt;
    const Result<IpAddress> address = IpAddress::parse(text.substr(0, slash));
    const Result<IpAddress> mask = IpAddress::parse(text.substr(slash + 1));
    if (!address.ok() || !mask.ok() || address->is_v6() || mask->is_v6()) return std::nullopt;
    const std::uint32_t host_bits = ~mask->v4_host_order();
    if ((host_bits & (host_bits + 1)) != 0) return std::nullopt;  // 255.0.255.0 is no prefix
    prefix = {*address, 32 - __builtin_popcount(host_bits)};
  }
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < prefix.address.size(); ++i) {
    const int used = std::clamp(prefix.length - static_cast<int>(i) * 8, 0, 8);
    bytes.at(i) = static_cast<std::uint8_t>(prefix.address.bytes()[i] & (0xff << (8 - used)));
  }
  return Prefix{IpAddress::from_bytes(prefix.address.family(), bytes.data()), prefix.length};
}

std::optional<Protocol> read_protocol(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  struct Row {
    const char* name;
    const char* number;
    Protocol protocol;
  };
  static constexpr std::array kRows{Row{"tcp", "6", Protocol::kTcp}, Row{"udp", "17", Protocol::kUdp},
                                    Row{"sctp", "132", Protocol::kSctp}};
  for (const Row& row : kRows)
    if (name == row.name || name == row.number) return row.protocol;
  return std::nullopt;
}

/// "80", "8000:8080", ":1023", "1024:".
std::optional<PortRange> read_range(std::string_view text) {
  const auto colon = text.find(':');
  const auto port = [](std::string_view number, std::uint16_t absent) -> std::optional<std::int64_t> {
    return number.empty() ? absent : decimal(number, 0, 65535);
  };
  if (text.empty()) return std::nullopt;
  const auto first = port(text.substr(0, colon), 0);
  const auto last = colon == std::string_view::npos ? first : port(text.substr(colon + 1), 65535);
  if (!first || !last || *first > *last) return std::nullopt;
  return PortRange{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
}

class RuleParser {
 public:
  RuleParser(const std::vector<std::string>& words, const LineOrigin& origin, int family, std::string_view table)
      : words_(words), origin_(origin), family_(family), table_(table) {}

  Result<MarkRule> parse() {
    while (next_ < words_.size()) LVSPEC_TRY(take(words_[next_++]));
    LVSPEC_TRY(check_place());
    LVSPEC_TRY(check_matches());
    LVSPEC_TRY(settle_family());
    return rule_;
  }

 private:
  using Reader = Status (RuleParser::*)(const std::string& word, const std::string& value);

  struct Row {
    const char* letter;  ///< "-d", or "" for none
    const char* name;
    const char* alias;  ///< "" for none
    Part part;
    Reader reader;
  };

  // Each of them takes one value.
  static const auto& rows() {
    static constexpr std::array kRows{
        Row{"-A", "--append", "", Part::kChain, &RuleParser::read_chain},
        Row{"-t", "--table", "", Part::kTable, &RuleParser::read_table},
        Row{"-i", "--in-interface", "", Part::kInterface, &RuleParser::read_interface},
        Row{"-p", "--protocol", "--proto", Part::kProtocol, &RuleParser::read_protocol_option},
        Row{"-s", "--source", "--src", Part::kSource, &RuleParser::read_address},
        Row{"-d", "--destination", "--dst", Part::kDestination, &RuleParser::read_address},
        Row{"", "--source-port", "--sport", Part::kSourcePorts, &RuleParser::read_port},
        Row{"", "--destination-port", "--dport", Part::kDestinationPorts, &RuleParser::read_port},
        Row{"", "--source-ports", "--sports", Part::kSourcePorts, &RuleParser::read_port_list},
        Row{"", "--destination-ports", "--dports", Part::kDestinationPorts, &RuleParser::read_port_list},
        Row{"-m", "--match", "", Part::kMatch, &RuleParser::read_match},
        Row{"-j", "--jump", "", Part::kJump, &RuleParser::read_jump},
        Row{"", "--set-mark", "", Part::kMark, &RuleParser::read_mark},
        Row{"", "--set-xmark", "", Part::kMark, &RuleParser::read_mark},
        Row{"", "--comment", "", Part::kComment, &RuleParser::read_comment},
    };
    return kRows;
  }

  Error fail(const std::string& token, const std::string& message, const std::string& advice) const {
    return ruleset::line_error(origin_, token, message, advice);
  }

  Status take(const std::string& typed) {
    if (typed == "!")
      return fail(typed, "negated matches are not read", "say what the rule takes, not what it leaves");
    if (ruleset::begins_with_typographic_dash(typed))
      return fail(typed, "unknown argument", "its dash is a typographic one; write -");
    if (typed.size() < 2 || typed[0] != '-')
      return fail(typed, "unknown argument", "every value stands behind its option; take it out");
    std::string word = typed;
    std::optional<std::string> value;
    if (const auto equals = typed.find('='); typed[1] == '-' && equals != std::string::npos) {
      word = typed.substr(0, equals);
      value = typed.substr(equals + 1);
    } else if (typed[1] != '-' && typed.size() > 2) {
      word = typed.substr(0, 2);  // "-ieth0"
      value = typed.substr(2);
    }
    const auto row = std::find_if(rows().begin(), rows().end(), [&](const Row& known) {
      return word == known.letter || word == known.name || word == known.alias;
    });
    if (row == rows().end()) return fail(word, "unknown option of a mark rule", kWhatIsRead);
    if (!value) {
      if (next_ == words_.size()) return fail(word, "option requires an argument", "write its value behind it");
      value = words_[next_++];
      if (*value == "!")
        return fail("!", "negated matches are not read", "say what the rule takes, not what it leaves");
    }
    const auto part = static_cast<std::size_t>(row->part);
    if (row->part < Part::kMatch) {
      if (seen_.test(part)) return fail(word, fmt::format("multiple {} flags not allowed", word), "say it once");
      seen_.set(part);
      typed_.at(part) = word;
    }
    return (this->*row->reader)(word, *value);
  }

  Status read_chain(const std::string&, const std::string& value) {
    if (value != "PREROUTING")
      return fail(value, "not a chain that marks packets for IPVS here",
                  "use PREROUTING: IPVS reads the mark that a packet has when it reaches LOCAL_IN");
    return {};
  }

  Status read_table(const std::string&, const std::string& value) {
    if (value != "mangle") return fail(value, "MARK is a target of the mangle table only", "write -t mangle");
    table_ = "mangle";
    return {};
  }

  Status read_interface(const std::string& word, const std::string& value) {
    const bool named = !value.empty() && value != "." && value != ".." &&
                       value.find_first_of("/ \t") == std::string::npos && value[0] != '-';
    if (!named || value.size() > kLongestInterface)
      return fail(
          value, fmt::format("not an interface name for {}", word),
          fmt::format("write one of 1 to {} letters, eth0, or eth+ for all that begin so", kLongestInterface));
    // "+" alone is every interface, which the model says by saying nothing.
    rule_.in_interface = value == "+" ? "" : value;
    return {};
  }

  Status read_protocol_option(const std::string&, const std::string& value) {
    if (value == "all" || value == "0") return {};
    rule_.protocol = read_protocol(value);
    if (!rule_.protocol) return fail(value, "not a protocol that IPVS schedules", "write tcp, udp, sctp or all");
    return {};
  }

  Status read_address(const std::string& word, const std::string& value) {
    const auto prefix = read_prefix(value);
    if (!prefix) {
      const bool list = value.find(',') != std::string::npos;
      return fail(value, fmt::format("not an address or network for {}", word),
                  list ? "write one rule for each address" : "write it in numbers, 198.51.100.10 or 198.51.100.0/24");
    }
    std::optional<Prefix>& target =
        word == "-s" || word == "--source" || word == "--src" ? rule_.source : rule_.destination;
    if (prefix->length > 0) target = *prefix;  // /0 is every address, which the model says by saying nothing
    return note_family(value, prefix->address.family());
  }

  Status note_family(const std::string& token, int family) {
    if (family_ != AF_UNSPEC && family_ != family)
      return fail(
          token,
          fmt::format("an IPv{} address in an IPv{} rule", family == AF_INET6 ? 6 : 4, family_ == AF_INET6 ? 6 : 4),
          family == AF_INET6 ? "begin the line with ip6tables" : "begin the line with iptables");
    family_ = family;
    return {};
  }

  std::vector<PortRange>& ports_of(const std::string& word) {
    return word.starts_with("--s") ? rule_.source_ports : rule_.destination_ports;
  }

  Status read_port(const std::string& word, const std::string& value) {
    const auto range = read_range(value);
    if (!range) return bad_port(value);
    ports_of(word).push_back(*range);
    return {};
  }

  Status read_port_list(const std::string& word, const std::string& value) {
    std::size_t slots = 0;
    std::string_view rest = value;
    while (true) {
      const auto comma = rest.find(',');
      const std::string one(rest.substr(0, comma));
      const auto range = read_range(one);
      if (!range) return bad_port(one);
      ports_of(word).push_back(*range);
      slots += range->first == range->last ? 1 : 2;
      if (comma == std::string_view::npos) break;
      rest = rest.substr(comma + 1);
    }
    if (slots > kMultiportSlots)
      return fail(value, "too many ports specified",
                  fmt::format("multiport takes {}, a range counting as two; write two rules", kMultiportSlots));
    needs_multiport_ = word;
    return {};
  }

  Status bad_port(const std::string& token) const {
    return fail(token, "not a port or range of ports",
                "write 80, or 8000:8080 with the lower one first; names are not resolved");
  }

  Status read_match(const std::string&, const std::string& value) {
    if (value == "multiport") has_multiport_ = true;
    if (value == "multiport" || value == "comment") return {};
    match_protocol_ = read_protocol(value);
    if (!match_protocol_ || value.find_first_not_of("0123456789") == std::string::npos)
      return fail(value, "a match that is not read", kWhatIsRead);
    match_word_ = value;
    return {};
  }

  Status read_jump(const std::string&, const std::string& value) {
    if (value != "MARK")
      return fail(value, "a target that gives no mark", "a mark rule ends in -j MARK --set-mark N");
    return {};
  }

  /// --set-mark V/M clears the bits of M and sets those of V; --set-xmark V/M clears the bits of M and flips those of
  /// V. The kernel has the second only, so the first becomes V/(M|V).
  Status read_mark(const std::string& word, const std::string& value) {
    const auto slash = value.find('/');
    const auto mark = c_number(std::string_view(value).substr(0, slash));
    const auto mask = slash == std::string::npos ? std::optional<std::uint32_t>(0xffffffff)
                                                 : c_number(std::string_view(value).substr(slash + 1));
    if (!mark || !mask)
      return fail(value, fmt::format("bad mark value for {}", word),
                  "write MARK or MARK/MASK, numbers from 0 to 4294967295, 0x for hexadecimal");
    rule_.mark = *mark;
    rule_.mask = word == "--set-mark" ? *mask | *mark : *mask;
    return {};
  }

  Status read_comment(const std::string&, const std::string&) { return {}; }

  bool seen(Part part) const { return seen_.test(static_cast<std::size_t>(part)); }
  const std::string& typed(Part part) const { return typed_.at(static_cast<std::size_t>(part)); }

  Status check_place() const {
    if (!seen(Part::kChain)) return fail(shown(), "no command", "add -A PREROUTING");
    if (table_.empty())
      return fail("PREROUTING", "no chain of the filter table, which is meant where none is named", "add -t mangle");
    if (table_ != "mangle")
      return fail(std::string(table_), "a table that gives no marks", "rules belong in the *mangle section");
    if (!seen(Part::kJump)) return fail(shown(), "the rule does nothing", "add -j MARK --set-mark N");
    if (!seen(Part::kMark))
      return fail("MARK", "One of the --set-xmark, --{and,or,xor,set}-mark options is required", "add --set-mark N");
    return {};
  }

  Status check_matches() const {
    const bool ports = seen(Part::kSourcePorts) || seen(Part::kDestinationPorts);
    if (ports && !rule_.protocol) {
      const Part part = seen(Part::kDestinationPorts) ? Part::kDestinationPorts : Part::kSourcePorts;
      return fail(typed(part), "ports without a protocol that has ports", "add -p tcp, -p udp or -p sctp");
    }
    if (!needs_multiport_.empty() && !has_multiport_)
      return fail(needs_multiport_, fmt::format("unknown option \"{}\"", needs_multiport_),
                  "add -m multiport before it");
    if (match_protocol_ && match_protocol_ != rule_.protocol)
      return fail(match_word_, "a match of another protocol than -p names", fmt::format("add -p {}", match_word_));
    return {};
  }

  Status settle_family() {
    rule_.family = family_ == AF_UNSPEC ? AF_INET : family_;
    return {};
  }

  std::string shown() const { return words_.empty() ? "iptables" : words_.front(); }

  const std::vector<std::string>& words_;
  const LineOrigin& origin_;
  int family_;
  std::string table_;
  std::size_t next_ = 0;
  std::bitset<static_cast<std::size_t>(Part::kCount)> seen_;
  std::array<std::string, static_cast<std::size_t>(Part::kCount)> typed_;  ///< each part's option as it was typed
  std::string needs_multiport_;                                            ///< "--dports", once it was met
  bool has_multiport_ = false;
  std::optional<Protocol> match_protocol_;  ///< of -m tcp
  std::string match_word_;
  MarkRule rule_;
};

}  // namespace

Result<MarkRule> parse_iptables_line(std::string_view line, const LineOrigin& origin, int family,
                                     std::string_view table) {
  LVSPEC_ASSIGN(std::vector<std::string> words, ruleset::split_words(line, origin));
  if (!words.empty()) {
    const std::string_view program = ruleset::program_of(words.front());
    const bool v4 = program == "iptables";
    if (v4 || program == "ip6tables") {
      family = v4 ? AF_INET : AF_INET6;
      words.erase(words.begin());
    }
  }
  return RuleParser(words, origin, family, table).parse();
}

}  // namespace lvspec
