// Every fault must change something that a client or a reader of the tables can see. A handful of small stories is
// told by the healthy director and then under each fault; a fault under which all stories come out the same is none.
// The stories lie by subject in fault_stories_*.cc.

#include "director/core/faults.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "director/core/fault_stories.h"

namespace lvspec::director {

void PrintTo(const FaultInfo& info, std::ostream* out) { *out << info.name; }

namespace {

std::vector<std::string> tell_all(Fault fault) {
  set_fault(fault);
  std::vector<std::string> texts;
  for (const auto& plots :
       {persistence_plots, configuration_plots, protocol_plots, scheduler_plots, defence_plots, sync_plots}) {
    for (const Plot plot : plots()) {
      Story story;
      plot(story);
      texts.push_back(story.text());
    }
  }
  set_fault(Fault::kNoFault);
  return texts;
}

class FaultTest : public testing::TestWithParam<FaultInfo> {};

TEST_P(FaultTest, ChangesWhatCanBeSeen) {
  static const auto healthy = tell_all(Fault::kNoFault);  // once: it is the same beside every fault
  EXPECT_NE(tell_all(GetParam().fault), healthy) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(Every, FaultTest, testing::ValuesIn(kFaults, kFaults + kCoreFaults), [](const auto& info) {
  std::string name(info.param.name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Faults, AreManyAndNamedOnce) {
  std::vector<std::string_view> names;
  for (const FaultInfo& info : kFaults) names.push_back(info.name);
  EXPECT_GE(names.size(), 24u);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

}  // namespace
}  // namespace lvspec::director
