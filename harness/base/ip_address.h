#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

#include "harness/base/result.h"

namespace lvspec {

/// One IPv4 or IPv6 address, in network byte order. IPv4 uses the first four bytes; the rest is zero.
class IpAddress {
 public:
  IpAddress() = default;
  /// Dotted quad or RFC 5952 text. An error names the text.
  static Result<IpAddress> parse(std::string_view text);
  /// As parse, for addresses written in our own source: wrong text is a bug.
  static IpAddress of(std::string_view text);
  static IpAddress v4(std::uint32_t host_order);
  static IpAddress from_bytes(int family, const void* bytes);

  int family() const { return family_; }
  bool is_v6() const { return family_ == AF_INET6; }
  /// 4 or 16.
  std::size_t size() const { return is_v6() ? 16 : 4; }
  const std::uint8_t* bytes() const { return bytes_.data(); }
  /// Host order; IPv4 only (checked).
  std::uint32_t v4_host_order() const;
  /// The n-th address after this one; carries through all bytes.
  IpAddress plus(std::uint64_t n) const;
  std::string str() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  int family_ = AF_INET;
  std::array<std::uint8_t, 16> bytes_{};
};

std::ostream& operator<<(std::ostream& out, const IpAddress& address);

/// Address and port as "192.0.2.1:80" or "[2001:db8::1]:80".
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  static Result<Endpoint> parse(std::string_view text);
  std::string str() const;
  /// For bind, connect, sendto. @return the length that goes with it.
  socklen_t to_sockaddr(sockaddr_storage* out) const;
  static Endpoint from_sockaddr(const sockaddr_storage& in);

  auto operator<=>(const Endpoint&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Endpoint& endpoint);

/// A network in CIDR form, "192.0.2.0/24".
struct Prefix {
  IpAddress address;
  int length = 32;

  static Result<Prefix> parse(std::string_view text);
  static Prefix of(std::string_view text);
  bool contains(const IpAddress& address) const;
  std::string str() const;

  auto operator<=>(const Prefix&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Prefix& prefix);

}  // namespace lvspec
