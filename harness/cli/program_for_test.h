#pragma once

// lvspec as its users start it, for tests of the command line.

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "harness/process/child.h"

namespace lvspec {

struct Ended {
  std::string how, text;
};

/// Starts LVSPEC_PROGRAM and waits for its end. `text` is what it said on both outputs.
inline Ended lvspec(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), LVSPEC_PROGRAM);
  auto child = Child::start({.argv = std::move(arguments), .fds = {}, .environment = {}});
  if (!child.ok()) return {child.error().message, ""};
  child->wait(std::chrono::seconds(120));
  return {child->stop(), child->output()};
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A folder that goes with the test.
class Scratch {
 public:
  Scratch() {
    char path[] = "/tmp/lvspec-test-XXXXXX";
    path_ = mkdtemp(path);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace lvspec
