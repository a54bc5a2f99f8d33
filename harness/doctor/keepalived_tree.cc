#include "harness/doctor/keepalived_tree.h"

#include <fmt/format.h>
#include <glob.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "harness/base/cleanup.h"
#include "harness/ruleset/words.h"

namespace lvspec::doctor {
namespace {

constexpr std::size_t kDeepest = 32;
/// A value that names itself would grow for ever.
constexpr std::size_t kLongestLine = 65536;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

Error wrong(const Place& place, std::string_view token, const std::string& message, const std::string& advice) {
  return ruleset::line_error({place.file, place.line}, token, message, advice);
}

/// A word, or a brace that was not quoted.
struct Token {
  std::string text;
  bool brace = false;
};

class Tree {
 public:
  explicit Tree(const TreeOptions& options) : options_(options) {}

  Status read_file(std::string_view text, const std::string& file) {
    if (++files_ > kDeepest)
      return wrong(place_, file, "include lines are nested too deeply", "does a file include itself?");
    place_ = {file, 0};
    while (!text.empty()) {
      const auto end = text.find('\n');
      ++place_.line;
      LVSPEC_TRY(read_line(std::string(text.substr(0, end))));
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
    --files_;
    return {};
  }

  Result<std::vector<Statement>> finish() {
    if (!open_.empty())
      return wrong(open_.back().place, open_.back().words.front(), "the block has no end", "add a line }");
    return std::move(top_);
  }

 private:
  Status read_line(std::string line) {
    for (const char c : line)
      if (static_cast<unsigned char>(c) < ' ' && !is_blank(c))
        return wrong(place_, line, "a control character", "keepalived.conf is text");
    LVSPEC_ASSIGN(const bool defined, define(line));
    if (defined) return {};
    LVSPEC_ASSIGN(line, substituted(std::move(line)));
    LVSPEC_ASSIGN(const bool counts, condition(&line));
    if (!counts) return {};
    LVSPEC_ASSIGN(const std::vector<Token> tokens, tokens_of(line));
    if (tokens.empty()) return {};
    if (tokens[0].text.starts_with("~SEQ"))
      return wrong(place_, tokens[0].text, "sequences are not carried out", "write the lines out");
    if (is_include(tokens)) return include(tokens);
    return take(tokens);
  }

  /// $NAME=VALUE. @return whether the line was one.
  Result<bool> define(const std::string& line) {
    std::size_t at = line.find_first_not_of(" \t");
    if (at == std::string::npos || line[at] != '$') return false;
    std::size_t end = at + 1;
    while (end < line.size() && is_name(line[end])) ++end;
    if (end == at + 1 || end == line.size() || line[end] != '=') return false;
    const std::string name = line.substr(at + 1, end - at - 1);
    std::string value = line.substr(end + 1);
    while (!value.empty() && is_blank(value.back())) value.pop_back();
    if (value.ends_with('\\'))
      return wrong(place_, "$" + name, "definitions of several lines are not carried out", "write the lines out");
    definitions_[name] = value.substr(std::min(value.size(), value.find_first_not_of(" \t")));
    return true;
  }

  /// The line with the names replaced by what they stand for, again and again until there is none; a name that nobody
  /// has defined stays.
  Result<std::string> substituted(std::string line) {
    if (definitions_.empty()) return line;
    std::size_t from = 0;
    for (int rounds = 0;; ++rounds) {
      const auto dollar = line.find('$', from);
      if (dollar == std::string::npos) return line;
      const bool braces = dollar + 1 < line.size() && line[dollar + 1] == '{';
      const std::size_t begin = dollar + (braces ? 2 : 1);
      std::size_t end = begin;
      while (end < line.size() && is_name(line[end])) ++end;
      const auto found = definitions_.find(line.substr(begin, end - begin));
      const bool closed = braces ? end < line.size() && line[end] == '}' : end == line.size() || is_blank(line[end]);
      if (found == definitions_.end() || !closed) {
        from = dollar + 1;
        continue;
      }
      line.replace(dollar, end + (braces ? 1 : 0) - dollar, found->second);
      from = dollar;
      if (rounds > 1000 || line.size() > kLongestLine)
        return wrong(place_, "$" + found->first, "the definition never ends", "does its value name itself?");
    }
  }

  /// "@main WORDS", "@^main WORDS": cut off. @return whether the line counts.
  Result<bool> condition(std::string* line) {
    const auto at = line->find_first_not_of(" \t");
    if (at == std::string::npos || (*line)[at] != '@') return true;
    std::size_t end = at;
    while (end < line->size() && !is_blank((*line)[end])) ++end;
    const std::string word = line->substr(at, end - at);
    if (!options_.config_id)
      return wrong(place_, word, "the line counts for some machines only", "say for which with --config-id");
    const bool negative = word.starts_with("@^");
    line->erase(0, end);
    return (word.substr(negative ? 2 : 1) == *options_.config_id) != negative;
  }

  Result<std::vector<Token>> tokens_of(const std::string& line) {
    std::vector<Token> tokens;
    std::string word;
    bool in_word = false;
    const auto end_word = [&] {
      if (in_word) tokens.push_back({word, false});
      word.clear();
      in_word = false;
    };
    for (std::size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      if (c == '#' || c == '!') break;
      if (is_blank(c)) {
        end_word();
      } else if (c == '"' || c == '\'') {
        in_word = true;
        const std::size_t opened = i;
        for (++i; i < line.size() && line[i] != c; ++i) {
          if (line[i] == '\\' && i + 1 < line.size()) ++i;
          word += line[i];
        }
        if (i >= line.size()) return wrong(place_, line.substr(opened), "the quote has no end", "close it");
      } else if ((c == '{' || c == '}') && !(c == '{' && i > 0 && line[i - 1] == '$') && !inside_name(line, i)) {
        end_word();
        tokens.push_back({std::string(1, c), true});
      } else {
        in_word = true;
        word += c;
      }
    }
    end_word();
    return tokens;
  }

  /// Whether the } at `at` ends a ${NAME} that nobody has defined.
  static bool inside_name(const std::string& line, std::size_t at) {
    if (line[at] != '}') return false;
    std::size_t begin = at;
    while (begin > 0 && is_name(line[begin - 1])) --begin;
    return begin >= 2 && line[begin - 1] == '{' && line[begin - 2] == '$';
  }

  static bool is_include(const std::vector<Token>& tokens) {
    static const std::set<std::string> kWords = {"include",  "includer", "includem",
                                                 "includew", "includeb", "includea"};
    return kWords.count(tokens[0].text) > 0;
  }

  Status include(const std::vector<Token>& tokens) {
    if (tokens.size() != 2 || tokens[1].brace)
      return wrong(place_, tokens[0].text, "one file is expected", "write include FILE");
    const std::string& pattern = tokens[1].text;
    if (!options_.open)
      return wrong(place_, pattern, "include lines are not followed here", "put the lines in its place");
    auto files = options_.open(pattern, place_.file);
    if (!files.ok()) return wrong(place_, pattern, files.error().message, "keepalived would go on without it");
    const Place here = place_;
    for (const SourceFile& file : *files) {
      LVSPEC_TRY(read_file(file.text, file.name));
      place_ = here;
    }
    return {};
  }

  Status take(const std::vector<Token>& tokens) {
    Statement* last = nullptr;  // of this line
    for (const Token& token : tokens) {
      if (!token.brace) {
        if (last == nullptr) last = &(block().emplace_back(Statement{place_, {}, std::nullopt}));
        last->words.push_back(token.text);
        continue;
      }
      LVSPEC_TRY(token.text == "{" ? open_block() : close_block());
      last = nullptr;
    }
    return {};
  }

  /// The statements among which the next one belongs.
  std::vector<Statement>& block() { return open_.empty() ? top_ : *open_.back().block; }

  Status open_block() {
    if (block().empty() || block().back().block)
      return wrong(place_, "{", "a block without a word before it", "remove it, or say what it is");
    if (open_.size() >= kDeepest) return wrong(place_, "{", "blocks are nested too deeply", "is a } missing?");
    open_.push_back(std::move(block().back()));
    // Its place in the outer block is taken again when it is closed.
    open_.back().block.emplace();
    return {};
  }

  Status close_block() {
    if (open_.empty()) return wrong(place_, "}", "there is no block to end", "is a { missing, or one } too many?");
    Statement closed = std::move(open_.back());
    open_.pop_back();
    block().back() = std::move(closed);
    return {};
  }

  const TreeOptions& options_;
  Place place_;
  std::size_t files_ = 0;
  std::map<std::string, std::string> definitions_;
  std::vector<Statement> top_;
  std::vector<Statement> open_;  ///< outermost first
};

}  // namespace

Result<std::vector<Statement>> read_keepalived_tree(std::string_view text, const std::string& file,
                                                    const TreeOptions& options) {
  Tree tree(options);
  LVSPEC_TRY(tree.read_file(text, file));
  return tree.finish();
}

Result<std::vector<SourceFile>> open_included(const std::string& pattern, const std::string& from) {
  const std::filesystem::path path = std::filesystem::path(from).parent_path() / pattern;
  glob_t found{};
  const Cleanup free([&found] { globfree(&found); });
  const int status = ::glob(path.c_str(), GLOB_BRACE, nullptr, &found);
  const bool wildcard = pattern.find_first_of("*?[{") != std::string::npos;
  if (status == GLOB_NOMATCH && wildcard) return std::vector<SourceFile>{};
  if (status != 0) return Error{fmt::format("{}: there is no such file, or it cannot be read", path.string())};
  std::vector<SourceFile> files;
  for (std::size_t i = 0; i < found.gl_pathc; ++i) {
    std::error_code ignored;
    if (wildcard && !std::filesystem::is_regular_file(found.gl_pathv[i], ignored)) continue;
    std::ifstream file(found.gl_pathv[i], std::ios::binary);
    if (!file) return system_error(fmt::format("open({})", found.gl_pathv[i]));
    files.push_back({found.gl_pathv[i], {std::istreambuf_iterator<char>(file), {}}});
  }
  return files;
}

}  // namespace lvspec::doctor
