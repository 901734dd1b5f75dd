// SPDX-License-Identifier: Apache-2.0

#include "admin/service/listener_requests.h"

#include <initializer_list>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "echo/control/control_error.h"
#include "echo/control/listener_settings.h"
#include "echo/testing/unusual_settings.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using admin::v1::CreateListenerRequest;
using admin::v1::DeleteListenerRequest;
using admin::v1::UpdateListenerRequest;

UpdateListenerRequest Request(std::initializer_list<const char*> mask = {}) {
  UpdateListenerRequest request;
  request.mutable_listener()->set_name("listeners/default");
  for (const char* path : mask) request.mutable_update_mask()->add_paths(path);
  return request;
}

std::string Field(const UpdateListenerRequest& request) {
  const absl::Status status = ParseListenerUpdate(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return GetErrorDetail(status).field;
}

TEST(ListenerUpdateTest, WithoutAMaskTakesEveryFieldThatIsSet) {
  UpdateListenerRequest request = Request();
  request.mutable_listener()->set_port(0);
  request.mutable_listener()->set_max_connections(0);
  request.mutable_listener()->set_bound_port(1234);  // output only: passed over
  request.mutable_listener()->set_etag("abc");
  const absl::StatusOr<ListenerUpdate> update = ParseListenerUpdate(request);
  ASSERT_TRUE(update.ok()) << update.status();
  EXPECT_EQ(update->id, "default");
  EXPECT_EQ(update->etag, "abc");
  EXPECT_EQ(update->port, 0);
  EXPECT_FALSE(update->address.has_value());
  ListenerSettings changed = UnusualSettings();
  changed.max_connections = 0;
  EXPECT_EQ(update->settings.ApplyTo(UnusualSettings()), changed);
}

TEST(ListenerUpdateTest, WithAMaskTakesThoseFieldsAndTheirDefaults) {
  UpdateListenerRequest request = Request({"max_line_bytes", "idle_timeout"});
  request.mutable_listener()->set_port(1234);
  request.mutable_listener()->mutable_idle_timeout()->set_seconds(50);
  const absl::StatusOr<ListenerUpdate> update = ParseListenerUpdate(request);
  ASSERT_TRUE(update.ok()) << update.status();
  EXPECT_FALSE(update->port.has_value());
  ListenerSettings changed = UnusualSettings();
  changed.max_line_bytes = ListenerSettings().max_line_bytes;
  changed.idle_timeout = absl::Seconds(50);
  EXPECT_EQ(update->settings.ApplyTo(UnusualSettings()), changed);
}

TEST(ListenerUpdateTest, AStarIsEveryFieldThatCanBeChanged) {
  UpdateListenerRequest request = Request({"*"});
  request.mutable_listener()->set_address("::1");
  request.mutable_listener()->set_mode(admin::v1::Listener::MODE_LINE);
  EXPECT_EQ(Field(request), "listener.port");
  request.mutable_listener()->set_port(0);
  const absl::StatusOr<ListenerUpdate> update = ParseListenerUpdate(request);
  ASSERT_TRUE(update.ok()) << update.status();
  EXPECT_EQ(update->address, "::1");
  EXPECT_EQ(update->port, 0);
  EXPECT_EQ(update->settings.ApplyTo(UnusualSettings()), ListenerSettings());
}

TEST(ListenerUpdateTest, SaysWhatModesThereAre) {
  const char kChoice[] =
      "choose MODE_LINE or MODE_RAW, or leave the mode out of update_mask";
  UpdateListenerRequest request = Request({"mode"});
  EXPECT_EQ(ParseListenerUpdate(request).status().message(), kChoice);
  request = Request();
  request.mutable_listener()->set_mode(
      static_cast<admin::v1::Listener::Mode>(99));
  EXPECT_EQ(ParseListenerUpdate(request).status().message(), kChoice);
}

TEST(ListenerUpdateTest, RefusesPathsThatCannotBeChanged) {
  for (const char* path : {"name", "bound_port", "state", "generation", "etag",
                           "create_time", "nothing", "port.low", ""}) {
    EXPECT_EQ(Field(Request({path})), "update_mask") << path;
  }
}

TEST(ListenerUpdateTest, NamesTheFieldAtFault) {
  UpdateListenerRequest request = Request();
  request.mutable_listener()->set_name("default");
  EXPECT_EQ(Field(request), "listener.name");
  EXPECT_EQ(Field(Request({"mode"})), "listener.mode");
  EXPECT_EQ(Field(Request({"address"})), "listener.address");
  EXPECT_EQ(Field(Request({"port"})), "listener.port");
  request = Request();
  request.mutable_listener()->mutable_idle_timeout()->set_seconds(-1);
  EXPECT_EQ(Field(request), "listener.idle_timeout");
  request = Request();
  request.mutable_listener()->mutable_max_connection_age()->set_nanos(-1);
  EXPECT_EQ(Field(request), "listener.max_connection_age");
  request = Request();
  request.mutable_listener()->mutable_write_stall_timeout()->set_seconds(-1);
  EXPECT_EQ(Field(request), "listener.write_stall_timeout");
  request = Request();
  request.mutable_drain()->mutable_timeout()->set_nanos(-1);
  EXPECT_EQ(Field(request), "drain.timeout");
  request = Request();
  request.mutable_drain()->mutable_spread()->set_seconds(-1);
  EXPECT_EQ(Field(request), "drain.spread");
  request.mutable_drain()->mutable_spread()->set_seconds(24 * 3600 + 1);
  EXPECT_EQ(Field(request), "drain.spread");
  request.mutable_drain()->mutable_spread()->set_seconds(24 * 3600);
  EXPECT_TRUE(ParseListenerUpdate(request).ok());
  request.mutable_drain()->mutable_timeout()->set_seconds(365 * 24 * 3600 + 1);
  EXPECT_EQ(Field(request), "drain.timeout");
  request = Request();
  request.mutable_drain()->set_mode(
      static_cast<admin::v1::DrainPolicy::Mode>(99));
  EXPECT_EQ(Field(request), "drain.mode");
}

TEST(ListenerUpdateTest, ReadsTheDrainPolicy) {
  UpdateListenerRequest request = Request();
  EXPECT_EQ(ParseListenerUpdate(request)->drain.mode, DrainPolicy::Mode::kKeep);
  request.mutable_drain()->set_mode(admin::v1::DrainPolicy::MODE_GRACEFUL);
  request.mutable_drain()->mutable_timeout()->set_seconds(3);
  request.mutable_drain()->mutable_spread()->set_seconds(9);
  const absl::StatusOr<ListenerUpdate> update = ParseListenerUpdate(request);
  ASSERT_TRUE(update.ok()) << update.status();
  EXPECT_EQ(update->drain.mode, DrainPolicy::Mode::kGraceful);
  EXPECT_EQ(update->drain.timeout, absl::Seconds(3));
  EXPECT_EQ(update->drain.spread, absl::Seconds(9));
}

TEST(ListenerUpdateTest, TheListenersFieldsAreTheRequests) {
  EXPECT_EQ(
      GetErrorDetail(ListenerFieldError(InvalidFieldError("port", "no"))).field,
      "listener.port");
  EXPECT_EQ(GetErrorDetail(ListenerFieldError(ServerDrainingError())).field,
            "");
}

TEST(ListenerCreationTest, SettingsThatAreNotSetGetTheirDefaults) {
  CreateListenerRequest request;
  request.set_listener_id("blue");
  request.set_validate_only(true);
  request.mutable_listener()->set_name("listeners/ignored");
  request.mutable_listener()->set_address("::1");
  request.mutable_listener()->set_port(0);
  request.mutable_listener()->set_mode(admin::v1::Listener::MODE_RAW);
  request.mutable_listener()->set_max_connections(5);
  request.mutable_listener()->mutable_idle_timeout()->set_seconds(50);
  const absl::StatusOr<ListenerCreation> creation =
      ParseListenerCreation(request);
  ASSERT_TRUE(creation.ok()) << creation.status();
  EXPECT_EQ(creation->id, "blue");
  EXPECT_EQ(creation->address, "::1");
  EXPECT_EQ(creation->port, 0);
  EXPECT_TRUE(creation->validate_only);
  ListenerSettings settings;
  settings.mode = EchoMode::kRaw;
  settings.max_connections = 5;
  settings.idle_timeout = absl::Seconds(50);
  EXPECT_EQ(creation->settings, settings);
}

TEST(ListenerCreationTest, TellsWhichFieldIsWrong) {
  const auto field = [](const CreateListenerRequest& request) {
    return GetErrorDetail(ParseListenerCreation(request).status()).field;
  };
  CreateListenerRequest request;
  EXPECT_EQ(field(request), "listener.address");
  request.mutable_listener()->set_address("::1");
  EXPECT_EQ(field(request), "listener.port");
  request.mutable_listener()->set_port(0);
  request.mutable_listener()->mutable_idle_timeout()->set_nanos(-1);
  EXPECT_EQ(field(request), "listener.idle_timeout");
}

TEST(ListenerCreationTest, APathHasNoPort) {
  CreateListenerRequest request;
  request.mutable_listener()->set_address("unix:/run/a");
  const absl::StatusOr<ListenerCreation> creation =
      ParseListenerCreation(request);
  ASSERT_TRUE(creation.ok()) << creation.status();
  EXPECT_EQ(creation->address, "unix:/run/a");
  EXPECT_EQ(creation->port, 0);
  request.mutable_listener()->set_port(0);
  EXPECT_EQ(GetErrorDetail(ParseListenerCreation(request).status()).field,
            "listener.port");
}

TEST(ListenerDeletionTest, TakesEverything) {
  DeleteListenerRequest request;
  request.set_name("listeners/blue");
  request.set_etag("abc");
  request.set_validate_only(true);
  request.mutable_drain()->set_mode(admin::v1::DrainPolicy::MODE_GRACEFUL);
  request.mutable_drain()->mutable_spread()->set_seconds(60);
  const absl::StatusOr<ListenerDeletion> deletion =
      ParseListenerDeletion(request);
  ASSERT_TRUE(deletion.ok()) << deletion.status();
  EXPECT_EQ(deletion->id, "blue");
  EXPECT_EQ(deletion->etag, "abc");
  EXPECT_TRUE(deletion->validate_only);
  EXPECT_EQ(deletion->drain.mode, DrainPolicy::Mode::kGraceful);
  EXPECT_EQ(deletion->drain.spread, absl::Minutes(1));
}

TEST(ListenerDeletionTest, TellsWhichFieldIsWrong) {
  const auto field = [](const DeleteListenerRequest& request) {
    return GetErrorDetail(ParseListenerDeletion(request).status()).field;
  };
  DeleteListenerRequest request;
  request.set_name("connections/1");
  EXPECT_EQ(field(request), "name");
  request.set_name("listeners/blue");
  request.mutable_drain()->mutable_timeout()->set_seconds(-1);
  EXPECT_EQ(field(request), "drain.timeout");
}

TEST(ListenerFieldErrorTest, NamesTheFieldOfTheRequest) {
  const auto renamed = [](const char* field) {
    return GetErrorDetail(ListenerFieldError(InvalidFieldError(field, "wrong")))
        .field;
  };
  EXPECT_EQ(renamed("port"), "listener.port");
  EXPECT_EQ(renamed("id"), "listener_id");
}

}  // namespace
}  // namespace echod
