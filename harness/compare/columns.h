#pragma once

#include <string>
#include <vector>

#include "harness/base/result.h"
#include "harness/report/model.h"

namespace lvspec {

/// What one file holds.
struct Source {
  std::string file;  ///< as given: "report/results.json", or the folder "report"
  Run run;
};

/// One director of one file: a column of the comparison.
struct Column {
  std::string label;  ///< its name; where two files have the name, with what tells them apart: "ipvs (Linux 6.12.38)"
  const Source* source = nullptr;
  const DirectorInfo* director = nullptr;
};

/// Reads results of runs of one catalogue. Errors (kUsage) name the file, and the place in it: it cannot be read, is
/// no results.json, was cut off, is of another version of the schema, or of another catalogue than the first.
Result<std::vector<Source>> read_sources(const std::vector<std::string>& files);

/// In the order of the files, and in them of their directors. Points into `sources`. Error (kUsage): there are none.
Result<std::vector<Column>> columns_of(const std::vector<Source>& sources);

/// All in one run, its directors called by their labels, in order; where a case was run several times (--repeat), the
/// gravest result of each director alone.
Run together(const std::vector<Column>& columns);

}  // namespace lvspec
