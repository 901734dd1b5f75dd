// SPDX-License-Identifier: Apache-2.0

#include "admin/transport/health_state.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "echo/control/listener_control.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using State = ListenerInfo::State;

ListenerInfo ListenerOn(int port, State state = State::kActive) {
  return {.id = "a",
          .address = "::",
          .port = port,
          .bound_port = port,
          .bound_address = absl::StrCat("[::]:", port),
          .state = state};
}

// A server of which the configuration has listener a on [::]:8080.
class HealthStateTest : public ::testing::Test {
 protected:
  void Show(ListenerInfo info) {
    state_.SetListeners(
        {.listeners = {std::move(info)}, .configured = {{"a", {"::", 8080}}}});
  }
  // "?": there is no such service.
  std::string Problem(const std::string& service) {
    return state_.ProblemOf(service).value_or("?");
  }
  void ExpectReadiness(const std::string& problem) {
    EXPECT_EQ(state_.Read().ready, problem);
    EXPECT_EQ(Problem("readiness"), problem);
    EXPECT_EQ(Problem("echod.listener/a"), problem);
  }

  HealthState state_;
};

TEST_F(HealthStateTest, AtTheStart) {
  Show(ListenerOn(8080));
  ExpectReadiness("echod is starting");
  EXPECT_EQ(Problem(""), "echod is starting");
  EXPECT_EQ(Problem("liveness"), "");
  state_.SetServing();
  for (const char* service :
       {"", "echod.admin.v1.AdminService", "liveness", "readiness",
        "echod.listener/a", "echod.listener/a:8080"}) {
    EXPECT_EQ(Problem(service), "") << service;
  }
}

TEST_F(HealthStateTest, AListenerThatHasLeftItsPort) {
  state_.SetServing();
  Show(ListenerOn(9090));
  ExpectReadiness(
      "listener a accepts on [::]:9090, and not, as configured, on [::]:8080");
  EXPECT_EQ(Problem("echod.listener/a:8080"),
            "listener a accepts on [::]:9090, and not on port 8080");
  // Who asks for a port has it from elsewhere than from the configuration.
  EXPECT_EQ(Problem("echod.listener/a:9090"), "");
  EXPECT_EQ(Problem(""), "");
  EXPECT_EQ(Problem("liveness"), "");
  Show(ListenerOn(8080));
  ExpectReadiness("");
}

TEST_F(HealthStateTest, AListenerThatHasLeftItsAddress) {
  state_.SetServing();
  ListenerInfo info = ListenerOn(8080);
  info.address = "127.0.0.1";
  info.bound_address = "127.0.0.1:8080";
  Show(info);
  const std::string problem =
      "listener a accepts on 127.0.0.1:8080, and not, as configured, on "
      "[::]:8080";
  ExpectReadiness(problem);
  EXPECT_EQ(Problem("echod.listener/a:8080"), problem);
}

TEST_F(HealthStateTest, AnyPortIsThatOfTheKernelsChoice) {
  state_.SetServing();
  ListenerInfo info = ListenerOn(41234);
  info.port = 0;
  state_.SetListeners(
      {.listeners = {info}, .configured = {{"a", {.address = "::"}}}});
  ExpectReadiness("");
  EXPECT_EQ(Problem("echod.listener/a:41234"), "");
  EXPECT_NE(Problem("echod.listener/a:41235"), "");
}

TEST_F(HealthStateTest, AListenerThatDoesNotAccept) {
  state_.SetServing();
  Show(ListenerOn(8080, State::kPaused));
  ExpectReadiness("listener a is paused");
  Show(ListenerOn(8080, State::kDraining));
  ExpectReadiness("listener a has closed");
  state_.SetListeners({.listeners = {}, .configured = {{"a", {"::", 8080}}}});
  ExpectReadiness("listener a has been deleted");
  EXPECT_EQ(Problem(""), "");
}

TEST_F(HealthStateTest, ListenersThatTheConfigurationDoesNotName) {
  state_.SetServing();
  state_.SetListeners(
      {.listeners = {ListenerOn(7, State::kPaused)}, .configured = {}});
  EXPECT_EQ(Problem("readiness"), "");
  EXPECT_EQ(Problem("echod.listener/a"), "listener a is paused");
  state_.SetListeners({.listeners = {ListenerOn(7)}, .configured = {}});
  EXPECT_EQ(Problem("echod.listener/a"), "");
  EXPECT_EQ(Problem("echod.listener/a:7"), "");
  EXPECT_EQ(Problem("echod.listener/a:8"),
            "listener a accepts on [::]:7, and not on port 8");
}

TEST_F(HealthStateTest, UnknownServices) {
  state_.SetServing();
  Show(ListenerOn(8080));
  for (const char* service :
       {"a", "ready", "echod.listener", "echod.listener/", "echod.listener/b",
        "echod.listener/b:8080", "echod.listener/a:", "echod.listener/a:echo",
        "echod.listener/a:8080:1", "listeners/a"}) {
    EXPECT_EQ(Problem(service), "?") << service;
  }
}

TEST_F(HealthStateTest, ADrainThatClientsLearnOfElsewhereKeepsReadiness) {
  state_.SetServing();
  Show(ListenerOn(8080));
  state_.SetDraining(/*ready=*/true);
  EXPECT_EQ(Problem(""), "echod is draining");
  EXPECT_EQ(Problem("echod.admin.v1.AdminService"), "echod is draining");
  EXPECT_EQ(state_.Read().serving, "echod is draining");
  ExpectReadiness("");
  EXPECT_EQ(Problem("liveness"), "");
  Show(ListenerOn(8080, State::kDraining));
  ExpectReadiness("listener a has closed");
}

TEST_F(HealthStateTest, NothingIsReadyAtTheEnd) {
  state_.SetServing();
  Show(ListenerOn(8080));
  state_.SetDraining(/*ready=*/true);
  state_.SetStopped();
  state_.SetDraining(/*ready=*/true);
  ExpectReadiness("echod has stopped");
  EXPECT_EQ(Problem(""), "echod has stopped");
  EXPECT_EQ(Problem("liveness"), "");
}

TEST_F(HealthStateTest, ADrainByAnOperatorEndsReadiness) {
  state_.SetServing();
  Show(ListenerOn(8080));
  state_.SetDraining(/*ready=*/false);
  ExpectReadiness("echod is draining");
  EXPECT_EQ(Problem(""), "echod is draining");
  EXPECT_EQ(Problem("liveness"), "");
  state_.SetDraining(/*ready=*/true);  // SIGTERM, meanwhile
  ExpectReadiness("echod is draining");
}

TEST_F(HealthStateTest, AFailureIsTheAnswerToEverything) {
  state_.SetServing();
  Show(ListenerOn(8080));
  state_.SetFailed("worker 3 failed");
  state_.SetFailed("something that follows from it");
  state_.SetDraining(/*ready=*/true);
  ExpectReadiness("worker 3 failed");
  EXPECT_EQ(Problem("liveness"), "worker 3 failed");
  EXPECT_EQ(state_.Read().live, "worker 3 failed");
  EXPECT_EQ(Problem(""), "worker 3 failed");
}

}  // namespace
}  // namespace echod
