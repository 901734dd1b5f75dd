// SPDX-License-Identifier: Apache-2.0

#include "echo/control/connection_fields.h"

namespace echod {

std::int64_t NumberOf(const ConnectionFields& connection,
                      ConnectionField field) {
  switch (field) {
    case ConnectionField::kName:
      return static_cast<std::int64_t>(connection.number());
    case ConnectionField::kListenerGeneration:
      return connection.listener_generation();
    case ConnectionField::kWorker:
      return connection.worker();
    case ConnectionField::kState:
      return static_cast<std::int64_t>(connection.state());
    case ConnectionField::kBytesReceived:
      return connection.bytes_received();
    case ConnectionField::kBytesSent:
      return connection.bytes_sent();
    case ConnectionField::kBytesBuffered:
      return connection.bytes_buffered();
    case ConnectionField::kLinesEchoed:
      return connection.lines_echoed();
    case ConnectionField::kReadingPaused:
      return connection.reading_paused() ? 1 : 0;
    case ConnectionField::kCreateTime:
    case ConnectionField::kLastActiveTime:
    case ConnectionField::kAge:
    case ConnectionField::kIdle:
    case ConnectionField::kListener:
    case ConnectionField::kRemoteAddress:
    case ConnectionField::kLocalAddress:
      break;
  }
  return 0;
}

}  // namespace echod
