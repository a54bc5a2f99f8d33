#include "harness/cli/try_in_child.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/file_descriptor.h"

namespace lvspec {

Status try_in_child(Status (*attempt)()) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return system_error("pipe");
  const FileDescriptor ours(ends[0]);
  FileDescriptor theirs(ends[1]);
  const pid_t child = fork();
  if (child < 0) return system_error("fork");
  if (child == 0) {
    const Status status = attempt();
    const std::string text = status.ok() ? "" : status.error().message;
    (void)!write(theirs.get(), text.data(), text.size());
    _exit(status.ok() ? 0 : 1);
  }
  theirs.reset();
  std::string text;
  char chunk[1024];
  for (ssize_t count = 0; (count = read(ours.get(), chunk, sizeof chunk)) > 0;)
    text.append(chunk, static_cast<std::size_t>(count));
  int status = 0;
  waitpid(child, &status, 0);
  if (status == 0) return {};
  return Error{text.empty() ? "the attempt died without a word" : text};
}

}  // namespace lvspec
