// SPDX-License-Identifier: Apache-2.0

#include "echo/config/yaml_node.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using Kind = YamlNode::Kind;

YamlNode Read(const std::string& text) {
  std::vector<ConfigProblem> problems;
  std::optional<YamlNode> node = ReadYaml(text, problems);
  EXPECT_TRUE(problems.empty()) << ProblemsText("f", problems);
  return node.value_or(YamlNode());
}

// What is wrong, such as `f:1:2: ...`.
std::string Problem(const std::string& text) {
  std::vector<ConfigProblem> problems;
  ReadYaml(text, problems);
  return ProblemsText("f", problems);
}

TEST(YamlNodeTest, ReadsYamlAndJsonWithPositions) {
  for (const char* text : {"a: 1\nlist:\n  - x\n  - {b: \"q\"}\n",
                           "{\"a\":1,\n\t\"list\":[\"x\",{\"b\":\"q\"}]}"}) {
    const YamlNode root = Read(text);
    ASSERT_EQ(root.kind, Kind::kMapping);
    ASSERT_EQ(root.fields.size(), 2u);
    EXPECT_EQ(root.fields[0].name, "a");
    EXPECT_EQ(root.fields[0].value.text, "1");
    const YamlEntry& list = root.fields[1];
    EXPECT_EQ(list.mark.line, 2);
    ASSERT_EQ(list.value.items.size(), 2u);
    EXPECT_EQ(list.value.items[0].text, "x");
    ASSERT_EQ(list.value.items[1].fields.size(), 1u);
    EXPECT_EQ(list.value.items[1].fields[0].value.text, "q");
  }
  const YamlNode marked = Read("é: 1\nb:   2");
  EXPECT_EQ(marked.fields[0].value.mark.column, 4);  // characters, not bytes
  EXPECT_EQ(marked.fields[1].value.mark.column, 6);
}

TEST(YamlNodeTest, KnowsWhatIsNothing) {
  const YamlNode root = Read("a:\nb: ~\nc: null\nd: \"\"\ne: 'null'\n");
  EXPECT_EQ(root.fields[0].value.kind, Kind::kNull);
  EXPECT_EQ(root.fields[1].value.kind, Kind::kNull);
  EXPECT_EQ(root.fields[2].value.kind, Kind::kNull);
  EXPECT_EQ(root.fields[3].value.kind, Kind::kScalar);
  EXPECT_EQ(root.fields[4].value.kind, Kind::kScalar);
}

TEST(YamlNodeTest, SkipsAByteOrderMark) {
  EXPECT_EQ(Read("\xEF\xBB\xBF"
                 "a: 1")
                .fields.at(0)
                .name,
            "a");
}

TEST(YamlNodeTest, SaysWhereItIsNotYaml) {
  EXPECT_EQ(Problem("a: [1, 2\nb: 3\n").rfind("f:2:", 0), 0u)
      << Problem("a: [1, 2\nb: 3\n");
  EXPECT_TRUE(absl::StrContains(Problem("a: [1"), "this is not YAML"));
  EXPECT_EQ(Problem("a: 1\nbc: \xFF\n").rfind("f:2:5: this is not text", 0), 0u)
      << Problem("a: 1\nbc: \xFF\n");
  EXPECT_TRUE(absl::StrContains(Problem(std::string("a: \0b", 5)), "f:1:4:"))
      << Problem(std::string("a: \0b", 5));
  EXPECT_TRUE(absl::StrContains(Problem("a: \xED\xA0\x80"), "f:1:4:"));
}

TEST(YamlNodeTest, AnEmptyFileIsAMistake) {
  for (const char* text : {"", "\n\n", "# nothing\n", "\xEF\xBB\xBF"}) {
    EXPECT_TRUE(absl::StrContains(Problem(text), "f:1:1: the file is empty"))
        << Problem(text);
  }
}

TEST(YamlNodeTest, AFieldTwiceIsAMistake) {
  EXPECT_EQ(Problem("a: 1\nb: 2\na: 3\nb: 4\n"),
            "f:3:1: a: this field stands in line 1, too; leave one of them "
            "out\n"
            "f:4:1: b: this field stands in line 2, too; leave one of them "
            "out");
  EXPECT_EQ(Problem("[1]: 2").rfind("f:1:1: the name of a field", 0), 0u);
}

TEST(YamlNodeTest, RefusesWhatAConfigurationDoesNotNeed) {
  EXPECT_EQ(Problem("a: &x 1").rfind("f:1:4: anchors", 0), 0u);
  EXPECT_EQ(Problem("a: *x").rfind("f:1:4: aliases", 0), 0u);
  EXPECT_EQ(Problem("a: !!str 1").rfind("f:1:4: tags", 0), 0u);
  EXPECT_EQ(Problem("a: 1\n---\nb: 2\n").rfind("f:2:1: a second", 0), 0u);
  // Each level would have ten times the values of the one before.
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 20; ++i) {
    absl::StrAppend(&bomb, "a", i, ": &a", i, " [*a", i - 1, ",*a", i - 1,
                    "]\n");
  }
  EXPECT_EQ(Problem(bomb).rfind("f:1:5: anchors", 0), 0u);
}

TEST(YamlNodeTest, BoundsWhatItReads) {
  const std::string deep(500'000, '[');
  EXPECT_TRUE(absl::StrContains(Problem(deep), "nested too deeply"));
  std::string maps;
  for (int i = 0; i < 100'000; ++i) maps += "{a: ";
  EXPECT_TRUE(absl::StrContains(Problem(maps), "nested too deeply"));
  std::string dashes;
  for (int i = 0; i < 100'000; ++i) dashes += "- ";
  EXPECT_TRUE(absl::StrContains(Problem(dashes), "nested too deeply"));
  std::string many = "[";
  for (int i = 0; i < 200'000; ++i) many += "1,";
  EXPECT_TRUE(
      absl::StrContains(Problem(many + "]"), "more than 100000 values"));
  const std::string large(kMostYamlBytes + 1, ' ');
  EXPECT_TRUE(absl::StrContains(Problem(large), "more than 1048576 bytes"));
  EXPECT_EQ(Read(std::string(kMostYamlBytes - 4, ' ') + "a: 1").text, "");
}

}  // namespace
}  // namespace echod
