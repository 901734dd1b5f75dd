// SPDX-License-Identifier: Apache-2.0

#include "echo/config/yaml_node.h"

#include <yaml.h>

#include <map>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace echod {
namespace {

ConfigMark MarkOf(const yaml_mark_t& mark) {
  return {.line = static_cast<int>(mark.line) + 1,
          .column = static_cast<int>(mark.column) + 1};
}

// Where the byte `offset` is, which may follow one that is not UTF-8.
ConfigMark MarkAt(absl::string_view text, std::size_t offset) {
  ConfigMark mark = {.line = 1, .column = 1};
  for (const char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++mark.line;
      mark.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
      ++mark.column;  // the first byte of a character
    }
  }
  return mark;
}

struct ParserDelete {
  void operator()(yaml_parser_t* parser) const {
    yaml_parser_delete(parser);
    delete parser;
  }
};

// Owns what libyaml has put into an event.
class Event {
 public:
  Event() = default;
  ~Event() { yaml_event_delete(&event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  yaml_event_t* get() { return &event_; }
  yaml_event_type_t type() const { return event_.type; }
  ConfigMark mark() const { return MarkOf(event_.start_mark); }
  const yaml_event_t& operator*() const { return event_; }

 private:
  yaml_event_t event_ = {};
};

std::string TextOf(const yaml_event_t& scalar) {
  return {reinterpret_cast<const char*>(scalar.data.scalar.value),
          scalar.data.scalar.length};
}

bool IsNull(const yaml_event_t& scalar) {
  if (scalar.data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return false;
  const std::string text = TextOf(scalar);
  return text.empty() || text == "~" || absl::EqualsIgnoreCase(text, "null");
}

// Builds a tree of libyaml's events. A class for one document.
class Reader {
 public:
  Reader(absl::string_view text, std::vector<ConfigProblem>& problems)
      : text_(text), problems_(problems) {
    auto* const parser = new yaml_parser_t;
    if (yaml_parser_initialize(parser) == 0) {
      delete parser;
      return;
    }
    parser_.reset(parser);
    yaml_parser_set_encoding(parser_.get(), YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        parser_.get(), reinterpret_cast<const unsigned char*>(text_.data()),
        text_.size());
  }

  std::optional<YamlNode> Read() {
    if (parser_ == nullptr) {
      AddProblem({}, "there is not enough memory to read it");
      return std::nullopt;
    }
    YamlNode root;
    bool any = false;
    while (true) {
      Event next;
      if (!Next(next)) return std::nullopt;
      switch (next.type()) {
        case YAML_STREAM_END_EVENT:
          if (!any) {
            AddProblem({.line = 1, .column = 1},
                       "the file is empty; write {} where every flag is to "
                       "have its default");
            return std::nullopt;
          }
          return root;
        case YAML_DOCUMENT_START_EVENT:
          if (any) {
            AddProblem(next.mark(), "a second document begins here; write one");
            return std::nullopt;
          }
          any = true;
          break;
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
          break;
        default:
          if (!ReadValue(next, 0, root)) return std::nullopt;
      }
    }
  }

 private:
  void AddProblem(ConfigMark mark, std::string what) {
    problems_.push_back({.mark = mark, .field = "", .what = std::move(what)});
  }

  bool Next(Event& event) {
    if (yaml_parser_parse(parser_.get(), event.get()) != 0) return true;
    const yaml_parser_t& parser = *parser_;
    const std::string problem = parser.problem == nullptr ? "" : parser.problem;
    switch (parser.error) {
      case YAML_READER_ERROR:
        AddProblem(MarkAt(text_, parser.problem_offset),
                   absl::StrCat("this is not text in UTF-8: ", problem));
        break;
      case YAML_MEMORY_ERROR:
        AddProblem({}, "there is not enough memory to read it");
        break;
      default:
        AddProblem(MarkOf(parser.problem_mark),
                   parser.context == nullptr
                       ? absl::StrCat("this is not YAML: ", problem)
                       : absl::StrCat("this is not YAML: ", problem, " ",
                                      parser.context, " that begins in line ",
                                      MarkOf(parser.context_mark).line));
    }
    return false;
  }

  bool Refuse(ConfigMark mark, absl::string_view what) {
    AddProblem(mark, std::string(what));
    return false;
  }

  // Reads the value that begins with `first`. Returns false if the rest of the
  // document is not worth reading.
  bool ReadValue(const Event& first, int depth, YamlNode& node) {
    node.mark = first.mark();
    if (++nodes_ > kMostYamlNodes) {
      return Refuse(node.mark, absl::StrCat("the file has more than ",
                                            kMostYamlNodes, " values"));
    }
    if (depth > kMostYamlDepth) {
      return Refuse(node.mark, "this is nested too deeply for a configuration");
    }
    const yaml_char_t* anchor = nullptr;
    const yaml_char_t* tag = nullptr;
    switch (first.type()) {
      case YAML_ALIAS_EVENT:
        return Refuse(node.mark,
                      "aliases are not supported; write the value itself");
      case YAML_SCALAR_EVENT:
        anchor = (*first).data.scalar.anchor;
        tag = (*first).data.scalar.tag;
        break;
      case YAML_SEQUENCE_START_EVENT:
        anchor = (*first).data.sequence_start.anchor;
        tag = (*first).data.sequence_start.tag;
        break;
      default:
        anchor = (*first).data.mapping_start.anchor;
        tag = (*first).data.mapping_start.tag;
    }
    if (anchor != nullptr) {
      return Refuse(node.mark, "anchors are not supported; leave this one out");
    }
    if (tag != nullptr) {
      return Refuse(node.mark, "tags are not supported; leave this one out");
    }
    if (first.type() == YAML_SCALAR_EVENT) {
      node.kind =
          IsNull(*first) ? YamlNode::Kind::kNull : YamlNode::Kind::kScalar;
      node.text = TextOf(*first);
      return true;
    }
    return first.type() == YAML_SEQUENCE_START_EVENT ? ReadItems(depth, node)
                                                     : ReadFields(depth, node);
  }

  bool ReadItems(int depth, YamlNode& node) {
    node.kind = YamlNode::Kind::kSequence;
    while (true) {
      Event next;
      if (!Next(next)) return false;
      if (next.type() == YAML_SEQUENCE_END_EVENT) return true;
      YamlNode item;
      if (!ReadValue(next, depth + 1, item)) return false;
      node.items.push_back(std::move(item));
    }
  }

  bool ReadFields(int depth, YamlNode& node) {
    node.kind = YamlNode::Kind::kMapping;
    std::map<std::string, ConfigMark> seen;
    while (true) {
      Event next;
      if (!Next(next)) return false;
      if (next.type() == YAML_MAPPING_END_EVENT) return true;
      YamlNode name;
      if (!ReadValue(next, depth + 1, name)) return false;
      Event begin;
      YamlEntry entry;
      if (!Next(begin) || !ReadValue(begin, depth + 1, entry.value)) {
        return false;
      }
      if (name.kind != YamlNode::Kind::kScalar) {
        AddProblem(name.mark, "the name of a field is to stand here");
        continue;
      }
      const auto [first, is_new] = seen.emplace(name.text, name.mark);
      if (!is_new) {
        problems_.push_back(
            {.mark = name.mark,
             .field = name.text,
             .what =
                 absl::StrCat("this field stands in line ", first->second.line,
                              ", too; leave one of them out")});
        continue;
      }
      entry.name = std::move(name.text);
      entry.mark = name.mark;
      node.fields.push_back(std::move(entry));
    }
  }

  const absl::string_view text_;
  std::vector<ConfigProblem>& problems_;
  std::unique_ptr<yaml_parser_t, ParserDelete> parser_;
  std::size_t nodes_ = 0;
};

}  // namespace

std::optional<YamlNode> ReadYaml(absl::string_view text,
                                 std::vector<ConfigProblem>& problems) {
  if (text.size() > kMostYamlBytes) {
    problems.push_back(
        {.mark = {},
         .field = "",
         .what = absl::StrCat("the file has more than ", kMostYamlBytes,
                              " bytes, which is too much for a "
                              "configuration")});
    return std::nullopt;
  }
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");  // the byte order mark
  return Reader(text, problems).Read();
}

std::string LibyamlVersion() { return yaml_get_version_string(); }

}  // namespace echod
