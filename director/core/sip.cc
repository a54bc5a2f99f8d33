#include "director/core/sip.h"

#include <algorithm>
#include <optional>

#include "director/core/engine_data.h"
#include "director/core/faults.h"

namespace lvspec::director {
namespace {

constexpr bool is_line_end(char c) { return c == '\r' || c == '\n'; }
constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// The kernel's isalpha() takes bytes for Latin-1 (lib/ctype.c).
constexpr bool is_letter(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (lower(c) >= 'a' && lower(c) <= 'z') || (byte >= 0xc0 && byte != 0xd7 && byte != 0xf7);
}

// RFC 3261, 25.1, "word"; nf_conntrack_sip.c, iswordc().
constexpr bool is_word(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') ||
         std::string_view("-.!%*_+`'~()<>:\\\"/[]?{}").find(c) != std::string_view::npos;
}

bool begins_with(std::string_view text, std::string_view lower_case) {
  return text.size() >= lower_case.size() &&
         std::equal(lower_case.begin(), lower_case.end(), text.begin(), [](char a, char b) { return a == lower(b); });
}

/// Reads from left to right; `at` is never beyond the end.
struct Reader {
  std::string_view text;
  std::size_t at;

  bool done() const { return at >= text.size(); }
  std::string_view rest() const { return text.substr(at); }
  void skip_line_end() {
    const bool cr = text[at++] == '\r';
    if (cr && !done() && text[at] == '\n') ++at;
  }
  void skip_blanks() {
    while (!done() && is_blank(text[at])) ++at;
  }
  /// Blanks, and a line end if the next line continues this one. @return false where the value ends with the line.
  bool skip_white_space() {
    skip_blanks();
    if (done() || !is_line_end(text[at])) return true;
    skip_line_end();
    if (done() || !is_blank(text[at])) return false;
    skip_blanks();
    return true;
  }
};

std::size_t length_of_name(std::string_view line) {
  constexpr std::string_view kName = "call-id", kCompact = "i";
  if (begins_with(line, kName)) return kName.size();
  if (begins_with(line, kCompact) && line.size() > kCompact.size() && !is_letter(line[kCompact.size()]))
    return kCompact.size();
  return 0;
}

std::size_t length_of_value(std::string_view text) {
  const auto word = [&](std::size_t from) {
    return static_cast<std::size_t>(std::find_if_not(text.begin() + from, text.end(), is_word) - text.begin()) - from;
  };
  const std::size_t local = word(0);
  if (local == 0 || local == text.size() || text[local] != '@') return local;
  const std::size_t domain = word(local + 1);
  return domain == 0 ? 0 : local + 1 + domain;
}

struct Found {
  std::size_t at, length;  // length 0: a value that is none
};

// The next header of this name whose line begins behind a line end at or after `begin`. A name without a colon or
// without a value ends the search.
std::optional<Found> next_header(std::string_view text, std::size_t begin) {
  for (Reader reader{text, begin}; !reader.done();) {
    if (!is_line_end(text[reader.at])) {
      ++reader.at;
      continue;
    }
    reader.skip_line_end();
    if (reader.done()) break;
    // What is no header of this name is passed over together with its first byte, be that a line end or not.
    const std::size_t name = is_blank(text[reader.at]) ? 0 : length_of_name(reader.rest());
    if (name == 0) {
      ++reader.at;
      continue;
    }
    reader.at += name;
    if (!reader.skip_white_space() || reader.done() || text[reader.at] != ':') break;
    ++reader.at;
    if (reader.done() || !reader.skip_white_space()) break;
    return Found{reader.at, length_of_value(reader.rest())};
  }
  return std::nullopt;
}

}  // namespace

std::string_view call_id_in(std::span<const std::byte> message) {
  const std::string_view text(reinterpret_cast<const char*>(message.data()), message.size());
  std::size_t begin = 0;
  while (const std::optional<Found> found = next_header(text, begin)) {
    if (found->length == 0) {
      begin += found->at;  // as the kernel counts: right for the first such value, too far for the next
      continue;
    }
    if (found->length > EngineData::kLongest) break;
    const std::size_t end = found->at + found->length;
    if (end == text.size() || !is_line_end(text[end])) break;
    return text.substr(found->at, found->length);
  }
  return {};
}

std::string_view call_id_of(const Packet& packet) {
  return packet.protocol == Protocol::kUdp ? call_id_in(packet.payload) : std::string_view();
}

}  // namespace lvspec::director
