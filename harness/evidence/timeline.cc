#include "harness/evidence/timeline.h"

#include <cmath>
#include <utility>

namespace lvspec {
namespace {

constexpr std::size_t kLongestText = 80;

/// As JSON: names of members and punctuation take about as much as a short moment's content.
std::size_t bytes_of(const Moment& moment) {
  return 34 + moment.who.size() + moment.what.size() + moment.by.size() + (moment.left_s > 0 ? 14 : 0) +
         (moment.who.empty() ? 0 : 9) + (moment.by.empty() ? 0 : 8);
}

void shorten(std::string* text) {
  if (const auto end = text->find('\n'); end != std::string::npos) text->replace(end, std::string::npos, " ...");
  if (text->size() <= kLongestText) return;
  std::size_t end = kLongestText;
  while (end > 0 && (static_cast<unsigned char>((*text)[end]) & 0xc0) == 0x80) --end;  // not within a character
  text->resize(end);
  *text += "...";
}

}  // namespace

bool Timeline::counted_with_another(const Moment& moment) {
  std::deque<Moment>& kept = last_.empty() ? first_ : last_;
  // What happens at one time has no order in a picture, but nothing is moved over an edit.
  constexpr double kOneTime = 0.5;
  for (auto other = kept.rbegin(); other != kept.rend(); ++other) {
    if (std::abs(other->at_s - moment.at_s) > kOneTime) return false;
    if (other->is_like(moment)) {
      other->times += moment.times;
      return true;
    }
    if (other->kind == MomentKind::kWorld || other->kind == MomentKind::kEdit || other->kind == MomentKind::kStep)
      return false;
  }
  return false;
}

void Timeline::add(Moment moment) {
  // Milliseconds are what a kernel's clock can tell, and what two runs may have in common.
  moment.at_s = std::round(moment.at_s * 1e3) / 1e3;
  moment.left_s = std::round(moment.left_s * 1e3) / 1e3;
  shorten(&moment.what);
  shorten(&moment.by);
  if (moment.kind == MomentKind::kGap) {
    left_out_ += moment.times;
    return;
  }
  if (counted_with_another(moment)) return;
  const std::size_t bytes = bytes_of(moment);
  if (last_.empty() && first_bytes_ + bytes <= limit_ / 2) {
    first_bytes_ += bytes;
    first_.push_back(std::move(moment));
    return;
  }
  last_bytes_ += bytes;
  last_.push_back(std::move(moment));
  while (last_bytes_ > limit_ - limit_ / 2 && last_.size() > 1) {
    last_bytes_ -= bytes_of(last_.front());
    left_out_ += last_.front().times;
    last_.pop_front();
  }
}

std::vector<Moment> Timeline::moments() const {
  std::vector<Moment> out(first_.begin(), first_.end());
  if (left_out_ > 0) {
    Moment gap;
    gap.kind = MomentKind::kGap;
    gap.at_s = out.empty() ? 0 : out.back().at_s;
    gap.times = left_out_;
    out.push_back(gap);
  }
  out.insert(out.end(), last_.begin(), last_.end());
  return out;
}

}  // namespace lvspec
