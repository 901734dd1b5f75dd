// SPDX-License-Identifier: Apache-2.0

#include "echo/filter/filter_parser.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "echo/base/named_values.h"
#include "echo/control/control_error.h"

namespace echod {
namespace {

using Kind = FilterNode::Kind;

constexpr absl::string_view kExpectedTerm = "a field, NOT, - or (";

bool IsSpace(char c) {
  return absl::ascii_isspace(static_cast<unsigned char>(c));
}

bool IsOfWord(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' ||
         c == '.';
}

// Whether a value may contain it without quotes.
bool IsOfValue(char c) {
  return absl::ascii_isgraph(static_cast<unsigned char>(c)) &&
         !absl::StrContains("()=<>!\"'\\,;", c);
}

bool IsQuote(char c) { return c == '"' || c == '\''; }

bool IsKeyword(absl::string_view word) {
  return word == "AND" || word == "OR" || word == "NOT";
}

// Not the second or a later byte of a character in UTF-8.
bool BeginsCharacter(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

// A recursive descent. Its recursion is bounded by kDeepestFilter.
class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  absl::StatusOr<FilterNode> Parse() {
    absl::StatusOr<FilterNode> filter = ParseAnd();
    if (!filter.ok()) return filter;
    if (at_ != text_.size()) {
      return Unexpected("AND, OR (in capitals) or the end of the filter");
    }
    return filter;
  }

 private:
  absl::StatusOr<FilterNode> ParseAnd() {
    return ParseList(Kind::kAnd, "AND", &Parser::ParseOr);
  }
  absl::StatusOr<FilterNode> ParseOr() {
    return ParseList(Kind::kOr, "OR", &Parser::ParseTerm);
  }

  absl::StatusOr<FilterNode> ParseList(
      Kind kind, absl::string_view keyword,
      absl::StatusOr<FilterNode> (Parser::*parse_operand)()) {
    absl::StatusOr<FilterNode> first = (this->*parse_operand)();
    if (!first.ok() || !ConsumeKeyword(keyword)) return first;
    FilterNode list{.kind = kind};
    list.operands.push_back(*std::move(first));
    do {
      absl::StatusOr<FilterNode> next = (this->*parse_operand)();
      if (!next.ok()) return next;
      list.operands.push_back(*std::move(next));
    } while (ConsumeKeyword(keyword));
    return list;
  }

  absl::StatusOr<FilterNode> ParseTerm() {
    if (!ConsumeKeyword("NOT") && !Consume('-')) return ParseSimple();
    absl::StatusOr<FilterNode> operand = ParseSimple();
    if (!operand.ok()) return operand;
    FilterNode negation{.kind = Kind::kNot};
    negation.operands.push_back(*std::move(operand));
    return negation;
  }

  absl::StatusOr<FilterNode> ParseSimple() {
    SkipSpace();
    const std::size_t start = at_;
    if (!Consume('(')) return ParseComparison();
    if (++depth_ > kDeepestFilter) {
      return Error(start, absl::StrCat("more than ", kDeepestFilter,
                                       " parentheses in one another"));
    }
    absl::StatusOr<FilterNode> inner = ParseAnd();
    if (!inner.ok()) return inner;
    if (!Consume(')')) return Unexpected("AND, OR (in capitals) or )");
    --depth_;
    return inner;
  }

  absl::StatusOr<FilterNode> ParseComparison() {
    SkipSpace();
    const std::size_t start = at_;
    const absl::string_view name = Word();
    if (name.empty() || IsKeyword(name) ||
        absl::ascii_isdigit(static_cast<unsigned char>(name.front()))) {
      return Unexpected(kExpectedTerm);
    }
    const FieldRow* const field = FieldNamed(name);
    if (field == nullptr) {
      return Error(start, absl::StrCat("found ", Found(),
                                       "; expected a field of a connection",
                                       UnknownFieldHint(name, false)));
    }
    if (++comparisons_ > kMostComparisons) {
      return Error(
          start, absl::StrCat("more than ", kMostComparisons, " comparisons"));
    }
    at_ += name.size();

    FilterNode comparison{.kind = Kind::kComparison, .field = field};
    SkipSpace();
    const auto* const op = std::find_if(
        std::begin(kFilterOperators), std::end(kFilterOperators),
        [&](const auto& row) { return absl::StartsWith(Rest(), row.name); });
    if (op == std::end(kFilterOperators) || !Applies(op->value, field->type)) {
      return Unexpected(absl::StrCat("one of the operators of ", field->name,
                                     ": ", OperatorsOf(field->type)));
    }
    comparison.op = op->value;
    at_ += op->name.size();

    SkipSpace();
    const std::size_t value_start = at_;
    absl::Status read = ReadText(comparison.text);
    if (!read.ok()) return read;
    absl::StatusOr<FilterValue> value =
        ParseFilterValue(field->type, op->value, comparison.text);
    if (!value.ok()) {
      return Error(value_start,
                   absl::StrCat("found '", Clip(comparison.text),
                                "'; expected ", value.status().message()));
    }
    comparison.value = *std::move(value);
    return comparison;
  }

  // Reads a value, with or without quotes.
  absl::Status ReadText(std::string& text) {
    if (at_ < text_.size() && IsQuote(text_[at_])) return ReadQuoted(text);
    std::size_t end = at_;
    while (end < text_.size() && IsOfValue(text_[end])) ++end;
    text = std::string(text_.substr(at_, end - at_));
    if (text.empty() || IsKeyword(text)) {
      return Unexpected("a value; quote one that is a keyword or has spaces");
    }
    at_ = end;
    return absl::OkStatus();
  }

  absl::Status ReadQuoted(std::string& text) {
    const std::size_t start = at_;
    const char quote = text_[at_++];
    for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
        if (at_ == text_.size()) break;
        if (text_[at_] != '\\' && !IsQuote(text_[at_])) {
          return Unexpected(R"(\\, \" or \' after a backslash)");
        }
      }
      text += text_[at_];
    }
    if (at_ == text_.size()) {
      return Unexpected(
          absl::StrCat("the quote that closes column ", ColumnOf(start)));
    }
    ++at_;
    return absl::OkStatus();
  }

  static std::string OperatorsOf(FieldType type) {
    std::string list;
    for (const auto& row : kFilterOperators) {
      if (!Applies(row.value, type)) continue;
      absl::StrAppend(&list, list.empty() ? "" : " ", row.name);
    }
    return list;
  }

  absl::string_view Rest() const { return text_.substr(at_); }

  void SkipSpace() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  }

  // The word here; it may be empty.
  absl::string_view Word() const {
    std::size_t end = at_;
    while (end < text_.size() && IsOfWord(text_[end])) ++end;
    return text_.substr(at_, end - at_);
  }

  // Consumes spaces, and what is named behind them, if that is there.
  bool ConsumeKeyword(absl::string_view keyword) {
    SkipSpace();
    if (Word() != keyword) return false;
    at_ += keyword.size();
    return true;
  }
  bool Consume(char c) {
    SkipSpace();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::size_t ColumnOf(std::size_t position) const {
    const absl::string_view before = text_.substr(0, position);
    return 1 + static_cast<std::size_t>(std::count_if(
                   before.begin(), before.end(), BeginsCharacter));
  }

  // For an error: without control characters, and not too long.
  static std::string Clip(absl::string_view text) {
    constexpr std::size_t kLongest = 40;
    std::size_t end = std::min(text.size(), kLongest);
    while (end < text.size() && end > 0 && !BeginsCharacter(text[end])) --end;
    return absl::StrCat(absl::Utf8SafeCHexEscape(text.substr(0, end)),
                        end < text.size() ? "..." : "");
  }

  // What stands here.
  std::string Found() const {
    if (at_ == text_.size()) return "the end of the filter";
    std::size_t length = Word().size();
    if (length == 0) {
      length = 1;
      while (at_ + length < text_.size() &&
             !BeginsCharacter(text_[at_ + length])) {
        ++length;
      }
    }
    return absl::StrCat("'", Clip(text_.substr(at_, length)), "'");
  }

  absl::Status Unexpected(absl::string_view expected) const {
    return Error(at_, absl::StrCat("found ", Found(), "; expected ", expected));
  }

  absl::Status Error(std::size_t position, absl::string_view what) const {
    return InvalidFieldError(
        "filter", absl::StrCat("column ", ColumnOf(position), ": ", what));
  }

  const absl::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int comparisons_ = 0;
};

std::string PrintValue(absl::string_view text) {
  if (!text.empty() && !IsKeyword(text) &&
      std::all_of(text.begin(), text.end(), IsOfValue)) {
    return std::string(text);
  }
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '\\' || c == '"') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string InParentheses(const FilterNode& node, bool parentheses) {
  return parentheses ? absl::StrCat("(", PrintFilter(node), ")")
                     : PrintFilter(node);
}

}  // namespace

absl::StatusOr<FilterNode> ParseFilter(absl::string_view text) {
  if (text.size() > kLongestFilter) {
    return InvalidFieldError(
        "filter",
        absl::StrCat("the filter is ", text.size(), " bytes long; at most ",
                     kLongestFilter, " are possible"));
  }
  return Parser(text).Parse();
}

std::string PrintFilter(const FilterNode& filter) {
  std::string text;
  switch (filter.kind) {
    case Kind::kComparison:
      return absl::StrCat(filter.field->name, " ",
                          NameOf(kFilterOperators, filter.op), " ",
                          PrintValue(filter.text));
    case Kind::kNot: {
      const FilterNode& operand = filter.operands.front();
      return absl::StrCat(
          "NOT ", InParentheses(operand, operand.kind != Kind::kComparison));
    }
    case Kind::kAnd:
      for (const FilterNode& each : filter.operands) {
        absl::StrAppend(&text, text.empty() ? "" : " AND ",
                        InParentheses(each, each.kind == Kind::kAnd));
      }
      return text;
    case Kind::kOr:
      for (const FilterNode& each : filter.operands) {
        absl::StrAppend(&text, text.empty() ? "" : " OR ",
                        InParentheses(each, each.kind == Kind::kAnd ||
                                                each.kind == Kind::kOr));
      }
      return text;
  }
  return text;
}

}  // namespace echod
