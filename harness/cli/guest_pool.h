#pragma once

#include <functional>
#include <vector>

#include "harness/base/result.h"
#include "harness/cli/pool.h"

namespace lvspec {

/// As run_jobs, in guests: user-mode-linux, or qemu where PoolOptions names a kernel. Each worker is a kernel of its
/// own that boots, runs its share of the jobs in its own virtual time, and powers off. A guest that panics, hangs or
/// ends early costs the case it was at (HARNESS-ERROR, with the tail of its log); a new one goes on with the rest.
/// Error: no guest can be started on this machine, and what to do about it.
Result<std::vector<CaseResult>> run_jobs_in_guests(const std::vector<Job>& jobs, const PoolOptions& options,
                                                   const std::function<void(std::size_t, const CaseResult&)>& done);

/// What the program does when it is PID 1 of such a guest: the jobs come on its command line, the results go to the
/// console. Does not return: the guest powers off.
using GuestWork =
    std::function<CaseResult(const CaseInfo& info, const std::string& director, const std::string& fault)>;
struct GuestOrders {
  std::string director, fault, report_dir;
  bool verdict_only = false;
  std::vector<std::size_t> cases;  ///< places in the catalogue
};
[[noreturn]] void live_in_guest(const GuestOrders& orders, const std::vector<CaseInfo>& catalogue,
                                const std::function<GuestWork()>& prepare);

/// "0-4,7" for {0,1,2,3,4,7}, and back: a kernel's command line is short.
std::string write_places(const std::vector<std::size_t>& places);
Result<std::vector<std::size_t>> read_places(const std::string& text);

}  // namespace lvspec
