// FTP behind NAT, FWD-16: the control connection says where the data connection will be, so that is made known before
// its first packet. Source: Linux net/netfilter/ipvs/ip_vs_ftp.c, whose edits of the answers are done by
// nf_nat_helper.c and nf_conntrack_seqadj.c.

#include <array>

#include "director/core/director_state.h"
#include "director/core/faults.h"
#include "director/core/ftp.h"
#include "director/core/persistence.h"

namespace lvspec::director {
namespace {

constexpr std::size_t kTcpHeader = 20;

std::uint8_t byte_at(const Packet& packet, std::size_t at) {
  return std::to_integer<std::uint8_t>(packet.payload[at]);
}

// Of a packet as parse_frame() reads it; empty where the header says more than there is.
std::string_view text_of(const Packet& packet) {
  if (packet.payload.size() < kTcpHeader) return {};
  const std::size_t header = std::size_t{4} * (byte_at(packet, 12) >> 4);
  if (header < kTcpHeader || header > packet.payload.size()) return {};
  const auto text = packet.payload.subspan(header);
  return {reinterpret_cast<const char*>(text.data()), text.size()};
}

std::uint32_t sequence_of(const Packet& packet) {
  std::uint32_t sequence = 0;
  for (std::size_t i = 4; i < 8; ++i) sequence = sequence << 8 | byte_at(packet, i);
  return sequence;
}

}  // namespace

bool Director::State::is_ftp_control(const ConnEntry& entry, const Packet& packet) {
  return entry.virtual_port == kFtpPort && entry.method == ForwardMethod::kMasquerade &&
         packet.protocol == Protocol::kTcp && packet.quoted == Quoted::kNo && entry.hashed &&
         !fault(Fault::kFtpNotFollowed);
}

// Source: ip_vs_ftp.c, ip_vs_ftp_in(). PORT and EPRT go on as they are: the server sees the client's own address.
void Director::State::heed_ftp_client(DirectorTime now, ConnEntry& control, const Packet& packet) {
  const std::string_view text = text_of(packet);
  if (text.empty() || control.state != TcpState::kEstablished) return;
  if (const FtpRequest asked = passive_request_in(text, packet.family); asked != FtpRequest::kNone) {
    connections.ftp_of(control).asked = asked;
    return;
  }
  const std::optional<FtpEndpoint> endpoint = active_request_in(text, packet.family);
  if (!endpoint) return;
  if (control.has_ftp) connections.ftp_of(control).asked = FtpRequest::kNone;
  const ConnKey key{.family = packet.family,
                    .protocol = Protocol::kTcp,
                    .client_port = endpoint->port,
                    .virtual_port = static_cast<std::uint16_t>(control.virtual_port - 1),
                    .client = endpoint->address.value_or(Address{}),
                    .virtual_address = control.virtual_address()};
  ConnEntry* data = connections.find_or_awaiting(key);
  if (data == nullptr) {
    data = connections.create(key, *control.server, static_cast<std::uint16_t>(control.server_port - 1));
    if (data == nullptr) return;
    data->fwmark = classifier.mark_of(packet);
    connections.control(*data, control);
  }
  listen_for_ftp_data(now, *data);
}

// Source: ip_vs_ftp.c, ip_vs_ftp_out(). The first answer ends the question: one sent again goes on as it is.
void Director::State::heed_ftp_server(DirectorTime now, ConnEntry& control, const Packet& packet) {
  if (!control.has_ftp || control.state != TcpState::kEstablished) return;
  const FtpRequest asked = connections.ftp_of(control).asked;
  const std::string_view text = text_of(packet);
  if (asked == FtpRequest::kNone || text.empty()) return;
  const std::optional<FtpEndpoint> endpoint =
      asked == FtpRequest::kPassive ? passive_answer_in(text) : extended_passive_answer_in(text, packet.family);
  if (!endpoint) return;
  Packet from_server = packet;  // what the data connection's first answer will be, as far as is known
  from_server.source = endpoint->address.value_or(control.server->key.address);
  from_server.source_port = endpoint->port;
  from_server.destination_port = 0;
  ConnEntry* data = connections.find_reply(from_server);
  if (data == nullptr) {
    // The entry leads to the server of the control connection; the kernel's leads to the address of the answer.
    data = connections.create_awaiting({.family = packet.family,
                                        .protocol = Protocol::kTcp,
                                        .virtual_port = endpoint->port,
                                        .client = control.client(),
                                        .virtual_address = control.virtual_address()},
                                       *control.server, endpoint->port);
    if (data == nullptr) return;
    data->fwmark = classifier.mark_of(packet);
    connections.control(*data, control);
  }
  ftp_edit.at = endpoint->begin;
  ftp_edit.removed = endpoint->end - endpoint->begin;
  ftp_edit.inserted_length =
      asked == FtpRequest::kPassive
          ? write_passive_answer(ftp_edit.inserted, data->virtual_address(), data->virtual_port)
          : write_extended_passive_answer(ftp_edit.inserted, data->virtual_port);
  ConnTable::Ftp& session = connections.ftp_of(control);
  session.asked = FtpRequest::kNone;
  const auto growth =
      static_cast<std::int32_t>(ftp_edit.inserted_length) - static_cast<std::int32_t>(ftp_edit.removed);
  if (growth != 0) session.shift.grow(sequence_of(packet), growth);
  listen_for_ftp_data(now, *data);
}

// Source: ip_vs_proto_tcp.c, ip_vs_tcp_conn_listen().
void Director::State::listen_for_ftp_data(DirectorTime now, ConnEntry& data) {
  data.state = TcpState::kListen;
  data.timeout = std::chrono::seconds(tcp_timeout_s(TcpState::kListen, timeouts));
  connections.arm(data, now);
}

// What the session so far does to every segment; a new answer is added by heed_ftp_server().
void Director::State::begin_ftp_edit(ConnEntry& control, FtpEdit::Way way) {
  ftp_edit = {};
  ftp_edit.way = way;
  if (control.has_ftp) ftp_edit.shift = connections.ftp_of(control).shift;
}

}  // namespace lvspec::director
