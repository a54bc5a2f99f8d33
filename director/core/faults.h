#pragma once

#include <cstddef>
#include <string_view>

namespace lvspec::director {

/// Deliberate faults of the core ("mutants"), each one a mistake somebody could make or has made. They exist only in
/// the test-only build (LVSPEC_FAULTS), where `set_fault` switches one on; in the released director `fault()` is the
/// constant false and every trace of them is optimised away.
///
/// X(enumerator, "name on the command line", "what it does wrong", "field reports that describe it")
// clang-format off
#define LVSPEC_FAULT_LIST(X)                                                                                         \
  /* Is it sticky at all? */                                                                                         \
  X(kNoPersistence, "no-persistence", "ignores persistence altogether", "FR-27 FR-112")                              \
  X(kOneServerForAll, "one-server-for-all", "all clients share one template", "FR-32 FR-33 FR-41")                   \
  X(kMarkAlwaysPersistent, "mark-always-persistent", "a mark service sticks without -p", "FR-26")                    \
  X(kEditPersistenceIgnored, "edit-persistence-ignored", "-E does not switch persistence on or off", "FR-10")        \
  X(kPersistenceOffSticks, "persistence-off-still-sticks", "after -E without -p old templates are used", "FR-22")    \
  X(kFirstPacketDropped, "first-packet-dropped", "the packet that makes a template is dropped", "FR-14")             \
  X(kPinnedAfterHandshake, "pinned-after-handshake", "simultaneous first connections split", "FR-113")               \
  /* The client's key */                                                                                             \
  X(kMaskIgnored, "mask-ignored", "-M has no effect", "FR-38 FR-43")                                                 \
  X(kMaskZeroIsUnset, "mask-zero-is-unset", "-M 0.0.0.0 counts as no mask", "FR-37")                                 \
  X(kMaskWrongBytes, "mask-wrong-bytes", "the mask is applied in the other byte order", "FR-38 FR-41")               \
  X(kKeyIncludesSourcePort, "key-includes-source-port", "each client port has its own template", "FR-42 FR-93")      \
  /* Ports */                                                                                                        \
  X(kPpcCoversAllPorts, "ppc-covers-all-ports", "a one-port template serves all ports of the VIP", "FR-45")          \
  X(kPccKeyIncludesPort, "pcc-key-includes-port", "a port-0 service sticks per port", "FR-45 FR-47")                 \
  X(kTcpUdpShareTemplate, "tcp-udp-share-template", "port-0 templates know no protocol", "")                         \
  X(kPortZeroNotForwarded, "port-zero-not-forwarded", "port 0 is accepted and forwards nothing", "FR-47")            \
  X(kPortZeroShadowsExact, "port-zero-shadows-exact", "port 0 wins over the exact port", "FR-99")                    \
  X(kFtpPortsIgnored, "ftp-ports-ignored", "a port-21 service does not take port 20 and 1024+", "FR-58")             \
  X(kNatPortZero, "nat-port-zero", "a server without port gets packets for port 0", "FR-52")                         \
  X(kServersFolded, "servers-folded", "one address with two ports is one server", "FR-44")                           \
  /* Marks */                                                                                                        \
  X(kMarkKeyIncludesPort, "mark-template-per-port", "a mark service sticks per port", "FR-55")                       \
  X(kMarkKeyIncludesProtocol, "mark-template-per-protocol", "a mark service sticks per protocol", "FR-55")           \
  X(kMarkKeyIncludesAddress, "mark-template-per-vip", "a mark service sticks per virtual address", "FR-55")          \
  X(kUnmarkedBalanced, "unmarked-balanced", "a mark service takes unmarked packets too", "FR-59")                    \
  X(kMarksMixed, "marks-mixed", "templates of different marks are one", "FR-117")                                    \
  /* The window */                                                                                                   \
  X(kTemplateNeverExpires, "template-never-expires", "templates stay for ever", "FR-15 FR-22")                       \
  X(kTimeoutUnitSlip, "timeout-unit-slip", "the window is a sixtieth of -p", "FR-06")                                \
  X(kTimeoutConstant, "timeout-constant", "every window is 360 s", "FR-07")                                          \
  X(kTimeout16Bit, "timeout-16-bit", "windows above 65535 s are cut to that", "FR-13")                               \
  X(kWindowNotRenewed, "window-not-renewed", "a new connection does not restart the window", "FR-16 FR-17")          \
  X(kWindowRenewedByPackets, "window-renewed-by-packets", "every packet restarts the window", "FR-16 FR-18")         \
  X(kNoExtension, "no-extension", "a template ends while its connections are open", "FR-18")                         \
  X(kExtensionFullTimeout, "extension-full-timeout", "open connections extend by -p, not by 60 s", "FR-01")          \
  X(kExtensionNotStored, "extension-not-stored", "after an extension the window is -p again", "FR-01")               \
  X(kEstablishedCutShort, "established-cut-short", "an idle connection is forgotten after 300 s", "FR-114")          \
  X(kMidStreamScheduled, "mid-stream-scheduled", "a segment without a connection is sent to a server", "FR-65")     \
  X(kDroppedOnRst, "template-dropped-on-rst", "a client's RST ends its template", "FR-21")                           \
  X(kExpireOnlyOnRead, "expire-only-on-read", "nothing expires unless somebody lists the table", "FR-19")            \
  /* Edits */                                                                                                        \
  X(kEditTimeoutIgnored, "edit-timeout-ignored", "-E does not change the window", "FR-08")                           \
  X(kEditReachesTemplates, "edit-reaches-old-templates", "old templates are renewed with the new -p", "FR-08")       \
  X(kEditDropsTemplates, "edit-drops-templates", "-E forgets all templates of the service", "FR-95")                 \
  X(kClearDropsTemplates, "clear-drops-templates", "-C forgets all entries and templates", "FR-90")                  \
  X(kRevivalRestartsWindow, "revival-restarts-window", "re-adding a server restarts its windows", "FR-91")           \
  X(kRevivalLost, "revival-lost", "delete and re-add forgets templates", "FR-90")                                    \
  X(kKeyedByPosition, "template-keyed-by-position", "a template names a place in the server list", "FR-92")          \
  /* Server gone, quiescent, full */                                                                                 \
  X(kWeightZeroChosen, "weight-zero-chosen", "new clients are sent to weight-0 servers", "FR-69")                    \
  X(kWeightZeroUnpins, "weight-zero-unpins", "weight 0 drops pinned clients, expiry off", "FR-72")                   \
  X(kQuiescentIgnored, "quiescent-sysctl-ignored", "expire_quiescent_template has no effect", "FR-69")               \
  X(kRemovedServerUsed, "removed-server-used", "pinned clients go on to a deleted server", "FR-63 FR-70")            \
  X(kNodestIgnored, "nodest-sysctl-ignored", "expire_nodest_conn has no effect", "FR-64 FR-66")                      \
  X(kNotPinnedAgain, "not-pinned-again", "with its server gone a client bounces over the rest", "FR-78")             \
  X(kThresholdIgnored, "threshold-ignored", "full servers get new clients", "FR-119")                                \
  X(kThresholdUnpins, "threshold-unpins", "a full server loses its pinned clients", "FR-119")                        \
  X(kFamiliesNotMixed, "families-not-mixed", "a tunnel to a server of another family is refused", "")                \
  X(kNoUnreachable, "no-unreachable", "with no server left packets vanish without ICMP", "")                         \
  /* Port reuse */                                                                                                   \
  X(kReuseUnpins, "reuse-reschedules-pinned", "a reused port of a pinned client is scheduled anew", "FR-81")         \
  X(kReuseSynDropped, "reuse-syn-dropped", "the first SYN on a reused port is dropped", "FR-82")                     \
  /* State sync */                                                                                                   \
  X(kSyncWithoutTemplates, "sync-without-templates", "a master sends connections only", "")                          \
  X(kSyncWindowNotRestarted, "sync-window-not-restarted", "a backup's window is that of the first message", "")      \
  X(kSyncNeverBound, "sync-never-bound", "a backup does not find its servers", "")                                   \
  X(kSyncUnboundUsed, "sync-unbound-used", "a template without a server is used all the same", "")                   \
  X(kSyncPersistModeIgnored, "sync-persist-mode-ignored", "sync_persist_mode has no effect", "")                     \
  X(kSyncThresholdIgnored, "sync-threshold-ignored", "every packet of a connection is sent", "")                     \
  X(kBackupOnlyIgnored, "backup-only-ignored", "backup_only has no effect", "")                                      \
  X(kSyncExtensionSilent, "sync-extension-silent", "a master does not tell of the 60 s that it grants", "")          \
  X(kSyncUntimedLongest, "sync-untimed-as-usual", "a template said without timeout lives as a new one does", "")     \
  X(kSyncInactiveReplaces, "sync-inactive-replaces", "the end of a replaced connection replaces it again", "")       \
  X(kSyncTemplateMoves, "sync-template-moves", "a message moves a known template to another server", "")             \
  /* Protocols and defence */                                                                                         \
  X(kTcpRepliesExpected, "tcp-replies-expected", "DR connections wait for replies that never pass", "")              \
  X(kSctpRepliesExpected, "sctp-replies-expected", "DR associations wait for replies that never pass", "")           \
  X(kSctpNotScheduled, "sctp-not-scheduled", "an SCTP service is accepted and forwards nothing", "")                 \
  X(kSloppyTcpIgnored, "sloppy-tcp-ignored", "sloppy_tcp has no effect", "")                                         \
  X(kSloppySctpIgnored, "sloppy-sctp-ignored", "sloppy_sctp has no effect", "")                                      \
  X(kSecureTcpIgnored, "secure-tcp-ignored", "secure_tcp has no effect", "")                                         \
  X(kDropPacketIgnored, "drop-packet-ignored", "drop_packet has no effect", "")                                      \
  X(kDropEntryIgnored, "drop-entry-ignored", "drop_entry has no effect", "")                                         \
  X(kDropEntryTakesAssured, "drop-entry-takes-assured", "drop_entry forgets clients that had connected", "")         \
  X(kForcedOutLeavesTemplate, "forced-out-leaves-template", "a dropped lone SYN leaves its template", "")            \
  X(kCallIdIgnored, "call-id-ignored", "--pe sip sticks by address, not by Call-ID", "")                             \
  X(kCallIdAlone, "call-id-alone", "--pe sip sticks by Call-ID whoever sends it", "")                                \
  X(kNoCallIdBalanced, "no-call-id-balanced", "what has no Call-ID is scheduled all the same", "")                   \
  X(kOnePacketIgnored, "one-packet-ignored", "-o has no effect", "")                                                 \
  X(kOnePacketAlways, "one-packet-always", "every datagram is scheduled alone, -o or not", "")                       \
  X(kIpsecOnItsOwn, "ipsec-on-its-own", "ESP and AH do not follow their key exchange", "")                           \
  X(kExtensionHeadersStop, "extension-headers-stop", "packets with IPv6 extension headers are not balanced", "")     \
  X(kFtpDataBalanced, "ftp-data-balanced", "packets from port 20 are scheduled", "")                                 \
  X(kSysctlRangeIgnored, "sysctl-range-ignored", "sysctls take any value", "")                                       \
  /* Schedulers */                                                                                                   \
  X(kWrrIgnoresWeights, "wrr-ignores-weights", "wrr is rr", "")                                                      \
  X(kWlcIgnoresWeights, "wlc-ignores-weights", "wlc is lc", "")                                                      \
  X(kTailInsertion, "tail-insertion", "the first server added is the first in the list", "")                         \
  X(kTrashNeverEmptied, "trash-never-emptied", "a removed server comes back after years, counters and all", "")      \
  X(kStatisticsLive, "statistics-live", "--stats shows counters as they are, not the last snapshot", "")             \
  X(kEditRestartsScheduler, "edit-restarts-scheduler", "-E with the same scheduler starts it afresh", "")            \
  X(kWrrEditUnnoticed, "wrr-edit-unnoticed", "wrr goes on where it was when a weight is edited", "")                 \
  X(kSedCountsInactive, "sed-counts-inactive", "sed counts finished connections as wlc does", "")                    \
  X(kNqQueues, "nq-queues", "nq is sed: a small idle server waits for the big ones", "")                             \
  X(kFoFirstUsable, "fo-first-usable", "fo takes the first usable server, not the heaviest", "")                     \
  X(kOvfOneLess, "ovf-one-less", "ovf gives a server of weight w only w connections", "")                            \
  X(kDhHashesClient, "dh-hashes-client", "dh hashes the client instead of the virtual address", "")                  \
  X(kShIgnoresWeights, "sh-ignores-weights", "sh deals out its buckets evenly", "")                                  \
  X(kShPortIgnored, "sh-port-ignored", "flag sh-port has no effect", "")                                             \
  X(kShFallbackIgnored, "sh-fallback-ignored", "flag sh-fallback has no effect", "")                                 \
  X(kIpv6FoldedShort, "ipv6-folded-short", "hash schedulers see 32 bits of an IPv6 address", "")                     \
  X(kMhIgnoresWeights, "mh-ignores-weights", "mh deals out its slots evenly", "")                                    \
  X(kMhQuiescentLeaves, "mh-quiescent-leaves", "weight 0 takes a server out of the table of mh", "")                 \
  X(kMhPortIgnored, "mh-port-ignored", "flag mh-port has no effect", "")                                             \
  X(kMhFallbackIgnored, "mh-fallback-ignored", "flag mh-fallback has no effect", "")                                 \
  X(kLblcForgets, "lblc-forgets", "lblc is wlc: it keeps no address with its server", "")                            \
  X(kLblcrReplaces, "lblcr-replaces", "lblcr has one server for an address, as lblc", "")\
  /* Forwarding */                                                                                                   \
  X(kQuotedIgnored, "icmp-errors-ignored", "ICMP errors about balanced packets stay at the director", "")            \
  X(kLocalRepliesIgnored, "local-replies-ignored", "replies of a local server move no state", "")                     \
  X(kFtpNotFollowed, "ftp-not-followed", "what FTP says behind NAT is not read", "")                                 \
  X(kScheduleIcmpIgnored, "schedule-icmp-ignored", "schedule_icmp has no effect", "")                                \
  X(kErrorsRestartTimers, "errors-restart-timers", "an ICMP error restarts its connection's timer", "")

/// The same for what director/io does with a packet once the core has decided.
#define LVSPEC_FRAME_FAULT_LIST(X)                                                                                   \
  X(kTtlKept, "ttl-kept", "packets are forwarded with the TTL they came with", "")                                   \
  X(kPortRewritten, "dr-port-rewritten", "direct routing changes the port to the server's", "")                      \
  X(kNatPortKept, "nat-port-kept", "NAT changes the address alone", "")                                              \
  X(kNatSourceKept, "nat-reply-source-kept", "replies leave with the real server's address", "")                     \
  X(kTunnelTypeIgnored, "tunnel-type-ignored", "every tunnel is ipip", "")                                           \
  X(kOuterDfMissing, "outer-df-missing", "tunnel packets never have DF", "")                                         \
  X(kTooBigSilent, "too-big-silent", "packets that are too long vanish", "")                                         \
  X(kHostUnreachableSilent, "host-unreachable-silent", "a server without a MAC is not told of", "")                  \
  X(kRouteNotKept, "route-not-kept", "each method has its own route to a server", "")                                \
  X(kEchoSwallowed, "echo-swallowed", "ICMP echo to the VIP vanishes", "")                                           \
  X(kFragmentsDropped, "fragments-dropped", "fragments are not put together", "")                                    \
  X(kFtpSequenceKept, "ftp-sequence-kept", "sequence numbers are those from before FTP's answers were changed", "")  \
  X(kTunnelErrorsKept, "tunnel-errors-kept", "ICMP errors about tunnel packets stay at the director", "")            \
  X(kNoComplaint, "no-complaint", "nat_icmp_send has no effect", "")                                                 \
  X(kSyncUnbuffered, "sync-unbuffered", "each entry is a message of its own", "")                                    \
  X(kSyncOnePort, "sync-one-port", "sync_ports has no effect", "")                                                   \
  X(kSyncIdIgnored, "sync-id-ignored", "a backup takes messages of every sync ID", "")                               \
  X(kSyncDaemonTwice, "sync-daemon-twice", "a daemon that runs is started again", "")                                \
  X(kSyncRestLost, "sync-rest-lost", "an entry of no known state loses those behind it", "")
// clang-format on

enum class Fault {
  kNoFault,
#define X(enumerator, name, text, reports) enumerator,
  LVSPEC_FAULT_LIST(X) LVSPEC_FRAME_FAULT_LIST(X)
#undef X
};

struct FaultInfo {
  Fault fault;
  std::string_view name, text, reports;
};

inline constexpr FaultInfo kFaults[] = {
#define X(enumerator, name, text, reports) {Fault::enumerator, name, text, reports},
    LVSPEC_FAULT_LIST(X) LVSPEC_FRAME_FAULT_LIST(X)
#undef X
};
/// The first of them are the core's own.
inline constexpr std::size_t kCoreFaults = 0
#define X(enumerator, name, text, reports) +1
    LVSPEC_FAULT_LIST(X)
#undef X
    ;

#ifdef LVSPEC_FAULTS
bool fault(Fault which);
void set_fault(Fault which);
#else
constexpr bool fault(Fault) { return false; }
#endif

}  // namespace lvspec::director
