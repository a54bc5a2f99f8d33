#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lvspec {

/// For tests: the first tag of XML or HTML that does not close what was opened last, or the first `<` that opens no
/// tag; empty if all is well. Void elements of HTML, self-closed elements and the doctype count as closed.
inline std::string first_unbalanced_tag(std::string_view text) {
  constexpr std::string_view kVoid[] = {"meta", "br", "!DOCTYPE"};
  std::vector<std::string> open;
  for (std::size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at)) {
    const std::size_t end = text.find('>', at);
    if (end == std::string_view::npos) return std::string(text.substr(at, 40));
    const std::string_view inside = text.substr(at + 1, end - at - 1);
    at = end;
    if (inside.empty() || inside.find('<') != std::string_view::npos) return "<" + std::string(inside);
    const bool closing = inside.front() == '/';
    const std::string name(inside.substr(closing, inside.find_first_of(" />", 1) - closing));
    bool is_void = inside.back() == '/';
    for (const std::string_view candidate : kVoid) is_void = is_void || candidate == name;
    if (closing) {
      if (open.empty() || open.back() != name) return std::string(inside);
      open.pop_back();
    } else if (!is_void) {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : open.back();
}

}  // namespace lvspec
