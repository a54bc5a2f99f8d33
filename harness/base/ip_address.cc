#include "harness/base/ip_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <ostream>

namespace lvspec {
namespace {

Result<int> parse_number(std::string_view text, int max) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > max)
    return usage_error(fmt::format("\"{}\" is not a number from 0 to {}", text, max));
  return value;
}

}  // namespace

Result<IpAddress> IpAddress::parse(std::string_view text) {
  IpAddress address;
  const std::string copy(text);
  address.family_ = copy.find(':') == std::string::npos ? AF_INET : AF_INET6;
  if (inet_pton(address.family_, copy.c_str(), address.bytes_.data()) != 1)
    return usage_error(fmt::format("\"{}\" is not an IPv4 or IPv6 address", text));
  return address;
}

IpAddress IpAddress::of(std::string_view text) { return parse(text).value(); }

IpAddress IpAddress::v4(std::uint32_t host_order) {
  const std::uint32_t network = htonl(host_order);
  return from_bytes(AF_INET, &network);
}

IpAddress IpAddress::from_bytes(int family, const void* bytes) {
  IpAddress address;
  address.family_ = family;
  std::memcpy(address.bytes_.data(), bytes, address.size());
  return address;
}

std::uint32_t IpAddress::v4_host_order() const {
  LVSPEC_CHECK_EQ(family_, AF_INET);
  std::uint32_t network = 0;
  std::memcpy(&network, bytes_.data(), sizeof network);
  return ntohl(network);
}

IpAddress IpAddress::plus(std::uint64_t n) const {
  IpAddress sum = *this;
  for (std::size_t i = size(); i-- > 0 && n != 0;) {
    n += sum.bytes_[i];
    sum.bytes_[i] = static_cast<std::uint8_t>(n & 0xff);
    n >>= 8;
  }
  return sum;
}

std::string IpAddress::str() const {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(family_, bytes_.data(), text, sizeof text);
  return text;
}

std::ostream& operator<<(std::ostream& out, const IpAddress& address) { return out << address.str(); }

Result<Endpoint> Endpoint::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return usage_error(fmt::format("\"{}\" is not ADDRESS:PORT", text));
  std::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  LVSPEC_ASSIGN(const IpAddress address, IpAddress::parse(host));
  LVSPEC_ASSIGN(const int port, parse_number(text.substr(colon + 1), 65535));
  return Endpoint{address, static_cast<std::uint16_t>(port)};
}

std::string Endpoint::str() const {
  return address.is_v6() ? fmt::format("[{}]:{}", address.str(), port) : fmt::format("{}:{}", address.str(), port);
}

socklen_t Endpoint::to_sockaddr(sockaddr_storage* out) const {
  std::memset(out, 0, sizeof *out);
  if (address.is_v6()) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(out);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    std::memcpy(&in6->sin6_addr, address.bytes(), 16);
    return sizeof(sockaddr_in6);
  }
  auto* in4 = reinterpret_cast<sockaddr_in*>(out);
  in4->sin_family = AF_INET;
  in4->sin_port = htons(port);
  std::memcpy(&in4->sin_addr, address.bytes(), 4);
  return sizeof(sockaddr_in);
}

Endpoint Endpoint::from_sockaddr(const sockaddr_storage& in) {
  if (in.ss_family == AF_INET6) {
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&in);
    return {IpAddress::from_bytes(AF_INET6, &in6->sin6_addr), ntohs(in6->sin6_port)};
  }
  const auto* in4 = reinterpret_cast<const sockaddr_in*>(&in);
  return {IpAddress::from_bytes(AF_INET, &in4->sin_addr), ntohs(in4->sin_port)};
}

std::ostream& operator<<(std::ostream& out, const Endpoint& endpoint) { return out << endpoint.str(); }

Result<Prefix> Prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  LVSPEC_ASSIGN(const IpAddress address, IpAddress::parse(text.substr(0, slash)));
  const int widest = static_cast<int>(address.size() * 8);
  if (slash == std::string_view::npos) return Prefix{address, widest};
  LVSPEC_ASSIGN(const int length, parse_number(text.substr(slash + 1), widest));
  return Prefix{address, length};
}

Prefix Prefix::of(std::string_view text) { return parse(text).value(); }

bool Prefix::contains(const IpAddress& other) const {
  if (other.family() != address.family()) return false;
  for (int bit = 0; bit < length; bit += 8) {
    const int used = std::min(8, length - bit);
    const auto mask = static_cast<std::uint8_t>(0xff << (8 - used));
    if (((address.bytes()[bit / 8] ^ other.bytes()[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

std::string Prefix::str() const { return fmt::format("{}/{}", address.str(), length); }

std::ostream& operator<<(std::ostream& out, const Prefix& prefix) { return out << prefix.str(); }

}  // namespace lvspec
