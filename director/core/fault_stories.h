#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "director/core/test_world.h"

namespace lvspec::director {

/// A world that writes down what happens in it.
class Story : public World {
 public:
  void tell(const std::string& what) { text_ += what + " "; }
  void tell_templates() {
    std::vector<std::string> lines;
    for (const EntryView& entry : templates()) {
      lines.push_back(std::to_string(entry.expires_in / 1ms) + "/" + std::to_string(entry.controlled) + "/" +
                      name_of(entry.server));
    }
    std::sort(lines.begin(), lines.end());
    tell("[" + testing::PrintToString(lines) + "]");
  }
  void mark(std::uint16_t port, std::uint32_t with) {
    MarkRule rule;
    rule.destination_port_low = rule.destination_port_high = port;
    rule.mark = with;
    marks_.push_back(rule);
    director.set_marks(marks_);
  }
  std::string text() const { return text_; }

 private:
  std::string text_;
  std::vector<MarkRule> marks_;
};

inline const ServiceKey kWeb = tcp_service(80);

/// What happens in a story. Healthy or under a fault, it goes on to its end; only what it tells differs.
using Plot = void (*)(Story&);

std::vector<Plot> persistence_plots();
std::vector<Plot> configuration_plots();
std::vector<Plot> protocol_plots();
std::vector<Plot> scheduler_plots();
std::vector<Plot> defence_plots();
std::vector<Plot> sync_plots();

}  // namespace lvspec::director
