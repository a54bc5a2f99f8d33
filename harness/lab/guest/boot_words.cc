#include "harness/lab/guest/boot_words.h"

#include <fmt/format.h>

#include "harness/lab/guest/protocol.h"

namespace lvspec {

Result<std::vector<std::string>> boot_words(std::vector<std::string> words, const BootPassengers& passengers,
                                            std::size_t room) {
  words.push_back(fmt::format("{}={}", guest_protocol::kLab, passengers.lab));
  if (!passengers.writable_dir.empty())
    words.push_back(fmt::format("{}={}", guest_protocol::kWritableDir, passengers.writable_dir));
  for (const auto& [name, value] : passengers.environment) words.push_back(fmt::format("{}={}", name, value));
  if (!passengers.args.empty()) words.push_back("--");
  words.insert(words.end(), passengers.args.begin(), passengers.args.end());

  std::size_t length = 0;
  for (std::string& word : words) {
    if (word.find_first_of("\"\n") != std::string::npos || word.empty())
      return usage_error(
          fmt::format("\"{}\": the kernel's command line cannot carry an empty word, a quote or a line end", word));
    if (word.find(' ') != std::string::npos) word = "\"" + word + "\"";
    length += word.size() + 1;
  }
  // init/main.c: MAX_INIT_ARGS and MAX_INIT_ENVS are 32, and some are the kernel's own.
  if (length >= room || passengers.args.size() > 26 || passengers.environment.size() > 20)
    return usage_error(fmt::format("{} bytes, {} args, {} variables: more than a kernel's command line carries",
                                   length, passengers.args.size(), passengers.environment.size()));
  return words;
}

}  // namespace lvspec
