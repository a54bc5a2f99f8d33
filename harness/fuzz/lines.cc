#include "harness/fuzz/lines.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

#include "harness/ruleset/write.h"

namespace lvspec::fuzz {
namespace {

std::string service_words(const ServiceId& id) {
  if (id.is_mark()) return fmt::format("-f {}{}", id.fwmark, id.family == AF_INET6 ? " -6" : "");
  const char* option = id.protocol == Protocol::kTcp ? "-t" : id.protocol == Protocol::kUdp ? "-u" : "--sctp-service";
  return fmt::format("{} {}", option, Endpoint{id.address, id.port}.str());
}

/// The `-a` line of write_ipvsadm(), with the thresholds that `-S` does not save (DST-25).
std::string server_line(char command, const ServiceId& id, const RealServer& server) {
  VirtualService service;
  service.id = id;
  service.servers = {server};
  std::string line = write_ipvsadm(service);
  line = line.substr(line.find('\n') + 1);
  line.pop_back();
  line[1] = command;
  if (server.upper != 0) line += fmt::format(" -x {}", server.upper);
  if (server.lower != 0) line += fmt::format(" -y {}", server.lower);
  return line;
}

std::string service_line(char command, VirtualService service) {
  service.servers.clear();
  std::string line = write_ipvsadm(service);
  line.pop_back();
  line[1] = command;
  return line;
}

struct Written {
  std::string operator()(const AddService& c) const { return service_line('A', c.service); }
  std::string operator()(const EditService& c) const { return service_line('E', c.service); }
  std::string operator()(const DeleteService& c) const { return "-D " + service_words(c.service); }
  std::string operator()(const AddServer& c) const { return server_line('a', c.service, c.server); }
  std::string operator()(const EditServer& c) const { return server_line('e', c.service, c.server); }
  std::string operator()(const DeleteServer& c) const {
    return fmt::format("-d {} -r {}", service_words(c.service), Endpoint{c.address, c.port}.str());
  }
  std::string operator()(const ClearServices&) const { return "-C"; }
};

std::string netcat(const Endpoint& client, const Endpoint& target) {
  return fmt::format("nc -{} -s {} -p {} {} {}", client.address.is_v6() ? 6 : 4, client.address.str(), client.port,
                     target.address.str(), target.port);
}

std::string hping(const Endpoint& client, const Endpoint& target, const std::string& flags) {
  std::string letters;
  for (const char flag : flags) letters += fmt::format(" -{}", flag);
  return fmt::format("hping3 -c 1{} -a {} -s {} -k -p {} {}", letters, client.address.str(), client.port, target.port,
                     target.address.str());
}

class Script {
 public:
  void operator()(const Command& command) { line("ipvsadm " + std::visit(Written{}, command)); }
  void operator()(const SetSysctl& s) { line(fmt::format("sysctl -w net.ipv4.vs.{}={}", s.name, s.value)); }
  void operator()(const SetTimeouts& s) { line(fmt::format("ipvsadm --set {} {} {}", s.tcp, s.tcp_fin, s.udp)); }
  void operator()(const SetMarks& s) {
    line("iptables -t mangle -F PREROUTING; ip6tables -t mangle -F PREROUTING");
    for (const MarkRule& rule : s.rules) line(iptables_line(rule));
  }
  void operator()(const Connect& c) {
    switch (c.shape) {
      case Shape::kSyn:
        return line(hping(c.client, c.target, "S") + "   # a SYN, and silence whatever comes");
      case Shape::kOpen:
        open_.insert({c.client, c.target});
        return line(fmt::format("{} &   # held open", netcat(c.client, c.target)));
      case Shape::kNothingSaid:
        return line(netcat(c.client, c.target) + " -z   # a handshake, then closed by the client");
      case Shape::kClientFirst:
        return line(netcat(c.client, c.target) + " -N <<< question   # the client closes first");
      case Shape::kServerFirst:
        return line(
            fmt::format("curl --http1.0 --interface {} --local-port {} http://{}/   # the server closes first",
                        c.client.address.str(), c.client.port, c.target.str()));
      case Shape::kHalfClose:
        return line(netcat(c.client, c.target) +
                    " -N <<< question   # the server goes on sending after the client's FIN");
      case Shape::kReset:
        return line(netcat(c.client, c.target) + " <<< question   # ended by a RST (SO_LINGER 0)");
    }
  }
  void operator()(const Segment& s) {
    const bool open = open_.contains({s.client, s.target});
    if (open && s.flags == "PA") return line(fmt::format("# type a line into the nc from port {}", s.client.port));
    if (open && s.flags == "FA") return line(fmt::format("# end the nc from port {}", s.client.port));
    if (open && s.flags == "R") return line(fmt::format("# reset the nc from port {}", s.client.port));
    line(hping(s.client, s.target, s.flags));
  }
  void operator()(const Datagram& d) { line(netcat(d.client, d.target) + " -u -w 0 <<< question"); }
  void operator()(const Pause& p) { line(fmt::format("sleep {}", p.seconds)); }

  std::string text;

 private:
  void line(const std::string& what) { text += what + "\n"; }

  std::set<std::pair<Endpoint, Endpoint>> open_;
};

}  // namespace

std::string ipvsadm_line(const Command& command) { return std::visit(Written{}, command); }

std::string iptables_line(const MarkRule& rule) {
  Ruleset ruleset;
  ruleset.marks = {rule};
  const std::string text = write_iptables(ruleset, rule.family);
  const auto begin = text.find("\n-A ") + 1;
  return fmt::format("{} -t mangle {}", rule.family == AF_INET6 ? "ip6tables" : "iptables",
                     text.substr(begin, text.find('\n', begin) - begin));
}

std::string script_of(const std::vector<Step>& steps) {
  Script script;
  for (const Step& step : steps) std::visit(script, step);
  return script.text;
}

}  // namespace lvspec::fuzz
