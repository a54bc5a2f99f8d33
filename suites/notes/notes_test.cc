// The slips in the user's notes: what a director is told must be right before it is told.

#include "harness/ruleset/read.h"
#include "suites/support.h"

namespace lvspec {
namespace {

class NotesSlips : public testing::DirectorTest {
 protected:
  static std::string error_of(const std::string& name) {
    const Result<Ruleset> rules = read_fixture(name);
    return rules.ok() ? "no error" : rules.error().message;
  }
};

// "ipvsadm -a -f 8 -r 192.168.10.7 -g -2 -w 2": there is no option -2.
LVSPEC_CASE(
    NotesSlips, AnUnknownOptionIsNamed,
    {.id = "notes.unknown-option-is-named",
     .claim = "A ruleset line with an option that ipvsadm does not have is refused, naming file, line and token.",
     .level = Level::kShould,
     .clauses = {"ADM-79"},
     .field_reports = {"FR-35"}}) {
  EXPECT_THAT(error_of("notes/slip-option.rules"),
              AllOf(HasSubstr("notes/slip-option.rules:"), HasSubstr("\"-2\""), HasSubstr("unknown option")));
}

// "ipvsad -C": a command that does not exist must not be taken for a comment.
LVSPEC_CASE(
    NotesSlips, AnUnknownCommandIsNamed,
    {.id = "notes.unknown-command-is-named",
     .claim = "A ruleset line that begins with no known command is refused, naming file, line and the command meant.",
     .level = Level::kShould,
     .clauses = {"ADM-30"}}) {
  EXPECT_THAT(error_of("notes/slip-command.rules"),
              AllOf(HasSubstr("notes/slip-command.rules:"), HasSubstr("\"ipvsad\""), HasSubstr("ipvsadm")));
}

}  // namespace
}  // namespace lvspec
