#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/doctor/examine.h"

/// Inside of the examination: where its parts put what they find.
namespace lvspec::doctor {

class Findings {
 public:
  void say(std::string_view id, const Place& place, std::string text, std::string instead) {
    all_.push_back({&trap(id), place, std::move(text), std::move(instead)});
  }
  /// What is true of a whole configuration is said of its first part only.
  void say_once(std::string_view id, const Place& place, std::string text, std::string instead) {
    for (const Finding& one : all_)
      if (one.trap->id == id) return;
    say(id, place, std::move(text), std::move(instead));
  }
  std::vector<Finding> take() { return std::move(all_); }

 private:
  std::vector<Finding> all_;
};

/// Marks: rules, services, and both together.
void examine_marks(const Configuration& configuration, Findings* findings);
/// -E, -e, -d, -D and -C while clients may be there.
void examine_changes(const Configuration& configuration, Findings* findings);

/// "TCP 198.51.100.10:80" as ipvsadm's options have it: "-t 198.51.100.10:80", "-f 8 -6".
std::string as_option(const ServiceId& id);

}  // namespace lvspec::doctor
