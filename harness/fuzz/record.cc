#include "harness/fuzz/record.h"

#include <fmt/format.h>

#include <charconv>

namespace lvspec::fuzz {
namespace {

// First letters of the lines.
constexpr char kProgram = 'P', kStep = '=', kOutcome = 'o', kService = 's', kEntry = 'e', kCount = 'c';

bool read_times(std::string_view text, StepRecord* step) {
  const char* at = text.data();
  const char* const end = at + text.size();
  int blurred = 0;
  const auto number = [&](auto* value) {
    while (at != end && *at == ' ') ++at;
    const auto [rest, error] = std::from_chars(at, end, *value);
    at = rest;
    return error == std::errc();
  };
  const bool good = number(&step->acted_at) && number(&step->looked_at) && number(&blurred) && at == end;
  step->blurred = blurred != 0;
  return good;
}

}  // namespace

std::string write_records(const std::vector<Record>& records) {
  std::string text;
  const auto lines = [&text](char letter, const std::vector<std::string>& all) {
    for (const std::string& line : all) {
      text += letter;
      text += line;
      text += '\n';
    }
  };
  for (const Record& record : records) {
    text += fmt::format("{}{}\n", kProgram, record.born_at);
    for (const StepRecord& step : record.steps) {
      text += fmt::format("{}{} {} {}\n", kStep, step.acted_at, step.looked_at, step.blurred ? 1 : 0);
      lines(kOutcome, step.outcome);
      lines(kService, step.services);
      lines(kEntry, step.entries);
      lines(kCount, step.counts);
    }
  }
  return text;
}

Result<std::vector<Record>> read_records(std::string_view text) {
  std::vector<Record> records;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    const auto bad = [&] {
      return Error{fmt::format("line {} of the records: \"{}\"", number, text.substr(0, end))};
    };
    if (end == std::string_view::npos || end == 0) return bad();
    const char letter = text[0];
    const std::string_view rest = text.substr(1, end - 1);
    const bool in_program = !records.empty();
    const bool in_step = in_program && !records.back().steps.empty();
    if (letter == kProgram) {
      records.emplace_back();
      const auto [rest_of, error] = std::from_chars(rest.data(), rest.data() + rest.size(), records.back().born_at);
      if (error != std::errc() || rest_of != rest.data() + rest.size()) return bad();
    } else if (letter == kStep && in_program) {
      records.back().steps.emplace_back();
      if (!read_times(rest, &records.back().steps.back())) return bad();
    } else if (in_step) {
      StepRecord& step = records.back().steps.back();
      if (letter == kOutcome) {
        step.outcome.emplace_back(rest);
      } else if (letter == kService) {
        step.services.emplace_back(rest);
      } else if (letter == kEntry) {
        step.entries.emplace_back(rest);
      } else if (letter == kCount) {
        step.counts.emplace_back(rest);
      } else {
        return bad();
      }
    } else {
      return bad();
    }
    text.remove_prefix(end + 1);
  }
  return records;
}

}  // namespace lvspec::fuzz
