// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_CONFIG_YAML_NODE_H_
#define ECHO_CONFIG_YAML_NODE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "echo/config/config_problem.h"

namespace echod {

struct YamlEntry;

// A value in a YAML document, and where it is. A plain value.
struct YamlNode {
  enum class Kind : std::uint8_t { kNull, kScalar, kSequence, kMapping };

  Kind kind = Kind::kNull;
  ConfigMark mark;
  std::string text;               // of a scalar
  std::vector<YamlNode> items;    // of a sequence
  std::vector<YamlEntry> fields;  // of a mapping, in its order
};

struct YamlEntry {
  std::string name;
  ConfigMark mark;  // of the name
  YamlNode value;
};

// Limits of a document that is a configuration. Text of these limits takes some
// ten times its size in memory, and milliseconds to read.
inline constexpr std::size_t kMostYamlBytes = std::size_t{1} << 20;
inline constexpr int kMostYamlDepth = 16;
inline constexpr std::size_t kMostYamlNodes = 100'000;

// Reads a document of YAML, or of JSON, which is a subset. It may be hostile:
// it is UTF-8 within the limits above, and has neither anchors, aliases nor
// tags, and no field twice in a mapping. Adds what is wrong to `problems`;
// nullopt if nothing can be said about the rest. Thread-safe.
std::optional<YamlNode> ReadYaml(absl::string_view text,
                                 std::vector<ConfigProblem>& problems);

// The version of the libyaml that is linked, such as 0.2.5.
std::string LibyamlVersion();

}  // namespace echod

#endif  // ECHO_CONFIG_YAML_NODE_H_
