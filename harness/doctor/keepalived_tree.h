#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/result.h"
#include "harness/doctor/configuration.h"

/// keepalived.conf(5) as words and blocks, before any word is understood.
namespace lvspec::doctor {

/// One line of it, "real_server 203.0.113.11 80", and the block in braces that follows, if one does.
struct Statement {
  Place place;
  std::vector<std::string> words;  ///< at least one
  std::optional<std::vector<Statement>> block{};
};

struct SourceFile {
  std::string name;
  std::string text;
};

struct TreeOptions {
  /// What lines with @ are compared with (keepalived's --config-id). None: such a line is an error, because nobody
  /// can know whether it counts.
  std::optional<std::string> config_id{};
  /// The files that an include line names, relative to the file it stands in, wildcards and all; an error if there is
  /// none and the pattern has no wildcard. Empty: an include line is an error.
  std::function<Result<std::vector<SourceFile>>(const std::string& pattern, const std::string& from)> open{};
};

/// Reads the words: blanks separate, quotes join, `#` and `!` begin a comment, `$NAME=VALUE` defines what `${NAME}`
/// and
/// `$NAME` stand for from there on. Included files are read where the include line stands.
/// Not carried out, and refused with its place: definitions of several lines, ~SEQ.
/// @param text, file  the main file and its name
/// @return  the statements, or a kUsage error `FILE:LINE: what is wrong; what to do`: a brace too many or too few, an
///          open quote, a control character, includes or blocks nested more than 32 deep, a file that cannot be read.
Result<std::vector<Statement>> read_keepalived_tree(std::string_view text, const std::string& file,
                                                    const TreeOptions& options = {});

/// Opens include files on this machine; for TreeOptions::open.
Result<std::vector<SourceFile>> open_included(const std::string& pattern, const std::string& from);

}  // namespace lvspec::doctor
