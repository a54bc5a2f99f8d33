#include "director/ipvsadm/usage.h"

#include <fmt/format.h>

namespace lvspec::ipvsadm {
namespace {

// The synopsis and the options are ipvsadm's, since scripts look for them; the explanations are ours.
constexpr char kSynopsis[] =
    "  {0} -A|E virtual-service [-s scheduler] [-p [timeout]] [-M netmask] [--pe persistence_engine] [-b "
    "sched-flags]\n"
    "  {0} -D virtual-service\n"
    "  {0} -C\n"
    "  {0} -R\n"
    "  {0} -S [-n]\n"
    "  {0} -a|e virtual-service -r server-address [options]\n"
    "  {0} -d virtual-service -r server-address\n"
    "  {0} -L|l [virtual-service] [options]\n"
    "  {0} -Z [virtual-service]\n"
    "  {0} --set tcp tcpfin udp\n"
    "  {0} --start-daemon {{master|backup}} [daemon-options]\n"
    "  {0} --stop-daemon {{master|backup}}\n"
    "  {0} -h\n";

constexpr char kOptions[] = R"(
Commands (the first option; one a line):
  --add-service     -A        a new virtual service
  --edit-service    -E        replace a service's settings; what is left out gets its default
  --delete-service  -D        remove a service and its servers
  --clear           -C        remove all services
  --restore         -R        read commands from stdin, one a line, as -S prints them
  --save            -S        print the commands that make these services
  --add-server      -a        a new real server, at the head of its service's list
  --edit-server     -e        replace a server's settings
  --delete-server   -d        remove a server
  --list            -L|-l     list services, or what the options below name
  --zero            -Z        set counters to zero, of one service or all
  --set tcp tcpfin udp        timeouts of connections in seconds; 0 keeps one
  --start-daemon              start synchronising connections, as master or backup
  --stop-daemon               stop it
  --version         -v        the version
  --help            -h        this text

virtual-service:
  --tcp-service|-t  service-address   host[:port], IPv6 as [address]:port
  --udp-service|-u  service-address   the same for UDP
  --sctp-service    service-address   the same for SCTP
  --fwmark-service|-f fwmark          packets with this mark, 1 to 4294967295

Options:
  --ipv6         -6                   after -f: the mark of IPv6 packets
  --scheduler    -s scheduler         one of rr|wrr|lc|wlc|lblc|lblcr|dh|sh|sed|nq|fo|ovf|mh|twos,
                                      wlc if left out
  --pe            engine              persistence engine, sip
  --persistent   -p [timeout]         keep clients on their server for so many seconds, 360 if left out
  --netmask      -M netmask           how much of a client's address counts: 255.255.255.0, IPv6: 64
  --real-server  -r server-address    host[:port] of a server
  --gatewaying   -g                   direct routing (the default)
  --ipip         -i                   tunneling
  --masquerading -m                   NAT
  --tun-type      type                one of ipip|gue|gre, ipip if left out
  --tun-port      port                UDP port of gue
  --tun-nocsum                        no checksum in the tunnel's header
  --tun-csum                          a checksum in it
  --tun-remcsum                       remote checksum offload (gue)
  --weight       -w weight            share of a server; 0: no new clients
  --u-threshold  -x uthreshold        connections at which a server is full
  --l-threshold  -y lthreshold        connections at which it takes more again
  --connection   -c                   list connections and templates
  --timeout                           list timeouts (tcp tcpfin udp)
  --daemon                            list synchronisation daemons
  --stats                             list totals
  --rate                              list rates a second
  --exact                             list numbers in full
  --thresholds                        list thresholds
  --persistent-conn                   list persistent connections; with -c, engines' data
  --tun-info                          list tunnels
  --nosort                            list in the director's order
  --sort                              has no effect
  --ops          -o                   schedule every UDP packet by itself
  --numeric      -n                   list numbers instead of names
  --sched-flags  -b flags             flags of the scheduler, separated by commas

Daemon Options:
  --syncid sid                        0 to 255; 0 if left out
  --sync-maxlen length                bytes of a message (1472 for Ethernet)
  --mcast-interface interface         where messages are sent and heard, eth0 if left out
  --mcast-group address               their group (224.0.0.81)
  --mcast-port port                   their UDP port (8848)
  --mcast-ttl ttl                     how far they go (1)

Environment:
  LVSPEC_CONTROL                      the director's control socket, a path or @name; @lvspec-director of this
                                      network namespace if unset. `lvspec-ipvsadm --control SOCKET ...` is the same.
)";

}  // namespace

std::string version_line() { return "ipvsadm v1.31 (lvspec-ipvsadm " LVSPEC_VERSION ", IPVS v1.2.1)\n"; }

std::string usage_text(const std::string& program) {
  return fmt::format("{}Usage:\n{}{}", version_line(), fmt::format(kSynopsis, program), kOptions);
}

}  // namespace lvspec::ipvsadm
