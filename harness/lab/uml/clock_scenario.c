// A program that does to its clock what a user-mode-linux kernel does, one situation a run, and prints how far its
// own time and the host's got. clock_preload_test.cc runs it with and without the preload.
//
//   clock_scenario SITUATION -> "virtual_ms=N host_ms=N alarms=N left_ms=N early=0|1"

#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t alarms, ios;
static int64_t alarm_ns;  // virtual time of the last one, read in its handler, as a guest kernel does

static int64_t to_ns(struct timespec t) { return t.tv_sec * 1000000000LL + t.tv_nsec; }
static int64_t virtual_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return to_ns(now);
}
static int64_t host_ns(void) {  // past the preload
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return to_ns(now);
}

static void on_alarm(int signal) {
  (void)signal;
  ++alarms;
  alarm_ns = virtual_ns(CLOCK_MONOTONIC);
}
static void on_io(int signal) {
  (void)signal;
  ++ios;
}

static timer_t timer;
static void arm(timer_t id, long ms, long interval_ms) {
  const struct itimerspec value = {.it_value = {ms / 1000, ms % 1000 * 1000000},
                                   .it_interval = {interval_ms / 1000, interval_ms % 1000 * 1000000}};
  timer_settime(id, 0, &value, NULL);
}

static void hold(int how, int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  sigprocmask(how, &set, NULL);
}

// os_idle_sleep() of Linux 6.1, arch/um/os-Linux/time.c.
static void idle(void) {
  struct itimerspec left;
  sigset_t alarm, before;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  sigprocmask(SIG_BLOCK, &alarm, &before);
  timer_gettime(timer, &left);
  if (left.it_value.tv_sec || left.it_value.tv_nsec) sigsuspend(&before);
  sigprocmask(SIG_UNBLOCK, &alarm, NULL);
}

static void work(long host_ms) {
  for (const int64_t until = host_ns() + host_ms * 1000000LL; host_ns() < until;) {
  }
}

// Somebody who sends us `signal` after 200 ms of the host's time, so that a wait without a timer ends.
static void rescuer(int signal) {
  const pid_t us = getpid();
  if (fork() == 0) {
    usleep(200000);
    kill(us, signal);
    _exit(0);
  }
}

int main(int count, char** arguments) {
  const char* what = count > 1 ? arguments[1] : "";
  signal(SIGALRM, on_alarm);
  signal(SIGIO, on_io);
  timer_create(CLOCK_MONOTONIC, NULL, &timer);
  const int64_t host_start = host_ns(), start = virtual_ns(CLOCK_MONOTONIC), real_start = virtual_ns(CLOCK_REALTIME);
  int64_t deadline = 0;

  if (strcmp(what, "one-shot") == 0) {
    arm(timer, 3600000, 0);
    deadline = start + 3600000 * 1000000LL;
    idle();
  } else if (strcmp(what, "many-one-shots") == 0) {
    for (int i = 0; i < 10000; ++i) {
      const int64_t due = virtual_ns(CLOCK_MONOTONIC) + 4294967295LL;
      const struct itimerspec value = {.it_value = {4, 294967295}};
      timer_settime(timer, 0, &value, NULL);
      idle();
      if (alarm_ns < due) deadline = INT64_MAX;  // early once is early
    }
  } else if (strcmp(what, "io-pending") == 0) {  // SIGIO blocked and pending: the host has something for us
    hold(SIG_BLOCK, SIGIO);
    raise(SIGIO);
    arm(timer, 200, 0);
    deadline = start + 200 * 1000000LL;
    idle();
  } else if (strcmp(what, "alarm-pending") == 0) {  // time has come while nobody was looking
    sigset_t none;
    hold(SIG_BLOCK, SIGALRM);
    arm(timer, 3600000, 0);
    raise(SIGALRM);
    sigemptyset(&none);
    sigsuspend(&none);
  } else if (strcmp(what, "periodic") == 0) {
    arm(timer, 50, 50);
    for (int i = 0; i < 4; ++i) idle();
  } else if (strcmp(what, "no-timer") == 0) {
    sigset_t none;
    rescuer(SIGIO);
    sigemptyset(&none);
    sigsuspend(&none);
  } else if (strcmp(what, "disarmed") == 0) {
    sigset_t none;
    arm(timer, 3600000, 0);
    arm(timer, 0, 0);
    rescuer(SIGIO);
    sigemptyset(&none);
    sigsuspend(&none);
  } else if (strcmp(what, "two-timers") == 0) {
    timer_t second;
    timer_create(CLOCK_MONOTONIC, NULL, &second);
    arm(timer, 3600000, 0);
    arm(second, 200, 0);
    idle();
  } else if (strcmp(what, "alarm-not-awaited") == 0) {  // the mask of sigsuspend keeps SIGALRM out
    sigset_t mask;
    arm(timer, 3600000, 0);
    rescuer(SIGIO);
    sigemptyset(&mask);
    sigaddset(&mask, SIGALRM);
    sigsuspend(&mask);
  } else if (strcmp(what, "work") == 0) {  // busy: no jump, and the timer comes when its time has come
    arm(timer, 20, 0);
    deadline = start + 20 * 1000000LL;
    work(300);
  }

  struct itimerspec left;
  timer_gettime(timer, &left);
  const int64_t moved = virtual_ns(CLOCK_MONOTONIC) - start;
  const int64_t difference = virtual_ns(CLOCK_REALTIME) - real_start - moved;
  struct timeval seconds;
  gettimeofday(&seconds, NULL);
  const int64_t day = seconds.tv_sec * 1000000000LL + seconds.tv_usec * 1000LL - real_start - moved;
  printf("virtual_ms=%lld host_ms=%lld alarms=%d ios=%d left_ms=%lld early=%d apart_ms=%lld\n",
         (long long)(moved / 1000000), (long long)((host_ns() - host_start) / 1000000), (int)alarms, (int)ios,
         (long long)(to_ns(left.it_value) / 1000000), alarms > 0 && alarm_ns < deadline,
         (long long)((difference > day ? difference : day) / 1000000));
  while (wait(NULL) > 0) {
  }
  return 0;
}
