#pragma once

#include <map>
#include <string>
#include <vector>

#include "harness/report/model.h"

namespace lvspec {

/// What lies in the evidence folders, for links.
using EvidenceFiles = std::map<std::string, std::vector<std::string>>;

/// index.html: one file without scripts and without anything to fetch, so that it opens from a disk, a mail or a CI
/// artefact page, and on a phone; where a content policy forbids even the style, the plain page still reads in order.
/// Verdicts have a symbol and a word besides a colour. Cases that need attention are open, the others fold out.
/// @param files  evidence folder (CaseResult::evidence) -> names of the files in it, to link each of them
std::string to_html(const Run& run, const EvidenceFiles& files = {});

}  // namespace lvspec
