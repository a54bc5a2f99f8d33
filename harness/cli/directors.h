#pragma once

#include <string>
#include <vector>

#include "harness/adapters/exec/exec_director.h"
#include "harness/base/result.h"
#include "harness/lab/lab.h"
#include "harness/report/model.h"

namespace lvspec {

/// Names that --director takes.
const std::vector<std::string>& director_names();

/// The profile that a director of that name is judged by unless one is asked for.
Profile default_profile(const std::string& name);

/// The lab in which it and virtual time both work, and nothing is faster: "host" or "uml".
std::string best_lab(const std::string& name);

/// The director of that name. With a fault, the bundled director's test-only build with that fault switched on; for
/// ipvs, "sysctl:NAME=VALUE" changes a setting behind the cases' back; for a product, "claims:WORD" is a lie about
/// itself, a capability ("claims:marks") or a part of its affinity ("claims:window=for-ever").
/// @param timers_hz  the bundled director's timers are late as those of a kernel with this HZ; 0: exact
/// Error (kUsage): no such director, with those that there are.
Result<DirectorFactory> director_named(const std::string& name, const std::string& fault = {}, int timers_hz = 0);

/// What that director says of itself, without a world to run in.
Result<DirectorIdentity> identity_of(const std::string& name);

/// Whether a name is "exec:CMD", a program of the user's that speaks the open contract.
bool is_exec(const std::string& name);
/// How such a program is started.
ExecOptions exec_options(const std::string& name);
/// A director's name as a shell takes it.
std::string quoted(const std::string& name);

/// One deliberate fault of the bundled director.
struct FaultRow {
  std::string name, text, reports;
};
/// As the test-only build of the director tells them.
Result<std::vector<FaultRow>> known_faults();

/// The folder that our own programs are in.
std::string program_folder();

}  // namespace lvspec
