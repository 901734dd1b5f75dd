// SPDX-License-Identifier: Apache-2.0

#include "admin/service/proto_conversion.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "admin/service/duration_conversion.h"
#include "admin/service/resource_names.h"
#include "admin/service/setting_conversion.h"
#include "echo/base/histogram.h"
#include "echo/base/listen_address.h"
#include "echo/control/close_reason.h"
#include "echo/control/config_reloads.h"

namespace echod {
namespace {

admin::v1::Listener::State StateToProto(ListenerInfo::State state) {
  switch (state) {
    case ListenerInfo::State::kActive:
      return admin::v1::Listener::STATE_ACTIVE;
    case ListenerInfo::State::kPaused:
      return admin::v1::Listener::STATE_PAUSED;
    case ListenerInfo::State::kDraining:
      return admin::v1::Listener::STATE_DRAINING;
  }
  return admin::v1::Listener::STATE_UNSPECIFIED;
}

admin::v1::Listener::Source SourceToProto(ListenerInfo::Source source) {
  switch (source) {
    case ListenerInfo::Source::kConfig:
      return admin::v1::Listener::SOURCE_CONFIG;
    case ListenerInfo::Source::kRuntime:
      return admin::v1::Listener::SOURCE_RUNTIME;
  }
  return admin::v1::Listener::SOURCE_UNSPECIFIED;
}

admin::v1::Connection::State StateToProto(ConnectionInfo::State state) {
  switch (state) {
    case ConnectionInfo::State::kOpen:
      return admin::v1::Connection::STATE_OPEN;
    case ConnectionInfo::State::kRemoteHalfClosed:
      return admin::v1::Connection::STATE_REMOTE_HALF_CLOSED;
    case ConnectionInfo::State::kDraining:
      return admin::v1::Connection::STATE_DRAINING;
    case ConnectionInfo::State::kClosing:
      return admin::v1::Connection::STATE_CLOSING;
  }
  return admin::v1::Connection::STATE_UNSPECIFIED;
}

admin::v1::TcpInfo TcpInfoToProto(const TcpInfo& info) {
  admin::v1::TcpInfo proto;
  *proto.mutable_rtt() = ToProto(info.rtt);
  *proto.mutable_rtt_variance() = ToProto(info.rtt_variance);
  proto.set_retransmits(info.retransmits);
  proto.set_congestion_window(info.congestion_window);
  proto.set_unacked(info.unacked);
  proto.set_delivery_rate(info.delivery_rate);
  return proto;
}

// `unit` is that of the histogram's values.
admin::v1::Histogram HistogramToProto(const Histogram& histogram,
                                      absl::Duration unit,
                                      admin::v1::StatsView view) {
  const auto duration = [unit](std::uint64_t value) {
    return ToProto(unit * static_cast<std::int64_t>(value));
  };
  admin::v1::Histogram proto;
  proto.set_count(static_cast<std::int64_t>(histogram.count()));
  proto.set_sum_seconds(static_cast<double>(histogram.sum()) *
                        absl::ToDoubleSeconds(unit));
  if (histogram.count() == 0) return proto;
  *proto.mutable_p50() = duration(histogram.Percentile(50));
  *proto.mutable_p90() = duration(histogram.Percentile(90));
  *proto.mutable_p99() = duration(histogram.Percentile(99));
  *proto.mutable_p999() = duration(histogram.Percentile(99.9));
  *proto.mutable_max() = duration(histogram.Greatest());
  if (view != admin::v1::STATS_VIEW_FULL) return proto;
  histogram.ForEachBucket([&](std::uint64_t highest, std::uint64_t count) {
    admin::v1::Histogram::Bucket& bucket = *proto.add_buckets();
    *bucket.mutable_upper_bound() = duration(highest);
    bucket.set_count(static_cast<std::int64_t>(count));
  });
  return proto;
}

admin::v1::Counters CountersToProto(const Counters& counters,
                                    admin::v1::StatsView view) {
  admin::v1::Counters proto;
  proto.set_connections_accepted_total(counters.accepted);
  proto.set_connections_active(counters.active);
  auto& rejected = *proto.mutable_connections_rejected_total();
  rejected["max_connections"] = counters.rejected_max_connections;
  rejected["max_connections_per_address"] =
      counters.rejected_max_connections_per_address;
  rejected["max_total_connections"] = counters.rejected_max_total_connections;
  auto& closed = *proto.mutable_connections_closed_total();
  for (std::size_t i = 0; i < kCloseReasonCount; ++i) {
    closed[std::string(kCloseReasons[i].name)] = counters.closed[i];
  }
  proto.set_bytes_received_total(counters.bytes_received);
  proto.set_bytes_sent_total(counters.bytes_sent);
  proto.set_lines_echoed_total(counters.lines_echoed);
  proto.set_bytes_buffered(counters.bytes_buffered);
  proto.set_read_pauses_total(counters.read_pauses);
  proto.set_accept_errors_total(counters.accept_errors);
  *proto.mutable_echo_latency() =
      HistogramToProto(counters.echo_latency, absl::Nanoseconds(1), view);
  *proto.mutable_connection_duration() = HistogramToProto(
      counters.connection_duration, absl::Microseconds(1), view);
  return proto;
}

}  // namespace

admin::v1::Stats ToProto(const Stats& stats, admin::v1::StatsView view) {
  admin::v1::Stats proto;
  *proto.mutable_time() = ToProto(stats.time);
  *proto.mutable_uptime() = ToProto(stats.uptime);
  if (stats.reset_time.has_value()) {
    *proto.mutable_reset_time() = ToProto(*stats.reset_time);
  }
  *proto.mutable_total() = CountersToProto(stats.total, view);
  proto.set_log_lines_dropped_total(stats.log_lines_dropped);
  proto.set_access_log_records_dropped_total(stats.access_log_records_dropped);
  const ConfigReloads::Counts& reloads = stats.config_reloads;
  (*proto.mutable_config_reloads_total())["success"] = reloads.succeeded;
  (*proto.mutable_config_reloads_total())["failure"] = reloads.failed;
  if (reloads.last_good.has_value()) {
    *proto.mutable_config_last_reload_success_time() =
        ToProto(*reloads.last_good);
  }
  for (const auto& [id, counters] : stats.listeners) {
    (*proto.mutable_listeners())[ListenerName(id)] =
        CountersToProto(counters, view);
  }
  for (std::size_t i = 0; i < stats.workers.size(); ++i) {
    admin::v1::WorkerStats& worker = *proto.add_workers();
    worker.set_worker(static_cast<std::int32_t>(i));
    *worker.mutable_counters() = CountersToProto(stats.workers[i], view);
    if (i >= stats.loop_lag.size()) continue;
    *worker.mutable_loop_lag() =
        HistogramToProto(stats.loop_lag[i], absl::Nanoseconds(1), view);
  }
  return proto;
}

admin::v1::AdminStats ToProto(const AdminCounters& counters) {
  admin::v1::AdminStats proto;
  proto.set_connections_accepted_total(counters.accepted);
  proto.set_connections_active(counters.active);
  for (std::size_t i = 0; i < kAdminRejectionCount; ++i) {
    const absl::string_view reason =
        AdminRejectionName(static_cast<AdminRejection>(i));
    (*proto.mutable_connections_rejected_total())[std::string(reason)] =
        counters.rejected[i];
  }
  proto.set_accept_errors_total(counters.accept_errors);
  return proto;
}

admin::v1::Listener ToProto(const ListenerInfo& listener) {
  admin::v1::Listener proto;
  proto.set_name(ListenerName(listener.id));
  proto.set_address(listener.address);
  if (!IsUnixAddress(listener.address)) proto.set_port(listener.port);
  proto.set_bound_port(listener.bound_port);
  SettingsToProto(listener.settings, proto);
  proto.set_state(StateToProto(listener.state));
  proto.set_active_connections(listener.active_connections);
  proto.mutable_draining_generations()->Assign(
      listener.draining_generations.begin(),
      listener.draining_generations.end());
  proto.set_generation(listener.generation);
  proto.set_source(SourceToProto(listener.source));
  *proto.mutable_create_time() = ToProto(listener.create_time);
  *proto.mutable_update_time() = ToProto(listener.update_time);
  proto.set_etag(listener.etag);
  return proto;
}

admin::v1::Connection ToProto(const ConnectionInfo& connection) {
  admin::v1::Connection proto;
  proto.set_name(ConnectionName(connection.number));
  proto.set_listener(ListenerName(connection.listener_id));
  proto.set_listener_generation(connection.listener_generation);
  proto.set_worker(connection.worker);
  proto.set_state(StateToProto(connection.state));
  proto.set_remote_address(connection.remote_address);
  proto.set_local_address(connection.local_address);
  *proto.mutable_create_time() = ToProto(connection.create_time);
  *proto.mutable_last_active_time() = ToProto(connection.last_active_time);
  proto.set_bytes_received(connection.bytes_received);
  proto.set_bytes_sent(connection.bytes_sent);
  proto.set_bytes_buffered(connection.bytes_buffered);
  proto.set_lines_echoed(connection.lines_echoed);
  proto.set_reading_paused(connection.reading_paused);
  if (connection.tcp_info.has_value()) {
    *proto.mutable_tcp_info() = TcpInfoToProto(*connection.tcp_info);
  }
  if (connection.peer_credentials.has_value()) {
    admin::v1::PeerCredentials& peer = *proto.mutable_peer_credentials();
    peer.set_pid(connection.peer_credentials->pid);
    peer.set_uid(connection.peer_credentials->uid);
    peer.set_gid(connection.peer_credentials->gid);
  }
  return proto;
}

admin::v1::LogLevel ToProto(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return admin::v1::LOG_LEVEL_DEBUG;
    case LogLevel::kInfo:
      return admin::v1::LOG_LEVEL_INFO;
    case LogLevel::kWarning:
      return admin::v1::LOG_LEVEL_WARNING;
    case LogLevel::kError:
      return admin::v1::LOG_LEVEL_ERROR;
    case LogLevel::kOff:
      return admin::v1::LOG_LEVEL_OFF;
  }
  return admin::v1::LOG_LEVEL_UNSPECIFIED;
}

admin::v1::Server::State ToProto(ServerInfo::State state) {
  switch (state) {
    case ServerInfo::State::kStarting:
      return admin::v1::Server::STATE_STARTING;
    case ServerInfo::State::kServing:
      return admin::v1::Server::STATE_SERVING;
    case ServerInfo::State::kDraining:
      return admin::v1::Server::STATE_DRAINING;
    case ServerInfo::State::kStopped:
      return admin::v1::Server::STATE_STOPPED;
  }
  return admin::v1::Server::STATE_UNSPECIFIED;
}

}  // namespace echod
