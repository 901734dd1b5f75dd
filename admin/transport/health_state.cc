// SPDX-License-Identifier: Apache-2.0

#include "admin/transport/health_state.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "echo/base/socket_address.h"

namespace echod {
namespace {

constexpr absl::string_view kListenerPrefix = "echod.listener/";

std::string ToText(const ListenerPlace& place) {
  const absl::StatusOr<SocketAddress> address = SocketAddress::FromHost(
      place.address, static_cast<std::uint16_t>(place.port));
  return address.ok() ? address->ToString() : place.address;  // unix:/path
}

const ListenerInfo* Find(const ListenerSnapshot& listeners,
                         absl::string_view id) {
  const auto found =
      std::find_if(listeners.listeners.begin(), listeners.listeners.end(),
                   [id](const ListenerInfo& each) { return each.id == id; });
  return found == listeners.listeners.end() ? nullptr : &*found;
}

// What keeps those from the listener who look for it where the configuration
// has it, or at the port, if one is given. Each pointer may be null.
std::string ProblemOfOne(absl::string_view id, const ListenerInfo* listener,
                         const ListenerPlace* configured,
                         std::optional<int> port) {
  const auto say = [id](const auto&... what) {
    return absl::StrCat("listener ", id, " ", what...);
  };
  if (listener == nullptr) return say("has been deleted");
  if (listener->state == ListenerInfo::State::kPaused) return say("is paused");
  if (listener->state == ListenerInfo::State::kDraining) {
    return say("has closed");
  }
  // Who lets the kernel choose the port has to ask for it in any case.
  const bool elsewhere =
      configured != nullptr && (listener->address != configured->address ||
                                (!port.has_value() && configured->port != 0 &&
                                 listener->bound_port != configured->port));
  if (elsewhere) {
    return say("accepts on ", listener->bound_address,
               ", and not, as configured, on ", ToText(*configured));
  }
  if (port.has_value() && listener->bound_port != *port) {
    return say("accepts on ", listener->bound_address, ", and not on port ",
               *port);
  }
  return "";
}

}  // namespace

HealthState::Problems HealthState::Read() const {
  const MutexLock lock(mutex_);
  return {.live = failed_, .serving = Unserving(), .ready = UnreadyForAny()};
}

std::optional<std::string> HealthState::ProblemOf(
    absl::string_view service) const {
  const MutexLock lock(mutex_);
  if (service.empty() || service == "echod.admin.v1.AdminService") {
    return Unserving();
  }
  if (service == "liveness") return failed_;
  if (service == "readiness") return UnreadyForAny();
  if (absl::ConsumePrefix(&service, kListenerPrefix)) {
    return ProblemOfListener(service);
  }
  return std::nullopt;
}

std::string HealthState::Unready() const {
  if (!failed_.empty()) return failed_;
  switch (stage_) {
    case Stage::kStarting:
      return "echod is starting";
    case Stage::kServing:
    case Stage::kLeaving:
      return "";
    case Stage::kDraining:
      return "echod is draining";
    case Stage::kStopped:
      return "echod has stopped";
  }
  return "";
}

std::string HealthState::Unserving() const {
  std::string problem = Unready();
  if (problem.empty() && stage_ == Stage::kLeaving) return "echod is draining";
  return problem;
}

std::string HealthState::UnreadyForAny() const {
  std::string problem = Unready();
  if (!problem.empty()) return problem;
  for (const auto& [id, place] : listeners_.configured) {
    problem = ProblemOfOne(id, Find(listeners_, id), &place, std::nullopt);
    if (!problem.empty()) return problem;
  }
  return "";
}

std::optional<std::string> HealthState::ProblemOfListener(
    absl::string_view name) const {
  std::optional<int> port;
  const std::size_t colon = name.find(':');
  if (colon != absl::string_view::npos) {
    int number = 0;
    if (!absl::SimpleAtoi(name.substr(colon + 1), &number)) return std::nullopt;
    port = number;
    name = name.substr(0, colon);
  }
  const ListenerInfo* const listener = Find(listeners_, name);
  const auto configured = listeners_.configured.find(std::string(name));
  const bool has_place = configured != listeners_.configured.end();
  if (listener == nullptr && !has_place) return std::nullopt;
  std::string problem = Unready();
  if (!problem.empty()) return problem;
  return ProblemOfOne(name, listener, has_place ? &configured->second : nullptr,
                      port);
}

void HealthState::SetServing() {
  const MutexLock lock(mutex_);
  stage_ = Stage::kServing;
}

void HealthState::SetDraining(bool ready) {
  const MutexLock lock(mutex_);
  if (stage_ >= Stage::kLeaving) return;
  stage_ = ready ? Stage::kLeaving : Stage::kDraining;
}

void HealthState::SetStopped() {
  const MutexLock lock(mutex_);
  stage_ = Stage::kStopped;
}

void HealthState::SetFailed(std::string why) {
  const MutexLock lock(mutex_);
  if (failed_.empty()) failed_ = std::move(why);
}

void HealthState::SetListeners(ListenerSnapshot listeners) {
  const MutexLock lock(mutex_);
  listeners_ = std::move(listeners);
}

}  // namespace echod
