#include "harness/fuzz/shrink.h"

#include <algorithm>

namespace lvspec::fuzz {
namespace {

/// Without the steps [first, last).
Program without(const Program& program, std::size_t first, std::size_t last) {
  Program rest = program;
  rest.steps.erase(rest.steps.begin() + static_cast<std::ptrdiff_t>(first),
                   rest.steps.begin() + static_cast<std::ptrdiff_t>(last));
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
  /// Takes the first candidate that still shows it. @return whether there was one.
  Result<bool> take_one_of(const std::vector<Program>& candidates) {
    if (candidates.empty() || patience_ <= 0) return false;
    --patience_;
    LVSPEC_ASSIGN(const std::vector<bool> shows, oracle_(candidates));
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (!shows.at(i)) continue;
      program_ = candidates[i];
      return true;
    }
    return false;
  }

  Result<bool> drop_steps() {
    bool progress = false;
    std::size_t chunk = std::max<std::size_t>(program_.steps.size() / 2, 1);
    for (;;) {
      std::vector<Program> candidates;
      for (std::size_t at = 0; at < program_.steps.size(); at += chunk)
        candidates.push_back(without(program_, at, std::min(at + chunk, program_.steps.size())));
      LVSPEC_ASSIGN(const bool taken, take_one_of(candidates));
      progress = progress || taken;
      if (patience_ <= 0) return progress;
      if (taken && program_.steps.size() >= chunk) continue;
      if (chunk == 1) return progress;
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
      LVSPEC_ASSIGN(const bool taken, take_one_of(candidates));
      if (!taken) return progress;
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
