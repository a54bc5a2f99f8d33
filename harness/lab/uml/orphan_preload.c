// No process of a user-mode-linux guest outlives its kernel.
//
// The guest's kernel is one host process; each guest program is another one, which it traces, and its I/O helpers are
// two more. Linux 6.1 lets all of them live when the kernel is killed by SIGKILL (seen: two helpers polling forever,
// child of PID 1; mainline has had os_set_pdeathsig() since 6.13). A guest program that loses its tracer is worse
// than a leak: from then on its system calls are the host's.
//
// So every process that UML makes by clone() first asks the host to die with its parent, then goes on as it was meant
// to. The launcher does the same for the kernel itself, and the chain is complete: whoever of launcher, kernel and
// guest programs dies, by whatever signal, the rest goes too.
//
// UML's helpers share memory with it (CLONE_VM) and have a stack of their own, which is why the message to the child
// lies on that stack: with or without shared memory it is the child's alone.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <unistd.h>

typedef int (*ChildFunction)(void*);

struct Birth {
  ChildFunction function;
  void* argument;
  pid_t parent;
};

static int (*real_clone)(ChildFunction, void*, int, void*, ...);

__attribute__((constructor)) static void resolve_clone(void) { *(void**)&real_clone = dlsym(RTLD_NEXT, "clone"); }

static int born(void* data) {
  const struct Birth birth = *(struct Birth*)data;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != birth.parent) _exit(1);  // it died before the line above
  return birth.function(birth.argument);
}

// Only what UML passes is passed on: it uses none of clone's optional arguments.
int clone(ChildFunction function, void* stack, int flags, void* argument, ...) {
  const uintptr_t below = ((uintptr_t)stack - sizeof(struct Birth)) & ~(uintptr_t)15;
  struct Birth* birth = (struct Birth*)below;
  *birth = (struct Birth){.function = function, .argument = argument, .parent = getpid()};
  return real_clone(born, birth, flags, birth);
}
