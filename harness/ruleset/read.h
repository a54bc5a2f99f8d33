#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "harness/base/result.h"
#include "harness/ruleset/ruleset.h"

namespace lvspec {

/// Where a line stands, for errors: "fixtures/notes/mark.rules", 3.
struct LineOrigin {
  std::string file;
  int line = 1;  ///< from 1
};

/// One order to a director, as one ipvsadm command line gives it. Of the service in a server command only the
/// identity counts.
struct AddService {
  VirtualService service;  ///< without servers
  bool operator==(const AddService&) const = default;
};
/// Replaces everything but identity and servers; what the line left out is the default again (EDT-01).
struct EditService {
  VirtualService service;
  bool operator==(const EditService&) const = default;
};
struct DeleteService {
  ServiceId service;
  bool operator==(const DeleteService&) const = default;
};
struct AddServer {
  ServiceId service;
  RealServer server;
  bool operator==(const AddServer&) const = default;
};
/// Replaces everything but the identity (DST-07); the server keeps its place in the list (DST-06).
struct EditServer {
  ServiceId service;
  RealServer server;
  bool operator==(const EditServer&) const = default;
};
struct DeleteServer {
  ServiceId service;
  IpAddress address;
  std::uint16_t port = 0;
  bool operator==(const DeleteServer&) const = default;
};
struct ClearServices {
  bool operator==(const ClearServices&) const = default;
};

using Command =
    std::variant<AddService, EditService, DeleteService, AddServer, EditServer, DeleteServer, ClearServices>;

/// One line of ipvsadm 1.31, with or without the leading program name (a path before it is allowed), parsed as
/// ipvsadm parses it: defaults (ADM-32), option order where it matters (-6 after -f, -M after an IPv6 service), the
/// forced port of -g and -i (DST-10). Names are not resolved: a ruleset must mean the same on every machine.
/// The commands that change no service (-L -S -Z -R --set and the daemons) are refused as such; ipvsadm_command.h
/// has them.
/// @return  the command, or a kUsage error: `FILE:LINE: "TOKEN": ipvsadm's own message; what to do` (ADM-60..79).
Result<Command> parse_ipvsadm_line(std::string_view line, const LineOrigin& origin = {"ipvsadm", 1});

/// Does what the kernel would do with the command, or refuses as the kernel would (ADM-50..58), leaving the ruleset
/// as it was. Errors carry the words that ipvsadm prints, without file and line.
Status apply_command(const Command& command, Ruleset* ruleset);

/// One mark rule of `iptables`, `ip6tables` (leading word optional) or of iptables-save's mangle section.
/// @param family  that of the program; a line that names the program overrides it. AF_UNSPEC: tell it from the
///                addresses, IPv4 if there is none.
/// @param table   the table of the section the line stands in, "mangle"; empty: the line must say `-t mangle`.
/// @return        the rule, or a kUsage error: `FILE:LINE: "TOKEN": what is wrong; what to do`.
Result<MarkRule> parse_iptables_line(std::string_view line, const LineOrigin& origin = {"iptables", 1},
                                     int family = AF_UNSPEC, std::string_view table = {});

/// What a line of a ruleset asks for.
using Order = std::variant<Command, MarkRule>;

/// Takes one order. `words` are those of its line, with the program's name if it has one. An error it returns is one
/// of that line, and gets its place.
using OrderSink =
    std::function<Status(const Order& order, const LineOrigin& at, const std::vector<std::string>& words)>;

/// A line that was not read, or whose order was not taken.
struct LineError {
  LineOrigin at;
  Error error;  ///< begins with `FILE:LINE: `
};

/// Gives every order of a file to `sink`, line by line, and goes on after a line that is wrong, as a shell would.
/// @param text, file  as in read_ruleset
/// @return            what was wrong, in the order of the lines; empty if nothing was
std::vector<LineError> read_orders(std::string_view text, const std::string& file, const OrderSink& sink);

/// A file of ipvsadm and iptables lines, as a user types them or as ipvsadm-save, iptables-save and ip6tables-save
/// print them, mixed; blank lines and comments (# to the end of the line) are skipped. Every line is carried out in
/// turn, so `-C`, `-E`, `-D`, `-e` and `-d` act on the lines above them.
/// @param text  the whole file; lines end in \n or \r\n
/// @param file  its name, for errors only
/// @return      the rules in force after the last line, or the first error, which always begins with `FILE:LINE: `.
Result<Ruleset> read_ruleset(std::string_view text, const std::string& file);

/// As read_ruleset, from a file. It not being readable is a kWorld error.
Result<Ruleset> read_ruleset_file(const std::string& path);

}  // namespace lvspec
