#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "harness/base/ip_address.h"
#include "harness/base/result.h"
#include "harness/netns/namespace.h"
#include "harness/probe/answer.h"

namespace lvspec {

/// How a client comes back to a TLS server that it has been to.
enum class TlsReturn {
  kSessionId,  ///< TLS 1.2, by the number of a session that the server keeps (RFC 5246, 7.3)
  kTicket,     ///< TLS 1.2, by a ticket that only the server's key opens (RFC 5077)
  kPsk,        ///< TLS 1.3, by a pre-shared key from a ticket (RFC 8446, 2.2)
};

std::ostream& operator<<(std::ostream& out, TlsReturn way);

/// What a client got: the server's identity line over TLS, after a resumed or a full handshake.
struct TlsVisit {
  Answer answer;
  bool resumed = false;    ///< the server took up the session of an earlier visit
  std::string protocol{};  ///< "TLSv1.3"
};

/// `answered by "real2", 192.0.2.1:40112 -> 198.51.100.10:443, TLSv1.3, resumed`
std::ostream& operator<<(std::ostream& out, const TlsVisit& visit);

/// Real servers that speak TLS, by OpenSSL with its defaults: each has ticket keys and a cache of sessions of its
/// own, as processes on different machines do, and all have one certificate, as those of one site do. A session of
/// one is nothing to the others. They are at work while a client of theirs visits, in the visitor's thread.
///
/// A client says "WHO" and hears the identity line (identity.h), then closes first; both FINs are seen.
class TlsServers {
 public:
  /// Makes the certificate. Error: OpenSSL's words.
  static Result<TlsServers> create();
  TlsServers(TlsServers&&) noexcept;
  TlsServers& operator=(TlsServers&&) noexcept;
  ~TlsServers();

  /// A server that listens on these ports, both families. Errors name node, port and errno.
  Status add(const std::string& name, const NetworkNamespace& netns, const std::vector<std::uint16_t>& ports);
  /// The server's process starts anew: its keys and its sessions are gone.
  Status restart(const std::string& name);

 private:
  friend class TlsClient;
  struct Farm;
  explicit TlsServers(std::unique_ptr<Farm> farm);
  std::unique_ptr<Farm> farm_;
};

/// A client that remembers its latest session and offers it wherever it goes, as browsers do for one host name. It
/// verifies the certificate. Move-only; lives no longer than its servers.
class TlsClient {
 public:
  /// @param netns  the clients' node; outlives this object.
  static Result<TlsClient> create(TlsServers& servers, const NetworkNamespace& netns, TlsReturn way);
  TlsClient(TlsClient&&) noexcept;
  TlsClient& operator=(TlsClient&&) noexcept;
  ~TlsClient();

  /// One visit from this address. What the director or the servers do is a TlsVisit, a failed handshake kReset with
  /// OpenSSL's words; an Error is the world's refusal.
  Result<TlsVisit> visit(const IpAddress& from, const Endpoint& target);

 private:
  struct Memory;
  explicit TlsClient(std::unique_ptr<Memory> memory);
  std::unique_ptr<Memory> memory_;
};

}  // namespace lvspec
