#pragma once

#include <string>

namespace lvspec {

struct DoctorFileOptions {
  std::string file;  ///< "-": standard input
  bool live = false;
  bool json = false;
  bool list = false;
  std::string format = "auto";  ///< auto, ipvsadm, keepalived
  std::string config_id;        ///< of keepalived; empty: not said
};

/// `lvspec doctor FILE`: a user's own configuration, or the kernel's tables, against the clauses.
/// @return the exit status
int doctor_file(const DoctorFileOptions& options);

}  // namespace lvspec
