#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/result.h"
#include "harness/ruleset/read.h"

/// Inside of the reader: what ipvsadm lines and iptables lines have in common.
namespace lvspec::ruleset {

/// `FILE:LINE: "TOKEN": message; advice`, kUsage. The token is cut to 60 bytes and its unprintable bytes are escaped,
/// so that one error is one line of text whatever the file holds.
Error line_error(const LineOrigin& origin, std::string_view token, const std::string& message,
                 const std::string& advice);

/// "TOKEN" as line_error shows it, quotes included.
std::string quoted(std::string_view token);

/// The words of a line as a shell would split it: blanks separate, '...' and "..." join, backslash takes the next
/// character as it is, # at the beginning of a word ends the line. Variables and globs are not expanded.
/// Errors: an open quote, a backslash at the end (a command is one line here), a control character.
Result<std::vector<std::string>> split_words(std::string_view line, const LineOrigin& origin);

/// A number as C's strtol reads it in base 10 (leading blanks and one + are allowed), or nothing if it is none or
/// outside [min, max].
std::optional<std::int64_t> decimal(std::string_view text, std::int64_t min, std::int64_t max);

/// An unsigned 32-bit number in C notation: 8, 010, 0x8.
std::optional<std::uint32_t> c_number(std::string_view text);

/// IPv4 as inet_aton reads it, which is how ipvsadm does (ADM-35): "24" is 0.0.0.24, "10.1" is 10.0.0.1.
std::optional<IpAddress> classic_v4(const std::string& text);

/// "; did you mean X?" text for the candidate nearest to `word`, at most two letters away; empty if there is none.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// True if the word begins with a dash that is not ASCII's, as word processors and wikis make of "-".
bool begins_with_typographic_dash(std::string_view word);

/// "/usr/sbin/ipvsadm" -> "ipvsadm".
std::string_view program_of(std::string_view word);

/// Checks that an address can be a real server's without asking a route table: not 0.0.0.0/8, not multicast, not
/// 255.255.255.255 (DST-11).
bool is_unicast(const IpAddress& address);

}  // namespace lvspec::ruleset
