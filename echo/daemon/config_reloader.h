// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_DAEMON_CONFIG_RELOADER_H_
#define ECHO_DAEMON_CONFIG_RELOADER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/control/config_reloads.h"
#include "echo/control/listener_control.h"
#include "echo/daemon/config_loader.h"
#include "echo/daemon/flags.h"

namespace echod {

// Reads the configuration file again, when it is asked to or when the file
// changes, and makes the running listeners those of the file: all of the
// difference, or nothing. On a thread of its own, since a disk may hang.
//
// The listeners that the file names become what it says, whoever has changed
// them since. Those that it no longer names are deleted, and their connections
// continue. Listeners that it has never named, which were created over the API,
// stay. What cannot change while echod runs fails the reload.
class ConfigReloader {
 public:
  struct Options {
    std::unique_ptr<ConfigLoader> loader;
    DaemonConfig config;         // what `loader` has loaded, and now runs
    ListenerControl* listeners;  // outlives the reloader, as the following do
    ConfigReloads* reloads;
    Clock* clock;
    // Called on the reloader's thread with a configuration that has been
    // applied.
    std::function<void(const DaemonConfig&)> on_reloaded;
    bool watch = false;
    // A changed file is read when it has not changed again for this time.
    absl::Duration watch_interval = absl::Milliseconds(500);
    // Changes by others can get in the way of a reload; then it is repeated.
    absl::Duration retry_interval = absl::Milliseconds(50);
  };

  // RESOURCE_EXHAUSTED if the system refuses the thread.
  static absl::StatusOr<std::unique_ptr<ConfigReloader>> Start(Options options);

  // Nothing is called any more when this returns. Does not wait for a disk.
  ~ConfigReloader();
  ConfigReloader(const ConfigReloader&) = delete;
  ConfigReloader& operator=(const ConfigReloader&) = delete;

  // Reads the file soon. Thread-safe.
  void Reload();

 private:
  class Thread;

  explicit ConfigReloader(std::shared_ptr<Thread> thread);

  const std::shared_ptr<Thread> thread_;  // shared with the thread itself
};

}  // namespace echod

#endif  // ECHO_DAEMON_CONFIG_RELOADER_H_
