#pragma once

#include <chrono>
#include <cstdint>

namespace lvspec {

/// Ticks of the running kernel's timers in a second (CONFIG_HZ), usually 100, 250 or 1000. Not sysconf(_SC_CLK_TCK),
/// which is 100 on every machine: the resolution of the coarse clocks is one tick, and the kernel says it.
/// Source: Linux kernel/time/posix-timers.c, posix_get_coarse_res(), KTIME_LOW_RES.
int kernel_hz();

/// The length of one tick.
std::chrono::nanoseconds tick_of(int hz);

/// How late a kernel timer of this length may fire (TIM-02): it fires strictly after its deadline, at the next
/// boundary of its wheel level's granule, so at most a granule late and never early.
/// Source: Linux kernel/time/timer.c, calc_wheel_index(), LVL_START, LVL_GRAN.
std::chrono::nanoseconds timer_granule(std::chrono::nanoseconds interval, int hz);

/// The longest time that /proc/net/ip_vs_conn shows as `shown_s`.
///
/// The kernel truncates (TIM-05): a timer with r ticks left is shown as r / HZ, so N stands for N s up to one tick
/// below N + 1 s. We report that upper end. An entry armed with 300 s and read at least one tick later is shown as
/// 299 and reported as 299.99 s at HZ=100: within (299 s, 300 s], where a director with exact timers has it as well.
/// Who reads has to let that tick pass first, since in the very tick of arming the kernel shows 300. An entry past
/// its deadline that waits for its granule is shown as 0 (TIM-02) and cannot be told from one with less than a second
/// left. Source: Linux net/netfilter/ipvs/ip_vs_conn.c, ip_vs_conn_seq_show().
std::chrono::nanoseconds longest_shown_as(std::uint32_t shown_s, int hz);

}  // namespace lvspec
