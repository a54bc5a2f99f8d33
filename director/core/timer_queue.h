#pragma once

#include <cstdint>
#include <vector>

#include "director/core/time.h"

namespace lvspec::director {

/// When something fires, and who goes first if several fire at one instant: the smaller `order`.
struct TimerKey {
  DirectorTime deadline;
  std::uint64_t order = 0;

  auto operator<=>(const TimerKey&) const = default;
};

/// The timer that stands inside a connection entry.
struct Timer {
  static constexpr std::uint32_t kNotQueued = 0xffffffff;

  TimerKey due;                         ///< the truth; the queue may still hold an earlier key
  std::uint32_t position = kNotQueued;  ///< where the queue keeps it
};

/// Timers in the order in which they fire. Almost every packet moves its entry's deadline further away, so that is
/// one store: the queue keeps the old, earlier key and looks again when that comes up. Only a deadline that moves
/// closer (FIN, RST) sifts. A 4-ary heap with one node per timer, so its memory is bounded by the number of entries
/// and, once reserved, nothing is allocated.
template <typename Owner>
class TimerQueue {
 public:
  void reserve(std::size_t timers) { heap_.reserve(timers); }
  std::size_t size() const { return heap_.size(); }

  /// Arms `owner.timer` anew, or for the first time.
  void arm(Owner& owner, TimerKey due) {
    Timer& timer = owner.timer;
    timer.due = due;
    if (timer.position == Timer::kNotQueued) {
      timer.position = static_cast<std::uint32_t>(heap_.size());
      heap_.push_back({due, &owner});
      sift_up(timer.position);
    } else if (due < heap_[timer.position].key) {
      heap_[timer.position].key = due;
      sift_up(timer.position);
    }
  }

  void cancel(Owner& owner) {
    const std::uint32_t hole = owner.timer.position;
    if (hole == Timer::kNotQueued) return;
    owner.timer.position = Timer::kNotQueued;
    const Node last = heap_.back();
    heap_.pop_back();
    if (hole == heap_.size()) return;
    place(hole, last);
    sift_up(hole);
    sift_down(last.owner->timer.position);
  }

  /// Whose timer fires next; null if none is armed.
  Owner* next() {
    while (!heap_.empty()) {
      Node& top = heap_.front();
      if (top.key == top.owner->timer.due) return top.owner;
      top.key = top.owner->timer.due;
      sift_down(0);
    }
    return nullptr;
  }

  /// Every armed timer's owner, in no particular order. `visit` must not arm or cancel.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Node& node : heap_) visit(*node.owner);
  }

 private:
  static constexpr std::uint32_t kChildren = 4;
  struct Node {
    TimerKey key;
    Owner* owner;
  };

  void place(std::uint32_t position, const Node& node) {
    heap_[position] = node;
    node.owner->timer.position = position;
  }

  void sift_up(std::uint32_t position) {
    const Node node = heap_[position];
    while (position > 0) {
      const std::uint32_t parent = (position - 1) / kChildren;
      if (heap_[parent].key <= node.key) break;
      place(position, heap_[parent]);
      position = parent;
    }
    place(position, node);
  }

  void sift_down(std::uint32_t position) {
    const Node node = heap_[position];
    const std::uint32_t size = static_cast<std::uint32_t>(heap_.size());
    for (;;) {
      const std::uint32_t first = position * kChildren + 1;
      if (first >= size) break;
      std::uint32_t least = first;
      for (std::uint32_t child = first + 1; child < size && child < first + kChildren; ++child) {
        if (heap_[child].key < heap_[least].key) least = child;
      }
      if (node.key <= heap_[least].key) break;
      place(position, heap_[least]);
      position = least;
    }
    place(position, node);
  }

  std::vector<Node> heap_;
};

}  // namespace lvspec::director
