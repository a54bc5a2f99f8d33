#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "director/table/bucket.h"
#include "director/table/pages.h"
#include "director/table/timed.h"

namespace lvspec::table {

/// A hash table of one size whose buckets hold the entries themselves, so that most lookups are one miss and the
/// others stay within one bucket, and whose timers are queued by bucket, so that they cost a byte and a half an
/// entry. Entries never move.
///
/// `Entry` begins with Timed, needs no destructor and no alignment above 4, and has `std::uint64_t hash() const`, the
/// hash of its key. Which entries are equal is the caller's affair.
template <typename Entry>
class Segment {
 public:
  static constexpr std::size_t kSlots = Bucket<Entry>::kSlots;
  /// Entries a bucket on average, at which a segment counts as full; beyond, many would stand in a later bucket.
  static constexpr std::size_t kFull = kSlots * 7 / 8;
  static constexpr std::size_t buckets_for(std::size_t entries) { return entries / kFull + (entries % kFull != 0); }

  explicit Segment(std::size_t buckets)
      : count_(buckets),
        bucket_pages_(buckets * sizeof(Bucket<Entry>)),
        queue_pages_(buckets * sizeof(Node)),
        position_pages_(buckets * sizeof(std::uint32_t)),
        buckets_(reinterpret_cast<Bucket<Entry>*>(bucket_pages_.data())),
        queue_(reinterpret_cast<Node*>(queue_pages_.data())),
        positions_(reinterpret_cast<std::uint32_t*>(position_pages_.data())) {}

  std::size_t buckets() const { return count_; }
  std::size_t capacity() const { return count_ * kFull; }
  std::size_t size() const { return size_; }
  bool full() const { return size_ >= capacity(); }
  bool contains(const Entry& entry) const {
    const auto offset = reinterpret_cast<const std::byte*>(&entry) - bucket_pages_.data();
    return offset >= 0 && static_cast<std::size_t>(offset) < count_ * sizeof(Bucket<Entry>);
  }

  /// Fetches what find() will most likely look at.
  void fetch(std::uint64_t hash) const { buckets_[home_of(hash)].fetch(hash); }

  template <typename Matches>
  Entry* find(std::uint64_t hash, Matches matches) {
    std::size_t at = home_of(hash);
    for (std::size_t looked = 0; looked < count_; ++looked, at = after(at)) {
      if (Entry* const found = buckets_[at].find(hash, matches)) return found;
      if (!buckets_[at].passed()) break;
    }
    return nullptr;
  }

  /// A new entry, not armed; the segment is not full. Found by `hash`, or, if `hidden`, only visited.
  template <typename... Arguments>
  Entry& insert(std::uint64_t hash, bool hidden, Arguments&&... arguments) {
    std::size_t at = home_of(hash);
    const unsigned preferred = Bucket<Entry>::preferred_by(hash);
    unsigned slot;
    while ((slot = buckets_[at].free_slot(preferred)) == kSlots) {
      if (!hidden) buckets_[at].pass();
      at = after(at);
    }
    ++size_;
    const std::uint8_t tag = hidden ? Bucket<Entry>::kHidden : Bucket<Entry>::tag_of(hash);
    return buckets_[at].construct(slot, tag, std::forward<Arguments>(arguments)...);
  }

  /// From now on find() does not see the entry. Its key must still be the one it was found by.
  void hide(Entry& entry) {
    Bucket<Entry>& bucket = bucket_of(entry);
    const unsigned slot = bucket.slot_of(entry);
    if (bucket.tag(slot) == Bucket<Entry>::kHidden) return;
    bucket.set_tag(slot, Bucket<Entry>::kHidden);
    for (std::size_t at = home_of(entry.hash()); &buckets_[at] != &bucket; at = after(at)) buckets_[at].unpass();
  }
  /// Takes hide() back; the key must be the one that the entry was inserted with.
  void show(Entry& entry) {
    Bucket<Entry>& bucket = bucket_of(entry);
    const std::uint64_t hash = entry.hash();
    bucket.set_tag(bucket.slot_of(entry), Bucket<Entry>::tag_of(hash));
    for (std::size_t at = home_of(hash); &buckets_[at] != &bucket; at = after(at)) buckets_[at].pass();
  }

  void remove(Entry& entry) {
    hide(entry);
    Bucket<Entry>& bucket = bucket_of(entry);
    bucket.set_tag(bucket.slot_of(entry), Bucket<Entry>::kFree);
    --size_;
  }

  /// An earlier deadline than the queue knows of; any later one is found when the earlier one comes up.
  void bring_forward(Entry& entry) {
    const auto bucket = static_cast<std::uint32_t>(&bucket_of(entry) - buckets_);
    const auto slot = static_cast<std::uint32_t>(buckets_[bucket].slot_of(entry));
    const Due due = entry.due();
    if (positions_[bucket] == 0) {
      queue_[queued_] = {due, bucket, slot};
      positions_[bucket] = static_cast<std::uint32_t>(++queued_);
    } else if (due < queue_[positions_[bucket] - 1].due) {
      queue_[positions_[bucket] - 1] = {due, bucket, slot};
    } else {
      return;
    }
    sift_up(positions_[bucket] - 1);
  }

  /// No timer fires before this.
  Due bound() const { return queued_ == 0 ? kNever : queue_[0].due; }

  /// Whose timer fires first; null if none is armed.
  Entry* next() {
    while (queued_ != 0) {
      Node& top = queue_[0];
      Bucket<Entry>& bucket = buckets_[top.bucket];
      if (bucket.tag(top.slot) != Bucket<Entry>::kFree && bucket.entry(top.slot).due() == top.due)
        return &bucket.entry(top.slot);
      bucket.prefetch_all();
      if (queued_ > 1) buckets_[queue_[least_child(0)].bucket].prefetch_all();  // comes up next
      Entry* const first = first_of(bucket);
      const Due due = first == nullptr ? kNever : first->due();
      if (first != nullptr) top.slot = bucket.slot_of(*first);
      if (due == top.due) return first;
      top.due = due;
      if (first == nullptr) drop_top();
      if (queued_ != 0) sift_down(0);
    }
    return nullptr;
  }

  /// Every armed entry, in no particular order. `visit` must not change which entries there are.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < queued_; ++i) visit_bucket(queue_[i].bucket, visit);
  }
  /// The armed entries of one bucket, for who walks through a part of the table.
  template <typename Visit>
  void visit_bucket(std::size_t bucket, Visit visit) const {
    for (unsigned slot = 0; slot < kSlots; ++slot) {
      if (buckets_[bucket].tag(slot) == Bucket<Entry>::kFree) continue;
      Entry& entry = buckets_[bucket].entry(slot);
      if (entry.armed()) visit(entry);
    }
  }

 private:
  static constexpr std::size_t kChildren = 4;
  /// A bucket in the queue, a 4-ary heap. `due` is never later than the bucket's first timer; it was that of `slot`.
  struct Node {
    Due due;
    std::uint32_t bucket, slot;
  };

  std::size_t home_of(std::uint64_t hash) const { return static_cast<std::size_t>((hash >> 32) * count_ >> 32); }
  std::size_t after(std::size_t bucket) const { return bucket + 1 == count_ ? 0 : bucket + 1; }
  Bucket<Entry>& bucket_of(const Entry& entry) const {
    const auto offset = reinterpret_cast<const std::byte*>(&entry) - bucket_pages_.data();
    return buckets_[static_cast<std::size_t>(offset) / sizeof(Bucket<Entry>)];
  }

  static Entry* first_of(Bucket<Entry>& bucket) {
    Entry* first = nullptr;
    for (unsigned slot = 0; slot < kSlots; ++slot) {
      if (bucket.tag(slot) == Bucket<Entry>::kFree) continue;
      Entry& entry = bucket.entry(slot);
      if (entry.armed() && (first == nullptr || entry.due() < first->due())) first = &entry;
    }
    return first;
  }

  void place(std::size_t position, const Node& node) {
    queue_[position] = node;
    positions_[node.bucket] = static_cast<std::uint32_t>(position + 1);
  }
  void drop_top() {
    positions_[queue_[0].bucket] = 0;
    if (--queued_ != 0) place(0, queue_[queued_]);
  }
  void sift_up(std::size_t position) {
    const Node node = queue_[position];
    while (position > 0) {
      const std::size_t parent = (position - 1) / kChildren;
      if (queue_[parent].due <= node.due) break;
      place(position, queue_[parent]);
      position = parent;
    }
    place(position, node);
  }
  /// There is at least one.
  std::size_t least_child(std::size_t position) const {
    std::size_t least = position * kChildren + 1;
    const std::size_t end = std::min(queued_, least + kChildren);
    for (std::size_t child = least + 1; child < end; ++child) {
      if (queue_[child].due < queue_[least].due) least = child;
    }
    return least;
  }
  void sift_down(std::size_t position) {
    const Node node = queue_[position];
    while (position * kChildren + 1 < queued_) {
      const std::size_t least = least_child(position);
      if (node.due <= queue_[least].due) break;
      place(position, queue_[least]);
      position = least;
    }
    place(position, node);
  }

  std::size_t count_, size_ = 0, queued_ = 0;
  Pages bucket_pages_, queue_pages_, position_pages_;
  Bucket<Entry>* buckets_;
  Node* queue_;
  std::uint32_t* positions_;  // of each bucket in the queue, plus one; 0 if it is not there
};

}  // namespace lvspec::table
