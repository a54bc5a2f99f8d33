#include "harness/evidence/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "harness/base/file_descriptor.h"

namespace lvspec {

Status write_evidence_file(const std::string& path, std::string_view content) {
  FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!fd.valid()) return system_error("open(" + path + ")");
  while (!content.empty()) {
    const ssize_t n = ::write(fd.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("write(" + path + ")");
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::close(fd.release()) != 0) return system_error("close(" + path + ")");
  return {};
}

}  // namespace lvspec
