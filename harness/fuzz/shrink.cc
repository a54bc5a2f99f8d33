#include "harness/fuzz/shrink.h"

#include <algorithm>

namespace lvspec::fuzz {
namespace {

/// Steps [first, last) of a program.
struct Range {
  std::size_t first, last;
};

/// Without these steps; the ranges ascend and do not touch each other's steps.
Program without(const Program& program, const std::vector<Range>& ranges) {
  Program rest{program.seed, {}};
  std::size_t at = 0;
  const auto keep_to = [&](std::size_t end) {
    for (; at < end; ++at) rest.steps.push_back(program.steps[at]);
  };
  for (const Range& range : ranges) {
    keep_to(range.first);
    at = range.last;
  }
  keep_to(program.steps.size());
  return rest;
}

class Shrinker {
 public:
  Shrinker(Program program, const Oracle& oracle, int patience)
      : program_(std::move(program)), oracle_(oracle), patience_(patience) {}

  Result<Program> run() {
    for (bool progress = true; progress && patience_ > 0;) {
      LVSPEC_ASSIGN(const bool fewer, drop_steps());
      LVSPEC_ASSIGN(const bool simpler, simplify_steps());
      progress = fewer || simpler;
    }
    return std::move(program_);
  }

 private:
  /// Which of these still show it; none, unasked, once patience is at its end.
  Result<std::vector<std::size_t>> which_show_it(const std::vector<Program>& candidates) {
    std::vector<std::size_t> found;
    if (candidates.empty() || patience_ <= 0) return found;
    --patience_;
    LVSPEC_ASSIGN(const std::vector<bool> shows, oracle_(candidates));
    for (std::size_t i = 0; i < candidates.size(); ++i)
      if (shows.at(i)) found.push_back(i);
    return found;
  }

  /// Halves, quarters and so on, down to single steps. What can be spared one by one can mostly be spared together.
  Result<bool> drop_steps() {
    bool progress = false;
    for (std::size_t chunk = std::max<std::size_t>(program_.steps.size() / 2, 1);;) {
      std::vector<Range> ranges;
      for (std::size_t at = 0; at < program_.steps.size(); at += chunk)
        ranges.push_back({at, std::min(at + chunk, program_.steps.size())});
      std::vector<Program> candidates;
      for (const Range& range : ranges) candidates.push_back(without(program_, {range}));
      LVSPEC_ASSIGN(const std::vector<std::size_t> spared, which_show_it(candidates));
      if (!spared.empty()) {
        progress = true;
        std::vector<Range> all;
        for (const std::size_t i : spared) all.push_back(ranges[i]);
        const auto half = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
        const std::vector<Program> together = {without(program_, all), without(program_, {all.begin(), half}),
                                               without(program_, {half, all.end()})};
        std::vector<std::size_t> also;
        if (all.size() > 1) {
          LVSPEC_ASSIGN(also, which_show_it(together));
        }
        program_ = also.empty() ? candidates[spared.front()] : together[also.front()];
      }
      if (patience_ <= 0 || (chunk == 1 && spared.empty())) return progress;
      chunk = std::max<std::size_t>(std::min(chunk, program_.steps.size()) / 2, 1);
    }
  }

  Result<bool> simplify_steps() {
    bool progress = false;
    while (patience_ > 0) {
      std::vector<Program> candidates;
      for (std::size_t i = 0; i < program_.steps.size(); ++i) {
        for (Step& simpler : simplifications(program_.steps[i])) {
          candidates.push_back(program_);
          candidates.back().steps[i] = std::move(simpler);
        }
      }
      LVSPEC_ASSIGN(const std::vector<std::size_t> good, which_show_it(candidates));
      if (good.empty()) return progress;
      program_ = candidates[good.front()];
      progress = true;
    }
    return progress;
  }

  Program program_;
  const Oracle& oracle_;
  int patience_;
};

struct Simpler {
  std::vector<Step> operator()(const Command& command) const {
    std::vector<Step> found;
    std::visit([&](const auto& c) { simplify(c, &found); }, command);
    return found;
  }
  std::vector<Step> operator()(const SetSysctl&) const { return {}; }
  std::vector<Step> operator()(const SetTimeouts& s) const {
    std::vector<Step> found;
    for (std::uint32_t SetTimeouts::*field : {&SetTimeouts::tcp, &SetTimeouts::tcp_fin, &SetTimeouts::udp}) {
      if (s.*field == 0) continue;
      SetTimeouts simpler = s;
      simpler.*field = 0;
      found.emplace_back(simpler);
    }
    return found;
  }
  std::vector<Step> operator()(const SetMarks& s) const {
    std::vector<Step> found;
    for (std::size_t i = 0; i < s.rules.size(); ++i) {
      SetMarks fewer = s;
      fewer.rules.erase(fewer.rules.begin() + static_cast<std::ptrdiff_t>(i));
      found.emplace_back(fewer);
    }
    return found;
  }
  std::vector<Step> operator()(const Connect& c) const {
    std::vector<Step> found;
    for (int shape = 0; shape < static_cast<int>(c.shape); ++shape)
      found.emplace_back(Connect{c.client, c.target, static_cast<Shape>(shape)});
    return found;
  }
  std::vector<Step> operator()(const Segment&) const { return {}; }
  std::vector<Step> operator()(const Datagram&) const { return {}; }
  std::vector<Step> operator()(const Pause& p) const {
    std::vector<Step> found;
    for (const std::uint32_t seconds : {1U, 10U, 60U, 120U, 300U})
      if (seconds < p.seconds) found.emplace_back(Pause{seconds});
    return found;
  }

 private:
  template <typename Edit>
  static void simplify_service(const Edit& edit, std::vector<Step>* found) {
    const VirtualService& service = edit.service;
    const VirtualService defaults;
    const auto offer = [&](auto change) {
      Edit simpler = edit;
      change(simpler.service);
      if (!(simpler == edit)) found->emplace_back(Command(simpler));
    };
    if (service.id.is_mark() || service.id.port != kAnyPort)
      offer([](VirtualService& s) {
        const VirtualService plain;
        s.persistent_s.reset();
        s.netmask = plain.netmask;
        s.prefix_length = plain.prefix_length;
      });
    offer([&](VirtualService& s) {
      s.netmask = defaults.netmask;
      s.prefix_length = defaults.prefix_length;
    });
    offer([](VirtualService& s) { s.one_packet = false; });
    offer([](VirtualService& s) { s.sched_flags.clear(); });
    offer([](VirtualService& s) {
      s.scheduler = "rr";
      s.sched_flags.clear();
    });
    if (service.persistent_s && *service.persistent_s != 300) offer([](VirtualService& s) { s.persistent_s = 300; });
  }
  static void simplify(const AddService& c, std::vector<Step>* found) { simplify_service(c, found); }
  static void simplify(const EditService& c, std::vector<Step>* found) { simplify_service(c, found); }
  template <typename Edit>
  static void simplify_server(const Edit& edit, std::vector<Step>* found) {
    const auto offer = [&](auto change) {
      Edit simpler = edit;
      change(simpler.server);
      if (!(simpler == edit)) found->emplace_back(Command(simpler));
    };
    offer([](RealServer& s) { s.upper = s.lower = 0; });
    offer([](RealServer& s) { s.lower = 0; });
    if (edit.server.weight > 1) offer([](RealServer& s) { s.weight = 1; });
  }
  static void simplify(const AddServer& c, std::vector<Step>* found) { simplify_server(c, found); }
  static void simplify(const EditServer& c, std::vector<Step>* found) { simplify_server(c, found); }
  static void simplify(const DeleteService&, std::vector<Step>*) {}
  static void simplify(const DeleteServer&, std::vector<Step>*) {}
  static void simplify(const ClearServices&, std::vector<Step>*) {}
};

}  // namespace

std::vector<Step> simplifications(const Step& step) { return std::visit(Simpler{}, step); }

Result<Program> shrink(Program program, const Oracle& oracle, int patience) {
  return Shrinker(std::move(program), oracle, patience).run();
}

}  // namespace lvspec::fuzz
