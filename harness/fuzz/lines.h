#pragma once

#include <string>
#include <vector>

#include "harness/fuzz/program.h"

namespace lvspec::fuzz {

/// A command as a line for ipvsadm, without the leading word: "-A -t 198.51.100.10:80 -s rr -p 300".
/// parse_ipvsadm_line() reads it back.
std::string ipvsadm_line(const Command& command);

/// "iptables -t mangle -A PREROUTING ... -j MARK --set-xmark 0x8/0xffffffff"; parse_iptables_line() reads it back.
std::string iptables_line(const MarkRule& rule);

/// A program as a script for people: what to type, in this order, on the director and on clients.
std::string script_of(const std::vector<Step>& steps);

}  // namespace lvspec::fuzz
