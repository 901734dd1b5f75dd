// SPDX-License-Identifier: Apache-2.0

#include "echo/server/access_record.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/control/close_reason.h"
#include "echo/control/connection_info.h"

namespace echod {
namespace {

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

absl::string_view KindName(SessionEvent::Kind kind) {
  switch (kind) {
    case SessionEvent::Kind::kOpened:
      return "opened";
    case SessionEvent::Kind::kPaused:
      return "paused";
    case SessionEvent::Kind::kResumed:
      return "resumed";
    case SessionEvent::Kind::kClosed:
      return "closed";
  }
  return "";
}

absl::string_view StateName(ConnectionInfo::State state) {
  switch (state) {
    case ConnectionInfo::State::kOpen:
      return "STATE_OPEN";
    case ConnectionInfo::State::kRemoteHalfClosed:
      return "STATE_REMOTE_HALF_CLOSED";
    case ConnectionInfo::State::kDraining:
      return "STATE_DRAINING";
    case ConnectionInfo::State::kClosing:
      return "STATE_CLOSING";
  }
  return "";
}

}  // namespace

std::string AccessRecord(const SessionEvent& event) {
  const ConnectionInfo info = ToInfo(event.connection);
  nlohmann::ordered_json json;
  json["time"] = TimeText(WallTimeOf(event));
  json["event"] = std::string(KindName(event.kind));
  if (event.kind == SessionEvent::Kind::kClosed) {
    json["reason"] = std::string(CloseReasonName(event.reason));
  }
  json["name"] = absl::StrCat("connections/", info.number);
  json["listener"] = absl::StrCat("listeners/", info.listener_id);
  json["listener_generation"] = info.listener_generation;
  json["worker"] = info.worker;
  json["state"] = std::string(StateName(info.state));
  json["remote_address"] = info.remote_address;
  json["local_address"] = info.local_address;
  if (const auto& peer = info.peer_credentials; peer.has_value()) {
    json["peer_credentials"] = {
        {"pid", peer->pid}, {"uid", peer->uid}, {"gid", peer->gid}};
  }
  json["create_time"] = TimeText(info.create_time);
  json["last_active_time"] = TimeText(info.last_active_time);
  json["bytes_received"] = info.bytes_received;
  json["bytes_sent"] = info.bytes_sent;
  json["bytes_buffered"] = info.bytes_buffered;
  json["lines_echoed"] = info.lines_echoed;
  json["reading_paused"] = info.reading_paused;
  return json.dump(-1, ' ', /*ensure_ascii=*/true,
                   nlohmann::ordered_json::error_handler_t::replace) +
         "\n";
}

}  // namespace echod
