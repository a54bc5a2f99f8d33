#include "director/core/timer_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace lvspec::director {
namespace {

using std::chrono::seconds;

struct Alarm {
  int id = 0;
  Timer timer;
};

TimerKey key(int second, std::uint64_t order) { return {DirectorTime(seconds(second)), order}; }

std::vector<int> drain(TimerQueue<Alarm>& queue) {
  std::vector<int> ids;
  while (Alarm* alarm = queue.next()) {
    ids.push_back(alarm->id);
    queue.cancel(*alarm);
  }
  return ids;
}

TEST(TimerQueue, EqualDeadlinesGoByOrder) {
  TimerQueue<Alarm> queue;
  Alarm a{1, {}}, b{2, {}}, c{3, {}};
  queue.arm(a, key(5, 2));
  queue.arm(b, key(5, 1));
  queue.arm(c, key(4, 3));
  EXPECT_THAT(drain(queue), testing::ElementsAre(3, 2, 1));
}

TEST(TimerQueue, RearmingMovesBothWays) {
  TimerQueue<Alarm> queue;
  Alarm a{1, {}}, b{2, {}}, c{3, {}};
  queue.arm(a, key(1, 0));
  queue.arm(b, key(2, 1));
  queue.arm(c, key(3, 2));
  queue.arm(a, key(9, 3));
  queue.arm(c, key(1, 4));
  EXPECT_THAT(drain(queue), testing::ElementsAre(3, 2, 1));
}

// Against the plainest possible model: look through all armed timers for the least key.
TEST(TimerQueue, AgreesWithASortedListUnderRandomUse) {
  std::mt19937 random(1);
  std::vector<Alarm> alarms(200);
  TimerQueue<Alarm> queue;
  std::vector<Alarm*> armed;
  for (std::uint64_t step = 0; step < 50000; ++step) {
    Alarm& alarm = alarms[random() % alarms.size()];
    const bool is_armed = std::find(armed.begin(), armed.end(), &alarm) != armed.end();
    if (random() % 4 != 0) {
      queue.arm(alarm, key(static_cast<int>(random() % 1000), step));
      if (!is_armed) armed.push_back(&alarm);
    } else {
      queue.cancel(alarm);
      std::erase(armed, &alarm);
    }
    const auto least = std::min_element(armed.begin(), armed.end(),
                                        [](const Alarm* a, const Alarm* b) { return a->timer.due < b->timer.due; });
    ASSERT_EQ(queue.next(), least == armed.end() ? nullptr : *least) << "step " << step;
    ASSERT_EQ(queue.size(), armed.size());
  }
}

}  // namespace
}  // namespace lvspec::director
