#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "director/table/segment.h"

namespace lvspec::table {

/// Segments, of which there is one as long as the table holds what was reserved: then nothing is allocated. Each
/// growth beyond doubles the table by one more segment, which a lookup may have to ask as well, since entries never
/// move.
template <typename Entry>
class Table {
 public:
  static constexpr std::size_t kSmallest = 64;

  void reserve(std::size_t entries) {
    if (entries <= capacity_) return;
    if (size() == 0) segments_.clear(), capacity_ = 0;
    add(entries - capacity_);
  }
  std::size_t size() const {
    std::size_t all = 0;
    for (const Segment<Entry>& segment : segments_) all += segment.size();
    return all;
  }

  /// @param matches  see Bucket::find()
  template <typename Matches>
  Entry* find(std::uint64_t hash, Matches matches) {
    for (const Segment<Entry>& segment : segments_) {
      if (segment.size() != 0) segment.fetch(hash);  // of all, so that they are waited for together
    }
    // The last segment has the newest entries, which are asked for most.
    for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
      if (segment->size() == 0) continue;
      if (Entry* const found = segment->find(hash, matches)) return found;
    }
    return nullptr;
  }

  template <typename... Arguments>
  Entry& insert(std::uint64_t hash, bool hidden, Arguments&&... arguments) {
    // The last segment is the largest; earlier ones take what it cannot.
    for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
      if (!segment->full()) return segment->insert(hash, hidden, std::forward<Arguments>(arguments)...);
    }
    add(std::max(capacity_, kSmallest));
    return segments_.back().insert(hash, hidden, std::forward<Arguments>(arguments)...);
  }
  void hide(Entry& entry) { segment_of(entry).hide(entry); }
  void show(Entry& entry) { segment_of(entry).show(entry); }
  void remove(Entry& entry) { segment_of(entry).remove(entry); }

  /// Almost every packet moves its entry's deadline further away, so that is one store: the queue keeps the earlier
  /// one and looks again when that comes up.
  void arm(Entry& entry, const Due& due) {
    const bool forward = due < entry.due();
    entry.set_due(due);
    if (forward) bring_forward(entry);
  }
  /// For who has set an earlier deadline himself: which table an entry is in need not be known for a later one.
  void bring_forward(Entry& entry) { segment_of(entry).bring_forward(entry); }
  Due bound() const {
    Due least = kNever;
    for (const Segment<Entry>& segment : segments_) least = std::min(least, segment.bound());
    return least;
  }
  Entry* next() {
    Entry* first = nullptr;
    for (Segment<Entry>& segment : segments_) {
      Entry* const candidate = segment.next();
      if (candidate != nullptr && (first == nullptr || candidate->due() < first->due())) first = candidate;
    }
    return first;
  }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Segment<Entry>& segment : segments_) segment.for_each(visit);
  }
  std::size_t buckets() const {
    std::size_t all = 0;
    for (const Segment<Entry>& segment : segments_) all += segment.buckets();
    return all;
  }
  template <typename Visit>
  void visit_bucket(std::size_t bucket, Visit visit) const {
    for (const Segment<Entry>& segment : segments_) {
      if (bucket < segment.buckets()) return segment.visit_bucket(bucket, visit);
      bucket -= segment.buckets();
    }
  }

 private:
  void add(std::size_t entries) {
    segments_.emplace_back(Segment<Entry>::buckets_for(entries));
    capacity_ += segments_.back().capacity();
  }
  Segment<Entry>& segment_of(const Entry& entry) {
    auto segment = segments_.begin();
    while (!segment->contains(entry)) ++segment;
    return *segment;
  }

  std::vector<Segment<Entry>> segments_;
  std::size_t capacity_ = 0;
};

}  // namespace lvspec::table
