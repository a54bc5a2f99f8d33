#include "harness/report/escape.h"

#include <cstddef>

namespace lvspec {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// Length of the character at `at` if it is well-formed UTF-8 that XML can hold, else 0.
/// Source: Unicode 15, table 3-7; XML 1.0, production [2] Char.
std::size_t character_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return lead >= 0x20 || lead == '\t' || lead == '\n' || lead == '\r' ? 1 : 0;
  const std::size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                             : (lead & 0xF0) == 0xE0        ? 3
                             : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                            : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;                      // overlong
  if (lead == 0xED && byte(1) > 0x9F) return 0;                      // surrogates
  if (lead == 0xEF && byte(1) == 0xBF && byte(2) >= 0xBE) return 0;  // U+FFFE, U+FFFF
  if (lead == 0xF0 && byte(1) < 0x90) return 0;                      // overlong
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;                      // past U+10FFFF
  return length;
}

/// Calls `put` with each character, or with U+FFFD for each byte that is none.
template <typename Put>
void for_each_character(std::string_view text, Put put) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text, at);
    put(length == 0 ? kReplacement : text.substr(at, length));
    at += length == 0 ? 1 : length;
  }
}

bool is_plain(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

}  // namespace

std::string xml_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for_each_character(text, [&](std::string_view character) {
    switch (character[0]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '\r':
        out += "&#13;";
        break;
      default:
        out += character;
    }
  });
  return out;
}

std::string path_in_url(std::string_view path) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    if (is_plain(c) || std::string_view("/._-~").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

std::string markdown_escape(std::string_view text) {
  std::string out;
  for_each_character(text, [&](std::string_view character) {
    const char c = character[0];
    if (c == '\n' || c == '\r' || c == '\t') {
      out += ' ';
    } else {
      if (std::string_view("\\`*_{}[]<>#|~").find(c) != std::string_view::npos) out += '\\';
      out += character;
    }
  });
  return out;
}

std::string terminal_text(std::string_view text, int indent) {
  std::string out;
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  for_each_character(text, [&](std::string_view character) {
    const auto second = static_cast<unsigned char>(character.size() > 1 ? character[1] : 0);
    if (character == "\n") {
      out += '\n';
      out.append(static_cast<std::size_t>(indent), ' ');
    } else if (character == "\r" || character == "\x7F" || (character[0] == '\xC2' && second < 0xA0)) {
      out += kReplacement;  // U+0080 to U+009F steer some terminals, as ESC does
    } else {
      out += character == "\t" ? " " : character;
    }
  });
  return out;
}

}  // namespace lvspec
