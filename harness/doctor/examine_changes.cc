#include <fmt/format.h>

#include "harness/doctor/findings.h"

namespace lvspec::doctor {
namespace {

class ChangeExaminer {
 public:
  ChangeExaminer(const Change& change, Findings* findings) : change_(change), out_(*findings) {}

  void operator()(const EditService& command) {
    const VirtualService& before = *change_.before;
    const VirtualService& after = command.service;
    const std::string name = after.id.str();
    std::string lost;
    const auto lose = [&lost](const std::string& what) { lost += (lost.empty() ? "" : ", ") + what; };
    if (before.persistent_s && !after.persistent_s) lose(fmt::format("-p {}", *before.persistent_s));
    if (before.scheduler != after.scheduler && !change_.scheduler_typed) lose(fmt::format("-s {}", before.scheduler));
    if (before.persistent_s && after.persistent_s && has_mask(before) && !has_mask(after))
      lose(fmt::format("-M {}",
                       before.id.family == AF_INET6 ? std::to_string(before.prefix_length) : before.netmask.str()));
    if (!before.sched_flags.empty() && after.sched_flags.empty()) lose("-b " + before.sched_flags.front());
    if (!before.pe.empty() && after.pe.empty()) lose("--pe " + before.pe);
    if (before.one_packet && !after.one_packet) lose("-o");
    if (!lost.empty())
      say("edit-resets", fmt::format("{}: -E replaces the service as a whole; this line takes away {}", name, lost),
          "repeat what is to stay: " + lost);
    if (!before.persistent_s || !after.persistent_s) return;
    if (*before.persistent_s != *after.persistent_s)
      say("edit-keeps-old-windows",
          fmt::format("{}: the window of {} s is for new clients; those known keep {} s, also when they renew it",
                      name, *after.persistent_s, *before.persistent_s),
          "wait until the old templates have ended; no command deletes them");
    if (before.netmask != after.netmask || before.prefix_length != after.prefix_length)
      say("edit-hides-templates",
          fmt::format("{}: with another mask the clients' templates are no longer found: they are scheduled anew",
                      name),
          "change the mask when moving clients does no harm");
  }

  void operator()(const EditServer& command) {
    const RealServer& before = *change_.server_before;
    const RealServer& after = command.server;
    const std::string who = fmt::format("{} of {}", after.endpoint().str(), command.service.str());
    if (before.method != after.method)
      say("edit-changes-method",
          fmt::format(
              "{}: -e replaces weight, method and thresholds as a whole: new connections go by {} instead of {}, and "
              "old ones may be lost",
              who, method_name(after.method), method_name(before.method)),
          "repeat the method: -g, -i or -m");
    else if (before.upper != 0 && after.upper == 0)
      say("edit-changes-method",
          fmt::format("{}: -e replaces weight, method and thresholds as a whole: this line takes away -x {}", who,
                      before.upper),
          fmt::format("repeat -x {}", before.upper));
    if (after.weight == 0 && change_.before->persistent_s)
      say("edit-to-weight-zero",
          fmt::format("{}: weight 0 drains nobody who comes back: clients it knows stay, with new connections too",
                      who),
          "sysctl -w net.ipv4.vs.expire_quiescent_template=1 lets them go at their next connection");
    if (change_.before->scheduler == "wrr" && change_.before->servers.size() > 1)
      say("edit-restarts-wrr", fmt::format("{}: the edit starts wrr's round again at the last added server", who),
          "nothing, unless edits are frequent: then weights mean little");
  }

  void operator()(const DeleteServer& command) {
    say("delete-hangs-clients",
        fmt::format("{} of {}: its open connections hang, because their packets are dropped without an answer",
                    Endpoint{command.address, command.port}.str(), command.service.str()),
        "sysctl -w net.ipv4.vs.expire_nodest_conn=1, before the deletion");
  }
  void operator()(const ClearServices&) { clear(); }
  void operator()(const DeleteService&) { clear(); }
  void operator()(const AddService&) {}
  void operator()(const AddServer&) {}

 private:
  static bool has_mask(const VirtualService& service) {
    return service.netmask != VirtualService{}.netmask || service.prefix_length != 128;
  }
  void clear() {
    say("clear-keeps-templates",
        "connections and templates stay: when the services are set up again, clients go on where they were, with "
        "their old "
        "windows",
        "nothing, if that is meant; no command deletes a template");
  }
  void say(std::string_view id, std::string text, std::string instead) {
    out_.say(id, change_.place, std::move(text), std::move(instead));
  }

  const Change& change_;
  Findings& out_;
};

}  // namespace

void examine_changes(const Configuration& configuration, Findings* findings) {
  for (const Change& one : configuration.changes) std::visit(ChangeExaminer(one, findings), one.command);
}

}  // namespace lvspec::doctor
