#include "harness/doctor/traps.h"

#include <algorithm>
#include <map>

#include "harness/base/check.h"

namespace lvspec::doctor {

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return "error";
    case Severity::kTrap:
      return "trap";
    case Severity::kNote:
      break;
  }
  return "note";
}

const std::vector<Trap>& all_traps() {
  constexpr auto kError = Severity::kError;
  constexpr auto kTrap = Severity::kTrap;
  constexpr auto kNote = Severity::kNote;
  static const std::vector<Trap> kTraps = {
      // Lines that a program refuses.
      {"unknown-option", kError, {"ADM-79"}, {"FR-35"}, "notes.unknown-option-is-named"},
      {"unknown-command", kError, {"ADM-30"}, {}, "notes.unknown-command-is-named"},
      {"refused-line", kError, {"ADM-79", "ADM-30"}, {"FR-35"}, "notes.unknown-option-is-named"},
      {"port-zero-refused", kError, {"SVC-12", "ADM-60"}, {"FR-54"}, "pcc.without-persistence-takes-nothing"},
      {"one-packet-refused", kError, {"CON-53", "CON-50"}, {"FR-108"}, "protocols.one-packet-alone"},
      {"lower-threshold-refused", kError, {"DST-11", "DST-21"}, {"FR-119"}, "ppc.full-server-keeps-clients"},
      {"mark-refused", kError, {"FWM-01"}, {"FR-57"}, "fwmark.every-number-is-a-mark"},
      {"family-refused", kError, {"FWD-05"}, {"FR-88"}, "forwarding.tunnels-mix-families"},
      {"window-refused", kError, {"ADM-33"}, {"FR-11", "FR-12"}, "expiry.window-of-a-day"},

      // The window.
      {"default-window", kTrap, {"ADM-33"}, {"FR-120"}, "expiry.default-window-is-360"},
      {"window-nobody-asked-for", kTrap, {"ADM-33"}, {"FR-121"}, "expiry.default-window-is-360"},
      {"short-window", kTrap, {"TPL-36", "TPL-34"}, {"FR-01", "FR-04"}, "expiry.short-windows-last-longer"},
      {"short-udp-window", kTrap, {"TPL-34", "CON-30"}, {"FR-01", "FR-66"}, "expiry.udp-window"},

      // The key: who is one client, and where.
      {"mask-without-dots", kTrap, {"ADM-35", "TPL-10"}, {"FR-38"}, "ppc.mask-need-not-be-contiguous"},
      {"mask-with-holes", kNote, {"TPL-10"}, {"FR-39"}, "ppc.mask-need-not-be-contiguous"},
      {"mask-of-everybody", kTrap, {"TPL-10"}, {"FR-37", "FR-34"}, "ppc.mask-zero-is-everybody"},
      {"mask-of-one-address", kNote, {"TPL-10"}, {"FR-41", "FR-34"}, "ppc.mask-default-is-one-address"},
      {"mask-of-one-ipv6-address", kTrap, {"TPL-11"}, {"FR-43"}, "ppc.mask-ipv6-prefix"},
      {"mask-without-persistence", kTrap, {"EDT-01", "ADM-02"}, {"FR-28"}, "ppc.persistence-is-read-back"},
      {"ports-apart", kTrap, {"TPL-05"}, {"FR-45"}, "ppc.ports-stick-apart"},
      {"protocols-apart", kTrap, {"TPL-06"}, {"FR-42"}, "pcc.protocols-are-apart"},
      {"addresses-apart", kNote, {"TPL-03", "TPL-06"}, {"FR-60"}, "pcc.addresses-are-apart"},

      // Port zero and FTP.
      {"port-zero-without-persistence",
       kTrap,
       {"SVC-12", "SVC-11"},
       {"FR-54"},
       "pcc.without-persistence-takes-nothing"},
      {"all-ports-are-taken", kNote, {"FWD-10"}, {"FR-50"}, "pcc.unserved-port-is-refused"},
      {"exact-port-beside-all-ports", kTrap, {"SVC-07"}, {"FR-99"}, "pcc.exact-port-wins"},
      {"ftp-beside-all-ports", kTrap, {"SVC-08", "SVC-10", "TPL-08"}, {"FR-58"}, "pcc.ftp-takes-data-ports"},
      {"ftp-takes-high-ports", kNote, {"SVC-10"}, {"FR-58"}, "pcc.ftp-takes-data-ports"},
      {"ftp-without-persistence", kTrap, {"SVC-11", "SVC-10"}, {"FR-58"}, "pcc.ftp-takes-data-ports"},
      {"client-port-20", kTrap, {"SVC-14"}, {"FR-58"}, "protocols.port-20-is-not-balanced"},

      // Marks.
      {"mark-without-persistence", kTrap, {"FWM-03"}, {"FR-55", "FR-59"}, "fwmark.without-persistence-pools-only"},
      {"mark-zero", kTrap, {"FWM-01"}, {"FR-57"}, "fwmark.every-number-is-a-mark"},
      {"mark-printed-negative", kTrap, {"FWM-02", "FWM-01"}, {"FR-57", "FR-109"}, "fwmark.every-number-is-a-mark"},
      {"mark-without-service", kTrap, {"SVC-04", "SVC-13"}, {"FR-59"}, "fwmark.unmarked-is-not-balanced"},
      {"service-without-mark", kTrap, {"SVC-04", "SVC-13"}, {"FR-59"}, "fwmark.unmarked-is-not-balanced"},
      {"mark-of-the-other-family", kTrap, {"FWM-07", "SVC-16"}, {"FR-56"}, "fwmark.families-are-apart"},
      {"mark-of-several-addresses", kTrap, {"TPL-07"}, {"FR-60", "FR-117"}, "fwmark.addresses-share-the-template"},
      {"mark-beats-address", kTrap, {"SVC-05"}, {"FR-117"}, "fwmark.mark-wins-over-address"},
      {"marks-overlap", kTrap, {"SVC-04", "SVC-06"}, {"FR-117"}, "fwmark.marks-are-apart"},

      // Servers.
      {"server-port-ignored", kTrap, {"TPL-09"}, {"FR-53"}, "pcc.connections-keep-their-ports"},
      {"server-port-replaced", kTrap, {"DST-10", "FWD-02"}, {"FR-53"}, "forwarding.direct-keeps-the-port"},
      {"weight-zero-is-no-drain",
       kTrap,
       {"VAL-03", "DST-12"},
       {"FR-61", "FR-69", "FR-72"},
       "ppc.weight-zero-keeps-clients"},
      {"inhibit-pins-clients",
       kTrap,
       {"VAL-03", "VAL-01", "CTL-11"},
       {"FR-61", "FR-62", "FR-70"},
       "ppc.weight-zero-releases-clients-if-asked"},
      {"removal-hangs-clients",
       kNote,
       {"VAL-20", "CTL-10"},
       {"FR-63", "FR-67"},
       "ppc.removed-server-resets-if-asked"},
      {"sorry-server-keeps-clients", kTrap, {"VAL-03"}, {"FR-115", "FR-76"}, "ppc.weight-zero-keeps-clients"},
      {"dead-servers-are-not-noticed",
       kNote,
       {"FWD-09", "VAL-02"},
       {"FR-65", "FR-70"},
       "ppc.dead-server-keeps-clients"},
      {"no-server", kTrap, {"SVC-21"}, {"FR-80"}, "ppc.no-server-left-refuses"},
      {"director-is-a-server", kNote, {"FWD-01"}, {"FR-100"}, "ppc.notes-one-port"},
      {"threshold-counts-closed", kTrap, {"DST-20", "CON-73"}, {"FR-119"}, "ppc.full-server-keeps-clients"},
      {"threshold-counts-udp", kTrap, {"DST-20", "CON-30"}, {"FR-119", "FR-107"}, "expiry.udp-flow-lives-300"},
      {"threshold-spares-known-clients", kTrap, {"DST-22", "VAL-02"}, {"FR-119"}, "ppc.full-server-keeps-clients"},
      {"threshold-is-not-saved", kNote, {"DST-25", "DST-21"}, {"FR-109"}, "ppc.full-server-keeps-clients"},

      // Schedulers.
      {"weights-ignored", kTrap, {"SCH-10", "SCH-30", "SCH-51"}, {}, "pcc.notes-all-ports"},
      {"wrr-order", kNote, {"SCH-21", "SCH-23"}, {"FR-103"}, "schedulers.wrr-restarts-on-an-edit"},
      {"dh-is-one-server", kTrap, {"SCH-51"}, {}, "schedulers.dh-chooses-by-virtual-address"},
      {"lblc-is-one-server", kTrap, {"SCH-70", "SCH-71"}, {}, "schedulers.lblc-stays-with-a-server"},
      {"hash-only-for-newcomers", kNote, {"TPL-01", "SCH-55"}, {"FR-36"}, "schedulers.template-beats-the-hash"},
      {"sh-refuses", kTrap, {"SCH-53", "SCH-52"}, {"FR-102"}, "schedulers.sh-falls-back-if-asked"},
      {"mh-refuses", kTrap, {"SCH-63", "SCH-62"}, {"FR-102"}, "schedulers.mh-falls-back-if-asked"},
      {"short-requests-pile-up", kNote, {"SCH-32"}, {}, "schedulers.sed-forgets-finished-connections"},
      {"ovf-takes-one-more", kNote, {"SCH-41"}, {}, "schedulers.ovf-overflows"},
      {"fo-is-one-server", kNote, {"SCH-40"}, {}, "schedulers.fo-sends-all-to-the-heaviest"},

      // One packet, SIP.
      {"one-packet-renews", kNote, {"CON-51"}, {"FR-108"}, "expiry.one-packet-datagrams-renew"},
      {"udp-flow-is-one-connection", kNote, {"CON-31"}, {"FR-107"}, "protocols.udp-flow-stays"},
      {"sip-per-address", kTrap, {"TPL-20"}, {"FR-110"}, "protocols.sip-call-stays"},
      {"sip-flow-wins", kTrap, {"TPL-22"}, {"FR-110"}, "protocols.sip-flow-wins"},
      {"sip-without-persistence", kTrap, {"TPL-24"}, {"FR-110"}, "protocols.sip-needs-persistence"},
      {"sip-drops-the-rest", kTrap, {"TPL-21"}, {"FR-110"}, "protocols.sip-without-call-id"},

      // Changes while clients come.
      {"edit-resets", kTrap, {"EDT-01"}, {"FR-27"}, "ppc.persistence-is-read-back"},
      {"edit-keeps-old-windows", kTrap, {"EDT-02"}, {"FR-08", "FR-24"}, "expiry.edited-window-for-new-templates"},
      {"edit-hides-templates", kTrap, {"EDT-05", "TPL-16"}, {}, "ppc.mask-edit-hides-templates"},
      {"edit-restarts-wrr", kNote, {"SCH-21"}, {}, "schedulers.wrr-restarts-on-an-edit"},
      {"edit-changes-method",
       kTrap,
       {"DST-07", "FWD-02"},
       {},
       "forwarding.another-method-strands-direct-connections"},
      {"edit-to-weight-zero", kTrap, {"VAL-03", "DST-07"}, {"FR-61", "FR-69"}, "ppc.weight-zero-keeps-clients"},
      {"delete-hangs-clients", kTrap, {"VAL-20", "DST-01"}, {"FR-63", "FR-67"}, "ppc.removed-server-drops-silently"},
      {"clear-keeps-templates", kNote, {"TPL-52", "EDT-11"}, {"FR-90"}, "ppc.clear-and-reload-keep-clients"},

      // Two directors.
      {"fail-over-forgets-clients",
       kTrap,
       {"SYN-10", "SYN-09"},
       {"FR-85", "FR-94"},
       "sync.template-survives-fail-over"},
      {"fail-over-restarts-windows", kNote, {"SYN-07"}, {"FR-89", "FR-91"}, "sync.window-restarts-at-fail-over"},
  };
  return kTraps;
}

const Trap& trap(std::string_view id) {
  const auto& all = all_traps();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Trap& one) { return one.id == id; });
  LVSPEC_CHECK(found != all.end());
  return *found;
}

std::string_view gist(std::string_view clause) {
  static const std::map<std::string_view, std::string_view> kGists = {
      {"ADM-02", "a listing shows persistence and mask only where they are in force"},
      {"ADM-30", "a line begins with exactly one command"},
      {"ADM-33", "-p without a number is 360 s; 1 to 2678400 are taken"},
      {"ADM-35", "-M reads an address: 24 is 0.0.0.24"},
      {"ADM-60", "ipvsadm refuses port 0 without -p"},
      {"ADM-79", "an option that ipvsadm does not have ends the command"},
      {"CON-20", "a closed connection keeps its entry: FIN_WAIT and TIME_WAIT 120 s, CLOSE 10 s"},
      {"CON-30", "a UDP entry lives 300 s after its last datagram and is never active"},
      {"CON-31", "a UDP source port stays on its server while gaps are shorter than 300 s"},
      {"CON-50", "-o schedules each datagram alone"},
      {"CON-51", "with -o -p every datagram renews the template"},
      {"CON-53", "-o is for UDP and mark services only"},
      {"CON-73", "with direct routing a finished connection counts as inactive for 120 s"},
      {"CTL-10", "expire_nodest_conn: whether connections of a removed server end at once"},
      {"CTL-11", "expire_quiescent_template: whether weight 0 makes templates invalid"},
      {"DST-01", "a removed server is unavailable at once; its entries stay"},
      {"DST-07", "-e replaces weight, method and thresholds as a whole"},
      {"DST-10", "with -g and -i ipvsadm replaces the server's port by the service's"},
      {"DST-11", "the kernel refuses a lower threshold above the upper one"},
      {"DST-12", "weight 0: no scheduler chooses the server; what exists goes on"},
      {"DST-20", "a threshold counts all entries of a server, finished ones too"},
      {"DST-21", "full at -x, free again below -y or three quarters of -x"},
      {"DST-22", "templates ignore thresholds"},
      {"DST-25", "ipvsadm -S does not save thresholds"},
      {"EDT-01", "-E replaces scheduler, flags, persistence, mask and engine as a whole"},
      {"EDT-02", "a new -p is for new templates; old ones keep theirs, also when renewed"},
      {"EDT-05", "templates made with another mask are no longer found"},
      {"EDT-11", "services set up again have their old templates and connections back"},
      {"FWD-01", "a packet for a local server goes to the director's own stack"},
      {"FWD-02", "direct routing changes no port, whatever port the server has"},
      {"FWD-05", "another address family only through tunnels"},
      {"FWD-09", "IPVS does not notice a dead server; retries renew the template to it"},
      {"FWD-10", "a port that the server does not serve is refused by it, and tried nowhere else"},
      {"FWM-01", "a mark is 1 to 4294967295; 0 is none"},
      {"FWM-02", "ipvsadm prints marks from 2147483648 on as negative numbers"},
      {"FWM-03", "a mark service without -p schedules each connection by itself"},
      {"FWM-07", "IPv6 packets of a mark need a service of their own, -f N -6"},
      {"SCH-10", "rr takes servers in turn, whatever their weight"},
      {"SCH-21", "any change of a server restarts wrr at the head of its list"},
      {"SCH-23", "wrr's first round after setting up serves everyone once, last added first"},
      {"SCH-30", "lc compares connections; the weight's value does not count"},
      {"SCH-32", "sed and nq do not count finished connections"},
      {"SCH-40", "fo sends everything to the heaviest server"},
      {"SCH-41", "ovf fills a server with weight + 1 connections"},
      {"SCH-51", "dh hashes the packet's destination: one VIP, one server; weights are ignored"},
      {"SCH-52", "a server of weight 0 keeps a part of sh's table"},
      {"SCH-53", "sh refuses clients whose server is quiescent or full, unless sh-fallback"},
      {"SCH-55", "with persistence the hash decides a network's first connection only"},
      {"SCH-62", "a server of weight 0 keeps its slots in mh's table"},
      {"SCH-63", "mh refuses clients whose server is quiescent or full, unless mh-fallback"},
      {"SCH-70", "lblc and lblcr choose by destination address"},
      {"SCH-71", "lblc keeps an address with its server until that is busy"},
      {"SVC-02", "a packet of a known connection follows it; nothing else is asked"},
      {"SVC-04", "first the mark, then the exact port, then FTP's, then port 0"},
      {"SVC-05", "a mark's service wins over the address's"},
      {"SVC-06", "the mark that counts is the one the packet arrives with, set last"},
      {"SVC-07", "the exact port wins over port 0"},
      {"SVC-08", "VIP:21 comes before VIP:0 for port 20 and ports from 1024 on"},
      {"SVC-10", "a persistent VIP:21 takes port 20 and every port from 1024 on"},
      {"SVC-11", "without persistence VIP:21 and VIP:0 take no port but their own"},
      {"SVC-12", "port 0 without persistence schedules nothing"},
      {"SVC-13", "packets without a service go to the director's own stack"},
      {"SVC-14", "a packet from client port 20 is never scheduled"},
      {"SVC-16", "marks of IPv4 and IPv6 with one number are two services"},
      {"SVC-21", "without a usable server the client is refused by ICMP"},
      {"SYN-07", "each sync message starts the backup's window again"},
      {"SYN-09", "synchronised templates are bound to the backup's own servers"},
      {"SYN-10", "without a bound template a client is scheduled anew after fail-over"},
      {"TPL-01", "the scheduler is asked only when a client has no valid template"},
      {"TPL-03", "a template's key: protocol, masked client, virtual address and port, or the mark"},
      {"TPL-05", "each port has templates of its own"},
      {"TPL-06", "a port-0 template covers all ports of one protocol on one address"},
      {"TPL-07", "a mark's template covers all addresses, ports and protocols of the mark"},
      {"TPL-08", "VIP:21 and VIP:0 share templates, although their servers may differ"},
      {"TPL-09", "persistent mark and port-0 services keep the client's port"},
      {"TPL-10", "a client is its address under the mask; without -M one address"},
      {"TPL-11", "a client is its address under the prefix; without -M one address"},
      {"TPL-16", "only templates of the present mask are found"},
      {"TPL-20", "the Call-ID is added to the key; the client's address stays in it"},
      {"TPL-21", "what has no Call-ID, or is not UDP, is dropped"},
      {"TPL-22", "a datagram of a known flow follows it, whatever its Call-ID"},
      {"TPL-24", "without persistence the engine has no effect"},
      {"TPL-30", "the window begins with a client's first connection"},
      {"TPL-31", "each new connection renews it, data does not"},
      {"TPL-34", "at its end it goes on in steps of 60 s while an entry of the client lives"},
      {"TPL-35", "after such a step new connections renew it for 60 s only"},
      {"TPL-36", "a finished connection holds the template for its 120 s"},
      {"TPL-52", "no command deletes a template"},
      {"VAL-01", "a template is void if its server is removed, or quiescent with expire_quiescent_template=1"},
      {"VAL-02", "nothing else makes it void: not overload, not a dead server"},
      {"VAL-03", "a server of weight 0 gets the new connections of clients it knows, and each renews the window"},
      {"VAL-20", "packets for a removed server are dropped silently unless expire_nodest_conn=1"},
  };
  const auto found = kGists.find(clause);
  LVSPEC_CHECK(found != kGists.end());
  return found->second;
}

}  // namespace lvspec::doctor
