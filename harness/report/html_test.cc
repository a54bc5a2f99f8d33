#include "harness/report/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/report/sample_run.h"
#include "harness/report/tags_for_test.h"

namespace lvspec {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(Tags, AreFoundWhereTheyDoNotClose) {
  EXPECT_EQ(first_unbalanced_tag("<a><br><b x=\"1\">t</b><c/></a>"), "");
  EXPECT_EQ(first_unbalanced_tag("<a><b></a></b>"), "/a");
  EXPECT_EQ(first_unbalanced_tag("<a>"), "a");
  EXPECT_EQ(first_unbalanced_tag("<a> 1 < 2 </a>"), "< 2 </a");
}

TEST(Html, IsOneBalancedFileWithNothingToFetch) {
  const std::string html = to_html(sample_run());
  EXPECT_EQ(first_unbalanced_tag(html), "");
  for (const char* forbidden : {"<script", "http://", "https://", "src=", "<link", "@import", "url("})
    EXPECT_THAT(html, Not(HasSubstr(forbidden)));
}

TEST(Html, EscapesWhatDirectorsSay) {
  const std::string html = to_html(sample_run());
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quotes&quot;"));
  EXPECT_THAT(html, Not(HasSubstr("\x1b")));
  EXPECT_THAT(html, Not(HasSubstr("\xff")));
}

TEST(Html, OpensTheCasesThatNeedAttentionAndFoldsTheOthers) {
  const auto run = sample_run();
  const std::string html = to_html(run);
  EXPECT_EQ(count_of(html, "<details class=\"case\" open>"), 5u);
  EXPECT_EQ(count_of(html, "<details class=\"case\""), static_cast<std::size_t>(run.catalogue));
  EXPECT_THAT(html, HasSubstr("<h2>To look at</h2>"));
  EXPECT_THAT(to_html(clean_run()), Not(HasSubstr("To look at")));
}

TEST(Html, LeadsFromTheListToTheCase) {
  const std::string html = to_html(sample_run());
  EXPECT_THAT(html, HasSubstr("href=\"#case-pcc.same-client-all-ports\""));
  EXPECT_EQ(count_of(html, "id=\"case-pcc.same-client-all-ports\""), 1u);
}

TEST(Html, ShowsWhatWasExpectedWhatHappenedAndTheWayBack) {
  const std::string html = to_html(sample_run());
  EXPECT_THAT(html, HasSubstr("<dt>expected</dt><dd><pre>served by &quot;real2&quot;</pre></dd>"));
  EXPECT_THAT(html, HasSubstr("<dt>where</dt><dd>suites/pcc/pcc_test.cc:41</dd>"));
  EXPECT_THAT(html, HasSubstr("<dt>users met it</dt><dd>FR-01<br>FR-45  Each port on its own.</dd>"));
  EXPECT_THAT(html, HasSubstr("<code class=\"again\">ci/lvspec run --director bundled --case "
                              "pcc.same-client-all-ports</code>"));
  EXPECT_THAT(html, HasSubstr("<a href=\"./evidence/pcc.same-client-all-ports.bundled/\">"));
}

TEST(Html, SaysVerdictsInWordsAndSymbolsToo) {
  const std::string html = to_html(sample_run());
  EXPECT_THAT(html, HasSubstr("<span class=\"sym\">✗</span> FAIL"));
  EXPECT_THAT(html, HasSubstr("<span class=\"sym\">✓</span> PASS"));
}

TEST(Html, GivesAPartialRunNoWordOfTheWhole) {
  auto run = clean_run();
  run.catalogue = 34;
  const std::string html = to_html(run);
  EXPECT_THAT(html, HasSubstr("partial: 3 of 34</h1>"));
  EXPECT_THAT(html, Not(HasSubstr("conforms")));
}

TEST(Html, OfAnEmptyRunIsStillAPage) {
  const std::string html = to_html(lvspec::Run{});
  EXPECT_EQ(first_unbalanced_tag(html), "");
  EXPECT_THAT(html, HasSubstr("nothing asserted"));
}

}  // namespace
}  // namespace lvspec
