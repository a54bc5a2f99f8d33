#include "harness/ruleset/words.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>

namespace lvspec::ruleset {
namespace {

constexpr std::size_t kLongestShown = 60;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool continues_utf8(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

/// Levenshtein: letters to insert, remove or replace.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string quoted(std::string_view token) {
  std::string_view shown = token;
  if (shown.size() > kLongestShown) {
    std::size_t cut = kLongestShown;
    while (cut > 0 && continues_utf8(token[cut])) --cut;
    shown = token.substr(0, cut);
  }
  std::string text = "\"";
  for (const char c : shown)
    text += is_control(c) ? fmt::format("\\x{:02x}", static_cast<unsigned char>(c)) : std::string(1, c);
  return text + (shown.size() < token.size() ? "...\"" : "\"");
}

Error line_error(const LineOrigin& origin, std::string_view token, const std::string& message,
                 const std::string& advice) {
  return usage_error(fmt::format("{}:{}: {}: {}; {}", origin.file, origin.line, quoted(token), message, advice));
}

Result<std::vector<std::string>> split_words(std::string_view line, const LineOrigin& origin) {
  std::vector<std::string> words;
  std::optional<std::string> word;  // present, even if empty, once a character or a quote has begun it
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (is_control(c) && !is_blank(c))
      return line_error(origin, line, fmt::format("a control character, 0x{:02x}", c), "save the file as plain text");
    if (quote == 0 && is_blank(c)) {
      if (word) words.push_back(*std::exchange(word, std::nullopt));
      continue;
    }
    if (quote == 0 && c == '#' && !word) break;
    if (!word) word.emplace();
    if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == '\\' && quote != '\'') {
      if (++i == line.size() || is_blank(line[i]))
        return line_error(origin, "\\", "the line goes on after its end", "write the command on one line");
      *word += line[i];
    } else {
      *word += c;
    }
  }
  if (quote != 0) return line_error(origin, *word, "the quote is still open at the end of the line", "close it");
  if (word) words.push_back(*word);
  return words;
}

std::optional<std::int64_t> decimal(std::string_view text, std::int64_t min, std::int64_t max) {
  while (!text.empty() && (is_blank(text[0]) || text[0] == '\v' || text[0] == '\f')) text.remove_prefix(1);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> c_number(std::string_view text) {
  int base = 10;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text[0] == '0') {
    base = 8;
    text.remove_prefix(1);
  }
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<IpAddress> classic_v4(const std::string& text) {
  // inet_aton stops at a blank and ignores what follows; a quoted word may hold one.
  if (text.find_first_of(" \t\r\n") != std::string::npos) return std::nullopt;
  in_addr address{};
  if (inet_aton(text.c_str(), &address) == 0) return std::nullopt;
  return IpAddress::from_bytes(AF_INET, &address);
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = 3;
  for (const std::string& candidate : candidates) {
    const std::size_t letters = distance(word, candidate);
    // A word replaced in all its letters is another word, however short.
    if (letters < best_distance && letters < candidate.size()) {
      best = candidate;
      best_distance = letters;
    }
  }
  return best.empty() ? "" : fmt::format("did you mean {}?", best);
}

bool begins_with_typographic_dash(std::string_view word) {
  // U+2010..U+2015, U+2212, U+FF0D in UTF-8.
  for (const std::string_view dash : {"\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2015", "\u2212", "\uff0d"})
    if (word.starts_with(dash)) return true;
  return false;
}

std::string_view program_of(std::string_view word) {
  const auto slash = word.rfind('/');
  return slash == std::string_view::npos ? word : word.substr(slash + 1);
}

bool is_unicast(const IpAddress& address) {
  if (address.is_v6()) return address.bytes()[0] != 0xff && address != IpAddress::of("::");
  const std::uint32_t host = address.v4_host_order();
  return (host >> 24) != 0 && (host >> 28) != 0xe && host != 0xffffffff;
}

}  // namespace lvspec::ruleset
