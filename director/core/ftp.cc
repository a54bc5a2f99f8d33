#include "director/core/ftp.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

namespace lvspec::director {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool begins_with(std::string_view text, std::string_view lower_case) {
  return text.size() >= lower_case.size() &&
         std::equal(lower_case.begin(), lower_case.end(), text.begin(), [](char a, char b) { return a == lower(b); });
}

// Behind the word, past everything before `skip` and past that; where the endpoint begins, if the text goes on so
// far. A comma-separated address may do without `skip`: it begins with the first digit.
std::optional<std::size_t> begin_of_endpoint(std::string_view text, std::size_t at, char skip, bool digits_will_do) {
  bool found = false;
  for (; at < text.size(); ++at) {
    if (text[at] == skip) {
      found = true;
    } else if (found || (digits_will_do && is_digit(text[at]))) {
      return at;
    }
  }
  return std::nullopt;
}

// "203,0,113,11,156,64" and something behind it. Numbers are as large as a byte; larger ones are cut to that.
std::optional<FtpEndpoint> comma_separated(std::string_view text, std::size_t begin) {
  std::array<std::uint8_t, 6> numbers{};
  std::size_t n = 0, at = begin;
  for (; at < text.size(); ++at) {
    if (is_digit(text[at])) {
      numbers[n] = static_cast<std::uint8_t>(numbers[n] * 10 + (text[at] - '0'));
    } else if (text[at] == ',' && n < 5) {
      ++n;
    } else {
      break;
    }
  }
  if (at == text.size() || n != 5) return std::nullopt;
  FtpEndpoint endpoint{.address = Address{}, .begin = begin, .end = at};
  std::copy_n(numbers.begin(), 4, endpoint.address->bytes.begin());
  endpoint.port = static_cast<std::uint16_t>(numbers[4] << 8 | numbers[5]);
  return endpoint;
}

std::optional<Address> address_of(std::string_view text, Family family) {
  char terminated[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof terminated) return std::nullopt;
  terminated[text.copy(terminated, text.size())] = '\0';
  Address address;
  if (inet_pton(family == Family::kIpv4 ? AF_INET : AF_INET6, terminated, address.bytes.data()) != 1)
    return std::nullopt;
  return address;
}

// "|1|192.0.2.1|40000|", "|2|2001:db8::1|40000|" or "|||40000|", with any delimiter that can be printed.
std::optional<FtpEndpoint> delimited(std::string_view text, std::size_t begin, Family family) {
  const char delimiter = text[begin];
  if (delimiter < 33 || delimiter > 126) return std::nullopt;
  std::size_t at = begin + 1;
  const auto take_field = [&]() -> std::optional<std::string_view> {
    const std::size_t end = at <= text.size() ? text.find(delimiter, at) : std::string_view::npos;
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view field = text.substr(at, end - at);
    at = end + 1;
    return field;
  };
  const auto kind = take_field();
  const auto address = kind ? take_field() : std::nullopt;
  const auto port = address ? take_field() : std::nullopt;
  if (!port) return std::nullopt;
  FtpEndpoint endpoint{.address = std::nullopt, .begin = begin, .end = at};
  if (kind->empty()) {
    if (!address->empty()) return std::nullopt;
  } else {
    if (*kind != (family == Family::kIpv4 ? "1" : "2")) return std::nullopt;
    endpoint.address = address_of(*address, family);
    if (!endpoint.address) return std::nullopt;
  }
  if (!std::all_of(port->begin(), port->end(), is_digit)) return std::nullopt;
  for (const char digit : *port) endpoint.port = static_cast<std::uint16_t>(endpoint.port * 10 + (digit - '0'));
  if (endpoint.port == 0) return std::nullopt;
  return endpoint;
}

std::optional<FtpEndpoint> endpoint_behind(std::string_view payload, std::string_view word, char skip) {
  if (!begins_with(payload, word)) return std::nullopt;
  const auto begin = begin_of_endpoint(payload, word.size(), skip, /*digits_will_do=*/true);
  return begin ? comma_separated(payload, *begin) : std::nullopt;
}

std::optional<FtpEndpoint> extended_behind(std::string_view payload, std::string_view word, char skip,
                                           Family family) {
  if (!begins_with(payload, word)) return std::nullopt;
  const auto begin = begin_of_endpoint(payload, word.size(), skip, /*digits_will_do=*/false);
  return begin ? delimited(payload, *begin, family) : std::nullopt;
}

bool is_after(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) > 0; }
std::uint32_t moved(std::uint32_t number, std::int32_t by) { return number + static_cast<std::uint32_t>(by); }

}  // namespace

FtpRequest passive_request_in(std::string_view payload, Family family) {
  constexpr std::size_t kShortest = 6;  // "PASV\r\n"
  for (; payload.size() >= kShortest; payload.remove_prefix(1)) {
    if (family == Family::kIpv4 && begins_with(payload, "pasv\r\n")) return FtpRequest::kPassive;
    if (!begins_with(payload, "epsv") || (payload[4] != ' ' && payload[4] != '\r')) continue;
    if (payload[4] == '\r') return FtpRequest::kExtendedPassive;
    const char wanted = family == Family::kIpv4 ? '1' : '2';
    const bool ours = payload.size() > kShortest && payload[5] == wanted && payload[6] == '\r';
    return ours ? FtpRequest::kExtendedPassive : FtpRequest::kNone;
  }
  return FtpRequest::kNone;
}

std::optional<FtpEndpoint> active_request_in(std::string_view payload, Family family) {
  if (family == Family::kIpv4) {
    if (const auto endpoint = endpoint_behind(payload, "port", ' ')) return endpoint;
  }
  return extended_behind(payload, "eprt", ' ', family);
}

std::optional<FtpEndpoint> passive_answer_in(std::string_view payload) {
  return endpoint_behind(payload, "227 ", '(');
}

std::optional<FtpEndpoint> extended_passive_answer_in(std::string_view payload, Family family) {
  return extended_behind(payload, "229 ", '(', family);
}

void FtpShift::grow(std::uint32_t sequence, std::int32_t growth) {
  if (before != after && !is_after(sequence, position)) return;
  position = sequence;
  before = after;
  after += growth;
}

std::uint32_t FtpShift::towards_receiver(std::uint32_t sequence) const {
  return moved(sequence, is_after(sequence, position) ? after : before);
}

std::uint32_t FtpShift::towards_sender(std::uint32_t acknowledged) const {
  const bool beyond = is_after(acknowledged - static_cast<std::uint32_t>(before), position);
  return acknowledged - static_cast<std::uint32_t>(beyond ? after : before);
}

std::size_t write_passive_answer(std::span<char, 24> out, const Address& address, std::uint16_t port) {
  const auto& b = address.bytes;
  return static_cast<std::size_t>(
      std::snprintf(out.data(), out.size(), "%u,%u,%u,%u,%u,%u", b[0], b[1], b[2], b[3], port >> 8, port & 0xffu));
}

std::size_t write_extended_passive_answer(std::span<char, 24> out, std::uint16_t port) {
  return static_cast<std::size_t>(std::snprintf(out.data(), out.size(), "|||%u|", unsigned{port}));
}

}  // namespace lvspec::director
