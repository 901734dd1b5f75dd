// SPDX-License-Identifier: Apache-2.0

#include "echo/base/command_line.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

ABSL_FLAG(int, test_number, 7, "A number.");
ABSL_FLAG(std::string, test_text, "abc", "A text.");
ABSL_FLAG(std::vector<std::string>, test_list, {"x"}, "A list.");
ABSL_FLAG(absl::Duration, test_time, absl::Seconds(1), "A time.");

namespace echod {
namespace {

constexpr char kThisFile[] = "echo/base/command_line_test.cc";

absl::StatusOr<CommandLine> Parse(std::vector<std::string> words,
                                  absl::string_view arguments = "") {
  words.insert(words.begin(), "program");
  std::vector<char*> argv;
  argv.reserve(words.size());
  for (std::string& word : words) argv.push_back(word.data());
  return ParseCommandLine(static_cast<int>(argv.size()), argv.data(),
                          {.name = "program",
                           .summary = "a program for tests",
                           .flags_file = kThisFile,
                           .arguments = arguments});
}

std::string Problem(const std::vector<std::string>& words) {
  const absl::Status status = Parse(words).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  std::string message(status.message());
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  return message;
}

bool Mentions(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

TEST(CommandLineTest, SetsFlagsInEitherForm) {
  ASSERT_TRUE(Parse({"--test_number=8", "-test_text", "x y"}).ok());
  EXPECT_EQ(absl::GetFlag(FLAGS_test_number), 8);
  EXPECT_EQ(absl::GetFlag(FLAGS_test_text), "x y");
  EXPECT_EQ(FlagValues(kThisFile).at("test_number"), "8");
  // A negative number is a value, not a flag.
  ASSERT_TRUE(Parse({"--test_number", "-3", "--test_text="}).ok());
  EXPECT_EQ(absl::GetFlag(FLAGS_test_number), -3);
  EXPECT_EQ(absl::GetFlag(FLAGS_test_text), "");
}

TEST(CommandLineTest, SuggestsTheFlagThatWasMeant) {
  EXPECT_TRUE(
      Mentions(Problem({"--test_nmber=1"}),
               "unknown flag --test_nmber; did you mean --test_number"));
  EXPECT_FALSE(Mentions(Problem({"--something_else=1"}), "did you mean"));
}

TEST(CommandLineTest, SaysWhyAValueIsNone) {
  const std::string number = Problem({"--test_number=x"});
  EXPECT_TRUE(Mentions(number, "--test_number cannot be 'x'")) << number;
  const std::string time = Problem({"--test_time=5"});
  EXPECT_TRUE(Mentions(time, "unit")) << time;
  EXPECT_TRUE(Mentions(Problem({"--test_number"}), "has no value"));
  EXPECT_TRUE(
      Mentions(Problem({"--test_number", "--test_text=x"}), "has no value"));
}

TEST(CommandLineTest, TakesAFlagOnce) {
  EXPECT_TRUE(Mentions(Problem({"--test_number=1", "--test_number=2"}),
                       "--test_number is given twice"));
  EXPECT_TRUE(Mentions(Problem({"-test_text", "x", "--test_text=x"}),
                       "--test_text is given twice"));
}

TEST(CommandLineTest, JoinsTheValuesOfAListThatIsRepeated) {
  ASSERT_TRUE(Parse({"--test_list=a,b", "--test_list=c"}).ok());
  EXPECT_EQ(absl::GetFlag(FLAGS_test_list),
            (std::vector<std::string>{"a", "b", "c"}));
}

TEST(CommandLineTest, TakesNoOtherArguments) {
  EXPECT_TRUE(Mentions(Problem({"surplus"}), "unexpected argument 'surplus'"));
  EXPECT_TRUE(Mentions(Problem({""}), "unexpected argument ''"));
}

TEST(CommandLineTest, CollectsArgumentsWhereTheyAreTaken) {
  const absl::StatusOr<CommandLine> line =
      Parse({"here", "--test_number", "9", "there"}, "PLACE...");
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->arguments, (std::vector<std::string>{"here", "there"}));
  EXPECT_TRUE(Mentions(Parse({"--help"}, "PLACE...")->answer,
                       "usage: program [--FLAG=VALUE]... PLACE...\n"));
}

TEST(CommandLineTest, FlagsOfLibrariesAreNotOffered) {
  EXPECT_TRUE(Mentions(Problem({"--flagfile=x"}), "unknown flag"));
}

TEST(CommandLineTest, HelpListsEveryFlagWithItsDefault) {
  const absl::StatusOr<CommandLine> line = Parse({"--help"});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->result, CommandLineResult::kAnswer);
  for (const char* text :
       {"--test_number=7\n", "A number.", "--test_text=abc\n", "--version"}) {
    EXPECT_TRUE(Mentions(line->answer, text)) << line->answer;
  }
  EXPECT_FALSE(Mentions(line->answer, "--flagfile"));
}

TEST(CommandLineTest, HelpFitsATerminal) {
  std::string program = "program";
  std::string help = "--help";
  char* argv[] = {program.data(), help.data()};
  std::string words;
  for (int i = 0; i < 60; ++i) absl::StrAppend(&words, "word", i, " ");
  const std::string unbroken(100, 'x');
  const absl::StatusOr<CommandLine> line = ParseCommandLine(
      2, argv,
      {.name = "program",
       .summary = "a program for tests",
       .flags_file = kThisFile,
       .arguments = "",
       .notes = words,
       .more_flags = {{.name = "long",
                       .default_value = "1",
                       .help = absl::StrCat(words, "\n", unbroken, " end."),
                       .set = nullptr}}});
  ASSERT_TRUE(line.ok());
  for (const absl::string_view text : absl::StrSplit(line->answer, '\n')) {
    EXPECT_TRUE(text.size() <= 80 || absl::EndsWith(text, unbroken)) << text;
  }
  // Nothing is lost, and lines are used.
  const std::string joined = absl::StrJoin(
      absl::StrSplit(line->answer, absl::ByAnyChar(" \n"), absl::SkipEmpty()),
      " ");
  EXPECT_TRUE(
      absl::StrContains(joined, absl::StrCat(words, unbroken, " end. --")));
  EXPECT_TRUE(absl::StrContains(
      line->answer,
      "\n      word0 word1 word2 word3 word4 word5 word6 word7 "
      "word8 word9 word10 word11\n"))
      << line->answer;
}

TEST(CommandLineTest, TakesFlagsOfTheProgramsOwnMaking) {
  std::int64_t size = 5;
  const auto parse = [&](std::string word) {
    std::string program = "program";
    char* argv[] = {program.data(), word.data()};
    return ParseCommandLine(
        2, argv,
        {.name = "program",
         .summary = "a program for tests",
         .flags_file = kThisFile,
         .arguments = "",
         .more_flags = {{.name = "size",
                         .default_value = "5",
                         .help = "A size.",
                         .set = [&](absl::string_view text) {
                           return ParseFlagText(text, size);
                         }}}});
  };
  ASSERT_TRUE(parse("--size=6").ok());
  EXPECT_EQ(size, 6);
  EXPECT_EQ(parse("--size=x").status().message(),
            "flag --size cannot be 'x': write a whole number below 2^63; the "
            "default is '5', and --help says more");
  EXPECT_EQ(parse("--size").status().message(),
            "flag --size has no value; write --size=5");
  EXPECT_TRUE(Mentions(std::string(parse("--sizes=6").status().message()),
                       "did you mean --size?"));
  EXPECT_TRUE(Mentions(parse("--help")->answer, "  --size=5\n      A size.\n"));
}

TEST(CommandLineTest, VersionIsOneLine) {
  const absl::StatusOr<CommandLine> line = Parse({"--version"});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->result, CommandLineResult::kAnswer);
  EXPECT_EQ(line->answer.rfind("program ", 0), 0u);
}

}  // namespace
}  // namespace echod
