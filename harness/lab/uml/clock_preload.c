// The clock of a user-mode-linux guest: time that nobody works in is skipped.
//
// user-mode-linux (UML, arch/um of Linux 6.1) takes its time from five libc functions and nothing else:
//
//   its clock              clock_gettime(CLOCK_MONOTONIC); CLOCK_REALTIME once, at boot
//   its clock event device timer_create(CLOCK_MONOTONIC, SIGALRM) once, then timer_settime, always relative
//   os_idle_sleep()        blocks SIGALRM; timer_gettime; if the timer is armed, sigsuspend with SIGALRM let in
//
// (`nm -D linux.uml` and `strace`: no nanosleep, and no poll with a timeout, on this path. arch/um/os-Linux/time.c.)
// This object is loaded before libc (LD_PRELOAD) and stands between.
//
// THE CLOCK. With e(t) the virtual time that has passed since this object was loaded, t the host's monotonic time,
//
//     e(t) = t - t0                                    until t1, when the guest first sets a one-shot timer
//     e(t) = (t1 - t0) + (t - t1) / busy + skipped     from then on; busy >= 1 is fixed, skipped only ever grows
//     guest CLOCK_x = host CLOCK_x at load + e(t)
//
// so every clock of the guest is monotone, all move alike, and none runs faster than the host's except in jumps.
//
// THE TIMER. A one-shot timer of v ns, set at s, is armed on the host with v * busy ns. When it fires, t >= s +
// v*busy, hence e(t) >= e(s) + v: never before its virtual deadline.
//
// A JUMP adds r to `skipped`, r being what was left (virtual, rounded up) of the armed timer, and sends the SIGALRM
// that the timer would have sent. Since t has not gone back meanwhile, e >= deadline when the handler reads the
// clock: a timer fired by a jump is not early either. And it is the guest's own next event: Linux (NO_HZ_IDLE) arms
// the device for the earliest of all its timers, so a jump never passes over one.
//
// WHEN IT MAY JUMP: in sigsuspend, and only if all of this holds.
//   1. Nothing is pending for the process: not SIGALRM (time has come already), not SIGIO (the host has something for
//      the guest, that is work).
//   2. The caller is about to take SIGALRM: it is not blocked in the mask that sigsuspend is given.
//   3. The process's one timer is armed and is one-shot. Periodic means that the guest has not yet entered NO_HZ
//   (early
//      boot) and counts ticks: those take their real time. Not armed means that the guest waits for the host alone.
//   4. It has exactly one timer. With a second one the deadline of the first would not be the next event.
// In every other case sigsuspend sleeps as it always did, and time goes with the host's.
//
// WHY A TCP TIMER CANNOT FIRE EARLY. All of the network (clients, director, real servers) is in the guest, and UML
// has one CPU. The idle loop, the only caller of sigsuspend, runs when no task is runnable and no softirq is pending.
// A segment between two namespaces is exactly that: it sits in the CPU's backlog with NET_RX raised, or in a socket
// whose reader has been woken. So from the moment a segment leaves until its last consequence has been drawn (the
// ACK came back, the server's write went out) the guest is not idle and no jump is possible. When it is idle, nobody
// in the guest is going to answer before the next timer: the retransmission, delayed ACK or template expiry that we
// jump to would have come next anyway, after a real wait.
// What is left is the host taking the CPU away from a busy guest: then time passes, as on any virtual machine, and a
// timer of 200 ms may run out between segment and ACK. `busy` (LVSPEC_UML_CLOCK_BUSY, a whole number, default 1)
// makes working time cheaper by that factor; with 10 it takes 2 s of starvation to fake one RTO.
//
// IF THE GUEST WAITS FOR THE HOST (a console that has to be drained, a network device of the host, a block device) it
// is idle too, and then time runs at full speed: timeouts of the guest run out before the host has had a chance. So a
// guest in virtual time must not wait for the host. The launcher gives it none of these; hostfs does not count, since
// its reads and writes are synchronous and the guest is busy meanwhile (but hostfs shows the host's mtimes, which
// know nothing of our clock). SIGIO that comes while the guest has interrupts off is noted in UML's own flag and not
// pending for the host any more, which is why 1. is a courtesy and not a guarantee.
//
// SIGNAL SAFETY. The handlers (SIGALRM, SIGIO) read the clock. SIGALRM is blocked during a jump, so it meets either
// the old state or the new one; SIGIO may come in between and reads `skipped`, one atomic word. Nothing here
// allocates or locks after the constructor, and errno is left as the real function left it.
// THREADS. UML's helpers share memory with it (clone(CLONE_VM)) but never touch clocks or timers. Its userspace
// processes are images of guest programs, and run no code of ours. Guest programs never see LD_PRELOAD: the kernel
// starts init with an environment of its own.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static const int64_t kSecond = 1000000000;

static int (*real_clock_gettime)(clockid_t, struct timespec*);
static int (*real_timer_settime)(timer_t, int, const struct itimerspec*, struct itimerspec*);
static int (*real_timer_gettime)(timer_t, struct itimerspec*);
static int (*real_sigsuspend)(const sigset_t*);

static int64_t busy = 1;
static _Atomic int64_t t1 = INT64_MAX;
static _Atomic int64_t skipped;

// Host time at load, by clock: base[CLOCK_MONOTONIC] is t0. Clocks that are not here (CPU time) stay the host's.
enum { kClocks = CLOCK_BOOTTIME + 1 };
static int64_t base[kClocks];
static bool is_virtual(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC ||
         clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME;
}

// The one timer. `one_shot` is what it was last set to; whether it still runs is the host's to say.
static enum { kNoTimer, kOneTimer, kManyTimers } timers = kNoTimer;
static timer_t timer;
static bool one_shot;

static int64_t to_ns(struct timespec t) { return t.tv_sec * kSecond + t.tv_nsec; }
static struct timespec to_timespec(int64_t ns) {
  return (struct timespec){.tv_sec = ns / kSecond, .tv_nsec = ns % kSecond};
}

static int64_t host_ns(clockid_t clock) {
  struct timespec now;
  real_clock_gettime(clock, &now);
  return to_ns(now);
}

// e(t). t1 may be set between the two loads, but not to a time before `now`: see slow_down().
static int64_t elapsed_ns(void) {
  const int64_t now = host_ns(CLOCK_MONOTONIC), slow_since = atomic_load(&t1);
  const int64_t elapsed = now <= slow_since ? now - base[CLOCK_MONOTONIC]
                                            : slow_since - base[CLOCK_MONOTONIC] + (now - slow_since) / busy;
  return elapsed + atomic_load(&skipped);
}

// Sets t1 to now. No handler may read the clock after we did and before t1 is stored: it would be ahead of those
// after.
static void slow_down(void) {
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  atomic_store(&t1, host_ns(CLOCK_MONOTONIC));
  sigprocmask(SIG_SETMASK, &before, NULL);
}

// Host time for a virtual duration, and back. Backwards it is rounded up: a duration that is not over is not zero.
static int64_t rate(void) { return atomic_load(&t1) == INT64_MAX ? 1 : busy; }
static struct timespec stretch(struct timespec t) { return to_timespec(to_ns(t) * rate()); }
static struct timespec shrink(struct timespec t) { return to_timespec((to_ns(t) + rate() - 1) / rate()); }

__attribute__((constructor)) static void resolve(void) {
  if (real_clock_gettime != NULL) return;  // another constructor asked for the time before it was our turn
  *(void**)&real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  *(void**)&real_timer_settime = dlsym(RTLD_NEXT, "timer_settime");
  *(void**)&real_timer_gettime = dlsym(RTLD_NEXT, "timer_gettime");
  *(void**)&real_sigsuspend = dlsym(RTLD_NEXT, "sigsuspend");
  const char* text = getenv("LVSPEC_UML_CLOCK_BUSY");
  if (text != NULL && atoi(text) >= 1) busy = atoi(text);
  for (clockid_t clock = 0; clock < kClocks; ++clock) {
    if (is_virtual(clock)) base[clock] = host_ns(clock);
  }
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  resolve();
  if (!is_virtual(clock)) return real_clock_gettime(clock, now);
  *now = to_timespec(base[clock] + elapsed_ns());
  return 0;
}

int gettimeofday(struct timeval* restrict now, void* restrict zone) {
  (void)zone;
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  *now = (struct timeval){.tv_sec = precise.tv_sec, .tv_usec = precise.tv_nsec / 1000};
  return 0;
}

int timer_settime(timer_t id, int flags, const struct itimerspec* restrict value, struct itimerspec* restrict old) {
  resolve();
  if (timers == kNoTimer) {
    timers = kOneTimer;
    timer = id;
  } else if (id != timer) {
    timers = kManyTimers;
  }
  if ((flags & TIMER_ABSTIME) != 0) {  // a host time that nothing maps to a virtual one: UML never asks for it
    errno = EINVAL;
    return -1;
  }
  one_shot = to_ns(value->it_interval) == 0;
  if (one_shot && to_ns(value->it_value) != 0 && atomic_load(&t1) == INT64_MAX) slow_down();
  const struct itimerspec host = {.it_value = stretch(value->it_value), .it_interval = stretch(value->it_interval)};
  const int result = real_timer_settime(id, flags, &host, old);
  if (result == 0 && old != NULL) {
    *old = (struct itimerspec){.it_value = shrink(old->it_value), .it_interval = shrink(old->it_interval)};
  }
  return result;
}

int timer_gettime(timer_t id, struct itimerspec* value) {
  resolve();
  const int result = real_timer_gettime(id, value);
  if (result == 0) {
    *value = (struct itimerspec){.it_value = shrink(value->it_value), .it_interval = shrink(value->it_interval)};
  }
  return result;
}

// Moves the clock to the deadline of the timer and makes SIGALRM pending, or does nothing. SIGALRM is blocked.
static void jump(const sigset_t* mask) {
  sigset_t pending;
  struct itimerspec left;
  if (timers != kOneTimer || !one_shot || sigismember(mask, SIGALRM)) return;
  if (sigpending(&pending) != 0 || sigismember(&pending, SIGALRM) || sigismember(&pending, SIGIO)) return;
  if (real_timer_gettime(timer, &left) != 0 || to_ns(left.it_value) == 0) return;

  // It was armed; disarming says what is left now. Nothing, if it fired between the two calls: then the alarm is due
  // all the same, and has to come from us, because Linux 6.13 and later drop the signal of a timer that was set again
  // before the signal was taken. Earlier ones deliver both, and an alarm too many finds nothing to do.
  static const struct itimerspec kDisarmed;
  real_timer_settime(timer, 0, &kDisarmed, &left);
  atomic_fetch_add(&skipped, to_ns(shrink(left.it_value)));
  raise(SIGALRM);
}

int sigsuspend(const sigset_t* mask) {
  resolve();
  sigset_t alarm, before;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  sigprocmask(SIG_BLOCK, &alarm, &before);
  jump(mask);
  const int result = real_sigsuspend(mask);  // -1, EINTR
  const int error = errno;
  sigprocmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return result;
}
