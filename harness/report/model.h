#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/base/moment.h"

namespace lvspec {

/// How binding a case is. Only must-cases decide a suite's word.
enum class Level { kMust, kShould, kInfo };

/// What a case says of a director.
enum class Verdict {
  kPass,
  kFail,          ///< the director did not do what the clause says
  kInfo,          ///< measured, not judged; `reason` holds the value
  kUnsupported,   ///< the director does not claim to do this
  kEnvSkip,       ///< this machine cannot; `reason` names the capability
  kInconclusive,  ///< noise: neither shown nor refuted
  kXfail,         ///< failed as announced
  kXpass,         ///< announced to fail, and passed
  kHarnessError,  ///< we failed, not the director: nothing was judged
};

std::string_view name_of(Level level);      ///< "must", "should", "info"
std::string_view name_of(Verdict verdict);  ///< "PASS", "FAIL", "ENV-SKIP", "HARNESS-ERROR", ...

/// In the order in which reports list them.
inline constexpr std::array kAllLevels = {Level::kMust, Level::kShould, Level::kInfo};
inline constexpr std::array kAllVerdicts = {
    Verdict::kPass,  Verdict::kFail, Verdict::kHarnessError, Verdict::kInconclusive, Verdict::kXpass,
    Verdict::kXfail, Verdict::kInfo, Verdict::kUnsupported,  Verdict::kEnvSkip,
};

/// The inverse of name_of; none where the text is no such name.
std::optional<Level> level_of(std::string_view name);
std::optional<Verdict> verdict_of(std::string_view name);

/// Whether somebody has to act: FAIL, XPASS (the announcement is out of date), HARNESS-ERROR, INCONCLUSIVE.
bool needs_attention(Verdict verdict);
/// Whether the case never asked the director: UNSUPPORTED, ENV-SKIP.
bool was_skipped(Verdict verdict);

/// By which promise a director is judged.
enum class Profile {
  kIpvs,      ///< exactly like the kernel
  kAffinity,  ///< what any product that claims source affinity owes its users, by what it declares itself
};

std::string_view name_of(Profile profile);  ///< "ipvs", "affinity"
std::optional<Profile> profile_of(std::string_view name);

/// One row of the catalogue, written where the test is (LVSPEC_CASE).
struct CaseInfo {
  std::string id;     ///< frozen words, "pcc.same-client-all-ports"; the part before the dot is the suite
  std::string claim;  ///< what the director must do, one sentence for an operator
  Level level = Level::kMust;
  std::vector<std::string> clauses;        ///< "TPL-06"
  std::vector<std::string> field_reports;  ///< "FR-45"
  std::string test;                        ///< GoogleTest name, "PccPersistence.SameClientSticksAcrossPorts"
  std::vector<Profile> profiles = {Profile::kIpvs};  ///< those that it belongs to

  bool is_in(Profile profile) const { return std::find(profiles.begin(), profiles.end(), profile) != profiles.end(); }

  std::string suite() const { return id.substr(0, id.find('.')); }
};

/// From where a case looks: at what clients and servers saw, or at what the director's tables say.
enum class View { kOutside, kInside };
std::string_view name_of(View view);  ///< "outside", "inside"

/// How many looks from one view held, and how many did not.
struct Looks {
  int held = 0, failed = 0;
};

/// One thing that a case looked at.
struct Assertion {
  bool held = false;
  std::string what;      ///< the expression as written: "bench.client(1).connect(kVip, 443)"
  std::string expected;  ///< the matcher in words: `served by "real2"`
  std::string actual;
  std::string where;       ///< "suites/pcc/pcc_test.cc:41"
  std::string believed{};  ///< the director's tables at that moment, several lines; of the first failure only
  View view = View::kOutside;
};

/// One value that a case measured: a cell of a table in the report.
struct Measurement {
  std::string table;                                    ///< "server-gone", "passport"
  std::vector<std::pair<std::string, std::string>> at;  ///< what was given: {"way", "weight 0"}, {"protocol", "TCP"}
  std::string value;                                    ///< in words and seconds: "other server, try 1, at once"
  std::map<std::string, std::string> parts{};           ///< the same for machines: "moved_on_try" -> "1"
};

struct CaseResult {
  CaseInfo info;
  std::string director;
  Verdict verdict = Verdict::kHarnessError;
  std::string reason;               ///< one line; empty for PASS
  int assertions = 0;               ///< how many were evaluated
  Looks outside{}, inside{};        ///< the same by view
  std::vector<Assertion> failures;  ///< those that did not hold
  double virtual_s = 0;             ///< protocol time that passed
  double wall_ms = 0;
  std::string evidence;  ///< folder, relative to the report; empty where nothing was kept
  std::string rerun;     ///< the command that shows it again
  std::vector<Measurement> measurements{};
  std::vector<Moment> timeline{};  ///< what happened, in a few words; worlds one after the other
};

struct DirectorInfo {
  std::string name, version;
  std::vector<std::string> capabilities;  ///< "ipv4", "ipv6", "tables", "marks", "port0", "mask", "dr", ...
  std::map<std::string, std::string>
      passport;  ///< measured, not judged: "window.renewed-by" -> "each new connection"
  // Where this one was run: a run may have one director in host and another in a guest.
  std::string lab{};                 ///< "host", "uml"
  std::string clock{};               ///< in words
  std::string kernel{};              ///< whose network stack it had: "Linux 6.1.176"
  Profile profile = Profile::kIpvs;  ///< by which it was judged
  int selected = 0, catalogue = 0;   ///< cases of that profile: those asked for, and all; both 0: as Run has them
};

struct Environment {
  std::string kernel;   ///< uname -sr
  std::string machine;  ///< uname -m
  int cpus = 0;
  bool root = false;  ///< real root, or root in a user namespace of our own
  std::string lab;    ///< "host"
  std::string clock;  ///< "virtual: the director's clock is moved by control message"
  std::map<std::string, std::string> sysctls;
};

/// What makes a verdict readable.
struct Guidance {
  std::map<std::string, std::string> words;   ///< clause or field report -> what it says, on one line
  std::map<std::string, std::string> likely;  ///< case -> in which deliberate fault it fails the same way
};

/// One run of lvspec: everything that results.json says.
struct Run {
  std::string version;
  std::string suite_digest;  ///< over ids, levels and clauses of the whole catalogue
  std::string started_at;    ///< RFC 3339, UTC
  std::string rerun;
  double wall_s = 0;
  int selected = 0, catalogue = 0;  ///< "partial: 12 of 34" when they differ
  int shard = 1, shards = 1;        ///< which part of the selection this is (--shard), of how many
  Environment environment;
  std::vector<DirectorInfo> directors;
  Guidance guidance;  ///< of what `cases` cite
  std::vector<CaseResult> cases;
};

/// Ran and claims to have passed (or to have measured), but evaluated not one assertion: worth nothing.
bool asserted_nothing(const CaseResult& result);

/// Whether the run saw less than the whole catalogue, so that nothing may be said of a director as a whole.
bool is_partial(const Run& run);
/// Whether one director saw less than the whole of its profile.
bool is_partial(const Run& run, std::string_view director);

/// The word for one director, or for all of them where `director` is empty: "conforms", "does not conform",
/// "conforms, with 2 deviations below must", "conforms, more than was announced" (XPASS), "not judged: harness
/// error", "inconclusive", "nothing asserted". A partial run gets no word of the whole, only "partial: 12 of 34".
std::string overall_word(const Run& run, std::string_view director = {});

/// The exit status of design.md. The first of these that applies decides:
///   3  nothing was selected, or every selected case was skipped
///   1  a FAIL or an XPASS, of whatever level was selected: a fact, which no trouble elsewhere takes back
///   4  a HARNESS-ERROR: some question was never put, so "0" would be a lie
///   3  a case passed without asserting anything
///   5  nothing worse than INCONCLUSIVE
///   0  all conform
/// FAIL goes before HARNESS-ERROR because CI jobs usually retry on 4, and a retry must not wash a regression away.
int exit_status(const Run& run);

/// The same for `--help`, one line for each status.
std::string_view exit_status_text();

}  // namespace lvspec
