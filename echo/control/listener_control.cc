// SPDX-License-Identifier: Apache-2.0

#include "echo/control/listener_control.h"

namespace echod {

ListenerSettings MergeSettings(ListenerSettings settings,
                               const ListenerUpdate& update) {
  if (update.mode) settings.mode = *update.mode;
  if (update.max_connections) {
    settings.max_connections = *update.max_connections;
  }
  if (update.max_connections_per_address) {
    settings.max_connections_per_address = *update.max_connections_per_address;
  }
  if (update.max_line_bytes) settings.max_line_bytes = *update.max_line_bytes;
  if (update.max_buffered_bytes) {
    settings.max_buffered_bytes = *update.max_buffered_bytes;
  }
  if (update.idle_timeout) settings.idle_timeout = *update.idle_timeout;
  if (update.max_connection_age) {
    settings.max_connection_age = *update.max_connection_age;
  }
  if (update.write_stall_timeout) {
    settings.write_stall_timeout = *update.write_stall_timeout;
  }
  if (update.backlog) settings.backlog = *update.backlog;
  return settings;
}

}  // namespace echod
