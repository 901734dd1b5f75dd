// SPDX-License-Identifier: Apache-2.0

#include "admin/service/setting_conversion.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "admin/service/duration_conversion.h"
#include "echo/base/check.h"
#include "echo/base/named_values.h"
#include "echo/control/control_error.h"
#include "echo/control/echo_mode.h"

namespace echod {
namespace {

using admin::v1::Listener;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Reflection;

const FieldDescriptor& FieldOf(const Setting& setting) {
  const FieldDescriptor* const field =
      Listener::descriptor()->FindFieldByName(std::string(setting.name));
  ECHOD_CHECK(field != nullptr);
  return *field;
}

// What the values of an enum begin with, such as `MODE_`.
std::string ValuePrefix(const EnumDescriptor& type) {
  const std::string first(type.value(0)->name());
  return std::string(absl::StripSuffix(first, "UNSPECIFIED"));
}

std::string ValueName(const EnumDescriptor& type, absl::string_view mode) {
  return absl::StrCat(ValuePrefix(type), absl::AsciiStrToUpper(mode));
}

absl::Status UnknownMode(const Setting& setting, const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (const EchoModeRow& mode : kEchoModes) {
    names.push_back(ValueName(type, mode.name));
  }
  return InvalidFieldError(
      absl::StrCat("listener.", setting.name),
      absl::StrCat("choose ", JoinedWithOr(names), ", or leave the ",
                   setting.name, " out of update_mask"));
}

// One field of one listener, to be written.
struct FieldWriter {
  Listener& listener;
  const FieldDescriptor& field;

  const Reflection& reflection() const { return *Listener::GetReflection(); }

  void Write(int value) const {
    reflection().SetInt32(&listener, &field, value);
  }
  void Write(std::int64_t value) const {
    reflection().SetInt64(&listener, &field, value);
  }
  void Write(absl::Duration value) const {
    reflection().MutableMessage(&listener, &field)->CopyFrom(ToProto(value));
  }
  void Write(EchoMode value) const {
    const EnumDescriptor& type = *field.enum_type();
    const EnumValueDescriptor* const written =
        type.FindValueByName(ValueName(type, NameOf(kEchoModes, value)));
    ECHOD_CHECK(written != nullptr);
    reflection().SetEnum(&listener, &field, written);
  }
};

// One field of one listener, to be read.
struct FieldReader {
  const Listener& listener;
  const FieldDescriptor& field;
  const Setting& setting;

  const Reflection& reflection() const { return *Listener::GetReflection(); }
  bool IsSet() const { return reflection().HasField(listener, &field); }

  absl::StatusOr<int> Read(const BoundedSetting<int>& kind) const {
    if (!IsSet()) return ListenerSettings().*kind.member;
    return reflection().GetInt32(listener, &field);
  }
  absl::StatusOr<std::int64_t> Read(
      const BoundedSetting<std::int64_t>& kind) const {
    if (!IsSet()) return ListenerSettings().*kind.member;
    return reflection().GetInt64(listener, &field);
  }
  absl::StatusOr<absl::Duration> Read(
      const BoundedSetting<absl::Duration>& kind) const {
    if (!IsSet()) return ListenerSettings().*kind.member;
    google::protobuf::Duration duration;
    duration.CopyFrom(reflection().GetMessage(listener, &field));
    return ParseDuration(duration, absl::StrCat("listener.", setting.name));
  }
  absl::StatusOr<EchoMode> Read(const ModeSetting& /*kind*/) const {
    const EnumDescriptor& type = *field.enum_type();
    const int number = reflection().GetEnumValue(listener, &field);
    for (const EchoModeRow& mode : kEchoModes) {
      const EnumValueDescriptor* const value =
          type.FindValueByName(ValueName(type, mode.name));
      if (value != nullptr && value->number() == number) return mode.value;
    }
    return UnknownMode(setting, type);
  }
};

}  // namespace

void SettingsToProto(const ListenerSettings& settings, Listener& listener) {
  for (const Setting& setting : SettingsTable()) {
    const FieldWriter writer = {.listener = listener,
                                .field = FieldOf(setting)};
    std::visit([&](auto member) { writer.Write(settings.*member); },
               MemberOf(setting));
  }
}

bool HasSetting(const Setting& setting, const Listener& listener) {
  return Listener::GetReflection()->HasField(listener, &FieldOf(setting));
}

absl::Status SettingFromProto(const Setting& setting, const Listener& listener,
                              SettingsUpdate& update) {
  const FieldReader reader = {
      .listener = listener, .field = FieldOf(setting), .setting = setting};
  return std::visit(
      [&](const auto& kind) {
        const auto value = reader.Read(kind);
        if (value.ok()) update.Set(kind.member, *value);
        return value.status();
      },
      setting.kind);
}

}  // namespace echod
