#include "harness/testing/recorder.h"

namespace lvspec::testing {

Recorder& Recorder::current() {
  static Recorder recorder;
  return recorder;
}

void Recorder::start() {
  const bool stop = stop_at_first_failure;
  *this = Recorder();
  stop_at_first_failure = stop;
}

void Recorder::looked(Assertion assertion) {
  ++looks_;
  Looks& looks = assertion.view == View::kInside ? inside_ : outside_;
  ++(assertion.held ? looks.held : looks.failed);
  if (assertion.held) return;
  // What the director believed when it went wrong; later steps change its tables.
  if (failures_.empty() && belief) assertion.believed = belief();
  failures_.push_back(std::move(assertion));
  if (stop_at_first_failure) throw CaseOver();
}

void Recorder::refused(const Error& error) {
  if (!refusal_) refusal_ = error;
}

void Recorder::conclude(bool gtest_failed, const std::string& gtest_text, CaseResult* result) const {
  result->assertions = looks_;
  result->outside = outside_;
  result->inside = inside_;
  result->failures = failures_;
  result->measurements = cells_;
  if (!failures_.empty()) {
    const Assertion& first = failures_.front();
    result->verdict = Verdict::kFail;
    result->reason = first.what + ": expected " + first.expected + ", got " + first.actual;
  } else if (refusal_ && refusal_->kind == ErrorKind::kDirector) {
    result->verdict = Verdict::kFail;
    result->reason = refusal_->message;
  } else if (refusal_ && refusal_->kind == ErrorKind::kUnsupported) {
    result->verdict = Verdict::kUnsupported;
    result->reason = refusal_->message;
  } else if (refusal_ && refusal_->kind == ErrorKind::kEnvironment) {
    result->verdict = Verdict::kEnvSkip;
    result->reason = refusal_->message;
  } else if (refusal_ || gtest_failed) {
    result->verdict = Verdict::kHarnessError;
    result->reason = refusal_ ? refusal_->message : gtest_text;
  } else if (result->info.level == Level::kInfo) {
    result->verdict = Verdict::kInfo;
    result->reason = measured_;
  } else if (served_ >= 2 && servers_ >= 2 && asked_.size() == 1) {
    // FR-33: with a scheduler that knows one server only, every client seems to stick.
    result->verdict = Verdict::kHarnessError;
    result->reason = "stickiness without its control: every answer came from " + *asked_.begin() +
                     "; let another client, or none of persistence, show that others answer too";
  } else {
    result->verdict = Verdict::kPass;
    result->reason = measured_;
  }
}

}  // namespace lvspec::testing
