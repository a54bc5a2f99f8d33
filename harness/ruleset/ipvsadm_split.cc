#include "harness/ruleset/ipvsadm_split.h"

#include <fmt/format.h>

#include "harness/ruleset/words.h"

namespace lvspec::ruleset {
namespace {

class Splitter {
 public:
  explicit Splitter(std::vector<std::string> words) : words_(std::move(words)) {}

  SplitLine split() {
    bool options_ended = false;
    while (next_ < words_.size() && !options_.first_error) {
      const std::string word = words_[next_++];
      typed_ = word;
      if (options_ended || word.size() < 2 || word[0] != '-') {
        options_.others.push_back(word);
      } else if (word == "--") {
        options_ended = true;
      } else if (word[1] == '-') {
        take_long(word);
      } else {
        take_letters(word);
      }
    }
    return std::move(options_);
  }

 private:
  void take_long(const std::string& word) {
    const auto equals = word.find('=');
    const std::string dashed = word.substr(0, equals);
    const OptionSpec* spec = find_name(std::string_view(dashed).substr(2));
    if (spec == nullptr) return unknown(dashed);
    if (equals == std::string::npos) return take(spec, dashed, std::nullopt);
    take(spec, dashed, word.substr(equals + 1));
  }

  void take_letters(const std::string& word) {
    for (std::size_t i = 1; i < word.size() && !options_.first_error; ++i) {
      const std::string dashed{'-', word[i]};
      const OptionSpec* spec = find_letter(word[i]);
      if (spec == nullptr) return unknown(dashed);
      if (spec->value == Value::kNone || i + 1 == word.size()) {
        take(spec, dashed, std::nullopt);
        continue;
      }
      const std::size_t from = word[i + 1] == '=' ? i + 2 : i + 1;
      return take(spec, dashed, word.substr(from));
    }
  }

  void take(const OptionSpec* spec, const std::string& dashed, std::optional<std::string> attached) {
    if (spec->value == Value::kNone && attached) {
      complain(dashed, "option does not take an argument", "leave out the value");
      return;
    }
    if (spec->value != Value::kNone && !attached) {
      const bool wanted = spec->value == Value::kRequired;
      if (next_ < words_.size() && (wanted || words_[next_][0] != '-')) {
        attached = words_[next_++];
      } else if (wanted) {
        complain(dashed, "missing argument", "write its value behind it");
        return;
      }
    }
    options_.given.push_back({spec, dashed, typed_, std::move(attached)});
  }

  void unknown(const std::string& dashed) {
    const std::string command = options_.given.empty() ? "ipvsadm" : "ipvsadm " + options_.given.front().word;
    std::string advice = did_you_mean(dashed, long_options());
    if (dashed.size() == 2) {
      const bool digit = dashed[1] >= '0' && dashed[1] <= '9';
      advice = digit ? "take it out; a number follows an option, as in -w 2 for a weight"
                     : "take it out, or see ipvsadm(8) for the letter that was meant";
    } else if (advice.empty()) {
      advice = "take it out, or see ipvsadm(8) for the name that was meant";
    }
    complain(dashed, "unknown option", advice);
    options_.first_error->message += fmt::format(" of \"{}\"", command);
  }

  /// In popt's words: the whole word as it was typed, and what is wrong with it.
  void complain(const std::string& dashed, const std::string& message, const std::string& advice) {
    options_.first_error = Complaint{dashed, message, advice, fmt::format("{}: {}", typed_, message), 255, false};
  }

  std::vector<std::string> words_;
  std::size_t next_ = 0;
  std::string typed_;  ///< the word that we are at
  SplitLine options_;
};

}  // namespace

SplitLine split_options(std::vector<std::string> words) { return Splitter(std::move(words)).split(); }

}  // namespace lvspec::ruleset
