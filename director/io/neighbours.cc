#include "director/io/neighbours.h"

#include <algorithm>
#include <utility>

namespace lvspec::director {

const Mac* Neighbours::find(const FamilyAddress& who, DirectorTime now) {
  const auto found = entries_.find(who);
  if (found == entries_.end() || !found->second.known) return nullptr;
  Entry& entry = found->second;
  if (entry.tries == 0 && now - entry.confirmed >= kBelieved) question(who, entry, now);
  return &entry.mac;
}

void Neighbours::wait(const FamilyAddress& who, DirectorTime now, WaitingPacket packet) {
  auto found = entries_.find(who);
  if (found == entries_.end()) {
    if (entries_.size() >= kMost) {  // those that nobody has asked for lately make room
      std::erase_if(entries_, [&](const auto& one) {
        return one.second.tries == 0 && now - one.second.confirmed >= kBelieved;
      });
    }
    if (entries_.size() >= kMost) return give_up(packet, now);
    found = entries_.emplace(who, Entry{}).first;
  }
  Entry& entry = found->second;
  if (entry.waiting.size() == kMostWaiting) entry.waiting.erase(entry.waiting.begin());
  entry.waiting.push_back(std::move(packet));
  if (entry.tries == 0) {
    question(who, entry, now);
  } else if (entry.waiting.size() < kMostWaiting) {
    ask(who);  // time may stand still; a question that got lost must not cost more than its packet
  }
}

void Neighbours::question(const FamilyAddress& who, Entry& entry, DirectorTime now) {
  if (entry.tries++ == 0) ++asked_;
  entry.next_try = timer(now, kPause);
  ask(who);
}

std::vector<WaitingPacket> Neighbours::learn(const Neighbour& neighbour, DirectorTime now) {
  const auto found = entries_.find({neighbour.family, neighbour.address});
  if (found == entries_.end()) return {};
  Entry& entry = found->second;
  if (entry.tries != 0) --asked_;
  entry.known = true;
  entry.mac = neighbour.mac;
  entry.tries = 0;
  entry.confirmed = now;
  return std::exchange(entry.waiting, {});
}

void Neighbours::expire(DirectorTime now) {
  if (asked_ == 0) return;
  std::vector<std::pair<DirectorTime, WaitingPacket>> given_up;
  for (auto at = entries_.begin(); at != entries_.end();) {
    Entry& entry = at->second;
    bool gone = false;
    // Time may have come in one step that was longer than a pause.
    while (entry.tries != 0 && entry.next_try <= now && !gone) {
      if (entry.tries < kTries) {
        question(at->first, entry, entry.next_try);
        if (entry.known) entry.next_try = std::max(entry.next_try, now + kPause);  // let it have its chance
      } else {
        gone = true;
      }
    }
    if (!gone) {
      ++at;
      continue;
    }
    --asked_;
    for (WaitingPacket& packet : entry.waiting) given_up.emplace_back(entry.next_try, std::move(packet));
    at = entries_.erase(at);
  }
  std::ranges::stable_sort(given_up, {}, &std::pair<DirectorTime, WaitingPacket>::first);
  for (auto& [when, packet] : given_up) give_up(packet, when);
}

std::optional<DirectorTime> Neighbours::next_deadline() const {
  std::optional<DirectorTime> next;
  if (asked_ == 0) return next;
  for (const auto& [who, entry] : entries_) {
    if (entry.tries != 0 && (!next || entry.next_try < *next)) next = entry.next_try;
  }
  return next;
}

}  // namespace lvspec::director
