// SPDX-License-Identifier: Apache-2.0

#include "echo/config/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "echo/base/command_line.h"
#include "echo/base/listen_address.h"
#include "echo/base/named_values.h"
#include "echo/base/nearest_name.h"
#include "echo/base/unique_fd.h"
#include "echo/config/yaml_node.h"
#include "echo/control/listener_id.h"
#include "echo/control/settings_table.h"

namespace echod {
namespace {

constexpr char kListenerPrefix[] = "listeners/";

// Names longer than this are cut in messages, and are like no other name.
constexpr std::size_t kLongestName = 80;

// The fields of a listener in the API that only echod sets.
constexpr absl::string_view kOutputFields[] = {
    "bound_port",  "active_connections", "generation", "source",
    "create_time", "update_time",        "etag"};

std::string Shortened(absl::string_view name) {
  if (name.size() <= kLongestName) return std::string(name);
  return absl::StrCat(name.substr(0, kLongestName), "...");
}

std::string UnknownField(absl::string_view name,
                         const std::vector<std::string>& known) {
  const std::string nearest =
      name.size() <= kLongestName ? NearestName(name, known) : "";
  if (nearest.empty()) return "there is no such field";
  return absl::StrCat("there is no such field; did you mean ", nearest, "?");
}

class Parser {
 public:
  Parser(const std::vector<std::string>& flag_names,
         std::vector<ConfigProblem>& problems)
      : flag_names_(flag_names), problems_(problems) {}

  ConfigFile Parse(const YamlNode& root) {
    ConfigFile file;
    if (root.kind != YamlNode::Kind::kMapping) {
      Add(root.mark, "",
          "a configuration consists of fields, such as: "
          "workers: 4");
      return file;
    }
    for (const YamlEntry& entry : root.fields) {
      if (entry.name == kListenersField) {
        file.listeners = ParseListeners(entry);
      } else if (std::find(flag_names_.begin(), flag_names_.end(),
                           entry.name) == flag_names_.end()) {
        std::vector<std::string> known = flag_names_;
        known.emplace_back(kListenersField);
        Add(entry.mark, Shortened(entry.name), UnknownField(entry.name, known));
      } else if (IsCommandLineOnly(entry.name)) {
        Add(entry.mark, entry.name,
            "this flag is for the command line only; leave it out");
      } else if (CheckScalar(entry.value, entry.name)) {
        file.flags[entry.name] = {.text = entry.value.text,
                                  .mark = entry.value.mark};
      }
    }
    return file;
  }

 private:
  void Add(ConfigMark mark, std::string field, std::string what) {
    problems_.push_back(
        {.mark = mark, .field = std::move(field), .what = std::move(what)});
  }

  bool CheckScalar(const YamlNode& node, const std::string& field) {
    if (node.kind == YamlNode::Kind::kScalar) return true;
    Add(node.mark, field,
        node.kind == YamlNode::Kind::kNull
            ? "it has no value; write one, or leave the field out"
            : "write a single value");
    return false;
  }

  std::vector<ConfigListener> ParseListeners(const YamlEntry& entry) {
    std::vector<ConfigListener> listeners;
    if (entry.value.kind != YamlNode::Kind::kSequence) {
      Add(entry.value.mark, entry.name,
          "write a list of listeners, or [] where there are to be none");
      return listeners;
    }
    for (const YamlNode& item : entry.value.items) {
      const std::string field =
          absl::StrCat(entry.name, "[", listeners.size(), "]");
      listeners.push_back(ParseListener(item, field));
      CheckUnique(listeners);
    }
    return listeners;
  }

  ConfigListener ParseListener(const YamlNode& node, const std::string& field) {
    ConfigListener listener;
    listener.field = field;
    listener.mark = node.mark;
    listener.creation.address = "::";
    if (node.kind != YamlNode::Kind::kMapping) {
      Add(node.mark, field,
          "a listener consists of fields, such as: name: default");
      return listener;
    }
    bool has_name = false;
    const YamlEntry* address = nullptr;
    const YamlEntry* port = nullptr;
    for (const YamlEntry& entry : node.fields) {
      const std::string path = absl::StrCat(field, ".", Shortened(entry.name));
      if (entry.name == "name") {
        has_name = true;
        if (CheckScalar(entry.value, path)) SetName(entry, path, listener);
      } else if (entry.name == "address") {
        if (CheckScalar(entry.value, path)) address = &entry;
      } else if (entry.name == "port") {
        port = &entry;
        if (CheckScalar(entry.value, path)) SetPort(entry, path, listener);
      } else if (entry.name == kStateField) {
        if (CheckScalar(entry.value, path)) SetState(entry, path, listener);
      } else {
        SetSetting(entry, path, listener);
      }
    }
    if (!has_name) {
      Add(node.mark, field, "it has no name; write one, such as name: default");
    }
    const bool is_unix =
        address != nullptr && IsUnixAddress(address->value.text);
    if (is_unix && port != nullptr) {
      Add(port->mark, absl::StrCat(field, ".port"),
          "the path of a Unix socket has no port; leave it out");
    } else if (!is_unix && port == nullptr) {
      Add(node.mark, field,
          "it has no port; write one, or port: 0 to let the kernel choose");
    }
    if (address != nullptr) SetAddress(*address, field, listener);
    return listener;
  }

  void SetName(const YamlEntry& entry, const std::string& path,
               ConfigListener& listener) {
    absl::string_view id = entry.value.text;
    absl::ConsumePrefix(&id, kListenerPrefix);
    listener.mark = entry.value.mark;
    listener.creation.id = std::string(id);
    if (absl::Status valid = CheckListenerId(id); !valid.ok()) {
      Add(entry.value.mark, path, std::string(valid.message()));
      listener.creation.id.clear();
    }
  }

  void SetPort(const YamlEntry& entry, const std::string& path,
               ConfigListener& listener) {
    int port = 0;
    if (!ParseFlagText(entry.value.text, port).ok() || port < 0 ||
        port > 65535) {
      Add(entry.value.mark, path,
          absl::StrCat("'", Shortened(entry.value.text),
                       "' is not a port; choose one from 0 to 65535"));
      return;
    }
    listener.creation.port = port;
  }

  void SetState(const YamlEntry& entry, const std::string& path,
                ConfigListener& listener) {
    const auto state =
        ValueNamed(kListenerStates, FlagText(kStateField, entry.value.text));
    if (!state.has_value()) {
      Add(entry.value.mark, path,
          absl::StrCat("it cannot be '", Shortened(entry.value.text),
                       "'; choose ", JoinedWithOr(NamesIn(kListenerStates))));
      return;
    }
    listener.creation.paused = *state == ListenerInfo::State::kPaused;
  }

  void SetAddress(const YamlEntry& entry, const std::string& field,
                  ConfigListener& listener) {
    listener.creation.address = entry.value.text;
    const absl::StatusOr<ListenAddress> parsed =
        ListenAddress::FromHost(entry.value.text, 0);
    if (!parsed.ok()) {
      Add(entry.value.mark, absl::StrCat(field, ".address"),
          std::string(parsed.status().message()));
    }
  }

  void SetSetting(const YamlEntry& entry, const std::string& path,
                  ConfigListener& listener) {
    std::vector<std::string> known = {"name", "address", "port",
                                      std::string(kStateField)};
    for (const Setting& setting : SettingsTable()) {
      if (setting.name != entry.name) {
        known.emplace_back(setting.name);
        continue;
      }
      if (!CheckScalar(entry.value, path)) return;
      const std::string text = FlagText(setting.name, entry.value.text);
      ListenerSettings& settings = listener.creation.settings;
      absl::Status valid = ParseSetting(setting, text, settings);
      if (valid.ok()) {
        valid = ValidateSetting(setting, settings);
      } else {
        valid = absl::InvalidArgumentError(absl::StrCat(
            "it cannot be '", Shortened(text), "': ", valid.message()));
      }
      if (!valid.ok()) {
        Add(entry.value.mark, path, std::string(valid.message()));
        return;
      }
      listener.settings.insert(entry.name);
      return;
    }
    if (std::find(std::begin(kOutputFields), std::end(kOutputFields),
                  entry.name) != std::end(kOutputFields)) {
      Add(entry.mark, path, "only echod sets this field; leave it out");
      return;
    }
    Add(entry.mark, path, UnknownField(entry.name, known));
  }

  void CheckUnique(const std::vector<ConfigListener>& listeners) {
    const ConfigListener& last = listeners.back();
    for (std::size_t i = 0; i + 1 < listeners.size(); ++i) {
      const ConfigListener& other = listeners[i];
      if (!last.creation.id.empty() && last.creation.id == other.creation.id) {
        Add(last.mark, absl::StrCat(last.field, ".name"),
            absl::StrCat("the listener in line ", other.mark.line,
                         " has this name, too; choose another"));
        return;
      }
      const bool is_unix = IsUnixAddress(last.creation.address);
      if ((last.creation.port != 0 || is_unix) &&
          last.creation.port == other.creation.port &&
          last.creation.address == other.creation.address) {
        Add(last.mark, absl::StrCat(last.field, is_unix ? ".address" : ".port"),
            absl::StrCat("the listener in line ", other.mark.line,
                         is_unix ? " has this path, too; choose another"
                                 : " has this address and port, too; choose "
                                   "another"));
        return;
      }
    }
  }

  const std::vector<std::string>& flag_names_;
  std::vector<ConfigProblem>& problems_;
};

}  // namespace

bool IsCommandLineOnly(absl::string_view flag) {
  return flag == "config" || flag == "check_config" || flag == "check_health" ||
         flag == "check_health_service";
}

std::string FlagText(absl::string_view name, absl::string_view text) {
  const bool api =
      (name == "mode" && absl::ConsumePrefix(&text, "MODE_")) ||
      (name == kStateField && absl::ConsumePrefix(&text, "STATE_"));
  return api ? absl::AsciiStrToLower(text) : std::string(text);
}

ConfigFile ParseConfigFile(absl::string_view text,
                           const std::vector<std::string>& flag_names,
                           std::vector<ConfigProblem>& problems) {
  const std::optional<YamlNode> root = ReadYaml(text, problems);
  if (!root.has_value()) return {};
  return Parser(flag_names, problems).Parse(*root);
}

absl::StatusOr<std::string> ReadConfigText(const std::string& path) {
  const auto error = [](absl::string_view what) {
    return absl::InvalidArgumentError(what);
  };
  // Without O_NONBLOCK, opening a FIFO would wait for a writer.
  const UniqueFd file(
      open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) {
    return error(absl::StrCat("cannot be opened: ", std::strerror(errno)));
  }
  struct stat status = {};
  if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return error("is not a regular file");
  }
  std::string text;
  char buffer[16 * 1024];
  while (text.size() <= kMostYamlBytes) {
    const ssize_t size = read(file.get(), buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      return error(absl::StrCat("cannot be read: ", std::strerror(errno)));
    }
    if (size == 0) break;
    text.append(buffer, static_cast<std::size_t>(size));
  }
  return text;
}

}  // namespace echod
