// SPDX-License-Identifier: Apache-2.0

#include "echo/control/audit_record.h"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/time/time.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_control.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

AuditRecord Record() {
  return {.peer = "127.0.0.1:5000",
          .method = "CloseConnection",
          .resource = "connections/7",
          .request = R"({"name":"connections/7","mode":"MODE_RESET"})",
          .changes = {}};
}

TEST(AuditRecordTest, TellsWhoDidWhatWithItsOutcome) {
  EXPECT_EQ(
      AuditText(Record(), absl::OkStatus()),
      R"({"peer":"127.0.0.1:5000","method":"CloseConnection",)"
      R"("resource":"connections/7",)"
      R"("request":{"name":"connections/7","mode":"MODE_RESET"},"code":"OK"})");
}

TEST(AuditRecordTest, AFailureHasItsReasonAndMessage) {
  const auto json = nlohmann::json::parse(
      AuditText(Record(), ControlError(absl::StatusCode::kAborted, "too late",
                                       {.reason = "ETAG_MISMATCH"})));
  EXPECT_EQ(json["code"], "ABORTED");
  EXPECT_EQ(json["reason"], "ETAG_MISMATCH");
  EXPECT_EQ(json["message"], "too late");
}

TEST(AuditRecordTest, ListsWhatChangedBeforeAndAfter) {
  ListenerInfo before = {.id = "default", .address = "::", .port = 8080};
  ListenerInfo after = before;
  after.port = 0;
  after.bound_port = 9090;
  after.settings.idle_timeout = absl::Seconds(90);
  after.generation = 2;
  after.state = ListenerInfo::State::kPaused;
  AuditRecord record = Record();
  record.changes = ListenerChanges(before, after);
  const auto json = nlohmann::json::parse(AuditText(record, absl::OkStatus()));
  EXPECT_EQ(json["changes"], nlohmann::json::parse(R"({
                "port": {"before": "8080", "after": "0"},
                "bound_port": {"before": "0", "after": "9090"},
                "state": {"before": "active", "after": "paused"},
                "idle_timeout": {"before": "0", "after": "1m30s"}})"));
  EXPECT_TRUE(ListenerChanges(after, after).empty());
}

TEST(AuditRecordTest, HostileTextStaysInItsMember) {
  const std::string hostile =
      "\"},\"code\":\"OK\n\x1b[31m\x7f\xff \xd8\xa7 \xe2\x80\xae";
  AuditRecord record = Record();
  record.resource = hostile;
  record.peer = hostile;
  record.request = "{\"name\": \"" + hostile;  // not JSON
  const std::string text =
      AuditText(record, InvalidFieldError("name", hostile));
  for (const char& byte : text) {
    EXPECT_TRUE(absl::ascii_isprint(static_cast<unsigned char>(byte))) << text;
  }
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["code"], "INVALID_ARGUMENT");
  EXPECT_TRUE(json["request"].is_string());
  EXPECT_EQ(json.size(), 7u);
  EXPECT_FALSE(json.contains("truncated"));
}

// Bytes of each kind that JSON escapes, and of none.
TEST(AuditRecordTest, IsBoundedAndStillJson) {
  for (const std::string& unit :
       {std::string("x"), std::string("\""), std::string(1, '\0'),
        std::string("\xff"), std::string("\xf0\x9f\x98\x80")}) {
    std::string lots;
    while (lots.size() < 65536) lots += unit;
    AuditRecord record = {
        .peer = lots,
        .method = "UpdateListener",
        .resource = lots,
        .request = nlohmann::json({{"name", std::string(9999, 'n')}}).dump(),
        .changes = {}};
    for (int i = 0; i < 100; ++i) {
      record.changes.push_back({.field = "field" + std::to_string(i),
                                .before = lots,
                                .after = lots});
    }
    const std::string text = AuditText(record, InvalidFieldError("name", lots));
    EXPECT_LE(text.size(), kMostAuditBytes);
    EXPECT_GT(text.size(), kMostAuditBytes / 8);
    EXPECT_EQ(nlohmann::json::parse(text)["truncated"], true);
  }
}

}  // namespace
}  // namespace echod
