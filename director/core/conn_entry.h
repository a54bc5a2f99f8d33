#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "director/core/director.h"
#include "director/core/engine_data.h"
#include "director/core/packet.h"
#include "director/core/sctp_states.h"
#include "director/core/service.h"
#include "director/table/packed_pointer.h"
#include "director/table/timed.h"

namespace lvspec::director {

/// What an entry is found by. Connections have the packet's own addresses and ports (CON-01), templates what TPL-03
/// lists; the two never match each other (TPL-18).
struct ConnKey {
  Family family = Family::kIpv4;
  Protocol protocol = Protocol::kNone;
  bool is_template = false;
  std::uint16_t client_port = 0, virtual_port = 0;
  Address client{}, virtual_address{};
  EngineData::Id engine_data = EngineData::kNone;  ///< templates of a persistence engine (TPL-20)

  bool operator==(const ConnKey&) const = default;
};

/// The key of the connection that a packet from a client belongs to. AH and ESP belong to the UDP connection between
/// both ports 500 (SVC-20). Source: Linux ip_vs_proto_ah_esp.c, ah_esp_conn_fill_param_proto().
ConnKey connection_key(const Packet& packet);

/// Where a key is looked for. Connections hash by the client's side only, as in the kernel: a reply, which may come
/// from the VIP or from the real server, is then found in the same place. Templates have no replies, and one client
/// may have many of them.
std::uint64_t hash_of(const ConnKey& key);

/// Whole seconds in three bytes, up to 194 days; the kernel's tools allow 31. A fraction is rounded up.
class StoredTimeout {
 public:
  StoredTimeout() : StoredTimeout(Duration::zero()) {}
  template <typename Rep, typename Period>
  StoredTimeout(std::chrono::duration<Rep, Period> timeout) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(timeout).count();
    const auto stored = static_cast<std::uint32_t>(std::clamp<std::int64_t>(seconds, 0, 0xffffff));
    for (int i = 0; i < 3; ++i) bytes_[i] = static_cast<std::uint8_t>(stored >> (8 * i));
  }
  operator Duration() const { return std::chrono::seconds(bytes_[0] | (bytes_[1] << 8) | (bytes_[2] << 16)); }
  bool operator==(const StoredTimeout&) const = default;

 private:
  std::uint8_t bytes_[3];
};

/// A connection entry or a template (the kernel's struct ip_vs_conn): what all of them have. Addresses, and the
/// controller of a connection or the engine data of a template, stand behind, in sizes of their own; the accessors
/// know where. Every byte here costs ten million bytes on a large director.
struct ConnEntry : table::Timed {
  /// Those that there are entries of, at most eight.
  static constexpr std::array kProtocols = {Protocol::kNone, Protocol::kTcp, Protocol::kUdp, Protocol::kSctp};

  explicit ConnEntry(const ConnKey& key);
  ConnEntry(const ConnEntry&) = delete;
  ConnEntry& operator=(const ConnEntry&) = delete;

  std::uint32_t fwmark = 0;
  std::uint32_t sync_deadline = 0;  ///< when the backup of a sync master thinks that it ends
  table::PackedPointer<RealServer> server;
  std::uint16_t server_port = 0;
  std::uint16_t client_port, virtual_port;

  std::uint32_t controlled : 24;  ///< connections whose controller this is
  const Family family : 1;
  const bool is_template : 1;
  ForwardMethod method : 3;  ///< of the server when the entry was made (DST-08)

 private:
  const std::uint8_t protocol_ : 3;  // place in kProtocols

 public:
  std::uint32_t packets : 20;  ///< from the client; of a template: one-packet ones; count_packet() stops at a million
  TcpState state : 4;
  SctpState sctp_state : 4;
  std::uint8_t told_state : 4;  ///< state_number() of the last sync message (SYN-03)

  StoredTimeout timeout;      ///< what the next arming uses; the template's own, not the service's (TPL-32)
  bool hashed : 1;            ///< false for one-packet entries, which no lookup finds (CON-50)
  bool renamed : 1;           ///< a rejected template: listed, never found again (VAL-04)
  bool active : 1;            ///< counted in RealServer::active, else in inactive (CON-70)
  bool assured : 1;           ///< templates (TPL-40)
  bool reply_unseen : 1;      ///< no reply has passed: the IN-ONLY table holds (CON-03)
  bool learned : 1;           ///< made by a sync message (SYN-09)
  bool has_ftp : 1;           ///< ConnTable::ftp_of() knows more: an FTP session, or data that waits for its client
  const bool has_engine : 1;  ///< a template whose key has engine data

  Protocol protocol() const { return kProtocols[protocol_]; }
  /// The state of a connection as its protocol numbers it in the kernel; 0 of UDP.
  std::uint8_t state_number() const {
    return protocol() == Protocol::kSctp ? static_cast<std::uint8_t>(sctp_state) : static_cast<std::uint8_t>(state);
  }
  Address client() const;
  Address virtual_address() const;
  ConnKey key() const;
  /// The template that made this connection; null for templates.
  ConnEntry* controller() const;
  void set_controller(ConnEntry* controller);
  /// kNone but for templates of an engine.
  EngineData::Id engine_data() const;

  std::uint64_t hash() const { return hash_of(key()); }
  void count_packet() { packets += packets != 0xfffff; }
};

/// An address of one family alone.
struct Ipv4Bytes {
  std::uint8_t bytes[4];
};
struct Ipv6Bytes {
  std::uint8_t bytes[16];
};

/// An entry with its addresses, as it lies in its table.
template <typename Bytes>
struct TemplateEntry : ConnEntry {
  explicit TemplateEntry(const ConnKey& key) : ConnEntry(key) {
    std::memcpy(client.bytes, key.client.bytes.data(), sizeof client);
    std::memcpy(virtual_address.bytes, key.virtual_address.bytes.data(), sizeof virtual_address);
  }
  bool matches(const ConnKey& key) const {
    return client_port == key.client_port && virtual_port == key.virtual_port && protocol() == key.protocol &&
           std::memcmp(client.bytes, key.client.bytes.data(), sizeof client) == 0 &&
           std::memcmp(virtual_address.bytes, key.virtual_address.bytes.data(), sizeof virtual_address) == 0;
  }

  Bytes client, virtual_address;
};

static_assert(sizeof(ConnEntry) == 44 && sizeof(TemplateEntry<Ipv4Bytes>) == 52);

/// With an engine, a template is found by its data as well.
template <typename Bytes>
struct EngineTemplateEntry : TemplateEntry<Bytes> {
  explicit EngineTemplateEntry(const ConnKey& key) : TemplateEntry<Bytes>(key), engine_data(key.engine_data) {}
  bool matches(const ConnKey& key) const {
    return engine_data == key.engine_data && TemplateEntry<Bytes>::matches(key);
  }

  const EngineData::Id engine_data;
};

template <typename Bytes>
struct ConnectionEntry : TemplateEntry<Bytes> {
  using TemplateEntry<Bytes>::TemplateEntry;

  table::PackedPointer<ConnEntry> controller;
};

}  // namespace lvspec::director
