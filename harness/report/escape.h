#pragma once

#include <string>
#include <string_view>

namespace lvspec {

/// Text for use between tags or in a quoted attribute, of XML as of HTML. What XML 1.0 cannot hold, that is control
/// characters and bytes that are not UTF-8, comes out as U+FFFD, so that no message of a daemon can spoil a report.
std::string xml_escape(std::string_view text);

/// A relative path for use in href: everything but letters, digits and "/._-~" as %XX, so that no name can become a
/// scheme or a query.
std::string path_in_url(std::string_view path);

/// Text for Markdown outside of code: characters with a meaning there are escaped, line ends become spaces.
std::string markdown_escape(std::string_view text);

/// Text for a terminal: control characters other than newline come out as U+FFFD, so that nobody's output can move
/// the cursor; continued lines are indented by `indent` columns.
std::string terminal_text(std::string_view text, int indent = 0);

}  // namespace lvspec
