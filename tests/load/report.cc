// SPDX-License-Identifier: Apache-2.0

#include "tests/load/report.h"

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace echod::load {
namespace {

constexpr double kPercentiles[] = {50, 90, 99, 99.9, 99.99, 100};

std::string PercentileName(double percent) {
  return percent == 100 ? "max" : absl::StrCat("p", percent);
}

double Micros(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1000;
}

std::string ShortTime(std::uint64_t nanoseconds) {
  const double micros = Micros(nanoseconds);
  if (micros < 1000) return absl::StrFormat("%.1f us", micros);
  if (micros < 1e6) return absl::StrFormat("%.2f ms", micros / 1000);
  return absl::StrFormat("%.2f s", micros / 1e6);
}

// 1234567 as 1,234,567.
std::string Grouped(std::int64_t number) {
  std::string digits = absl::StrCat(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) {
    digits.insert(at - 3, 1, ',');
  }
  return digits;
}

double PerSecond(std::int64_t number, absl::Duration time) {
  const double seconds = absl::ToDoubleSeconds(time);
  return seconds > 0 ? static_cast<double>(number) / seconds : 0;
}

absl::string_view ModeName(Mode mode) {
  return mode == Mode::kLine ? "line" : "raw";
}

// A rate, with a decimal if it is small.
std::string Rate(double per_second) {
  return per_second < 10 ? absl::StrFormat("%.1f/s", per_second)
                         : Grouped(std::llround(per_second)) + "/s";
}

std::string Count(std::int64_t number, absl::string_view what) {
  return absl::StrCat(Grouped(number), " ", what, number == 1 ? "" : "s");
}

std::string Loop(const LoadOptions& options) {
  std::string loop = options.rate > 0
                         ? absl::StrCat("open loop at ", Rate(options.rate))
                         : std::string("closed loop");
  if (options.in_flight > 0) {
    absl::StrAppend(&loop, ", at most ", Count(options.in_flight, "request"),
                    " outstanding");
  }
  if (options.requests_per_connection > 0) {
    absl::StrAppend(&loop, ", a new connection after ",
                    Count(options.requests_per_connection, "request"));
  }
  if (options.reconnect_rate > 0) {
    absl::StrAppend(&loop, ", reconnecting at ", Rate(options.reconnect_rate));
  }
  return loop;
}

// A likely cause if no answer was right.
std::string Hint(const LoadOptions& options, const LoadResult& result) {
  if (result.whole.requests > 0) return "";
  if (options.mode == Mode::kRaw &&
      (absl::StartsWith(result.unexpected, "YOU SAID ") ||
       result.whole.Errors(ErrorKind::kTimeout) > 0)) {
    return "is the server in line mode? --mode selects the expected mode\n";
  }
  if (options.mode == Mode::kLine && !result.unexpected.empty() &&
      !absl::StartsWith(result.unexpected, "ERROR ")) {
    return "is the server in raw mode? --mode selects the expected mode\n";
  }
  return "";
}

}  // namespace

std::string TextReport(const LoadOptions& options, const LoadResult& result) {
  std::string text = absl::StrFormat(
      "%s, %s mode: %s, %s, pipeline %s, %s, %s, %s\n",
      options.server.ToString(), ModeName(options.mode),
      Count(options.connections, "connection"),
      Count(static_cast<std::int64_t>(options.request_bytes), "byte"),
      Grouped(options.pipeline), Loop(options),
      Count(options.threads, "thread"),
      absl::FormatDuration(
          absl::Trunc(result.measured, absl::Milliseconds(1))));
  const LoadCounts& counts = result.counts;
  const auto per_second = [&](std::int64_t number) {
    return Rate(PerSecond(number, result.measured));
  };
  if (result.measured == absl::ZeroDuration()) {
    absl::StrAppend(
        &text,
        "ended before all connections were established: nothing was "
        "measured\n");
  } else {
    absl::StrAppendFormat(&text, "requests     %15s  %14s\n",
                          Grouped(counts.requests),
                          per_second(counts.requests));
    absl::StrAppendFormat(&text, "bytes echoed %15s  %14s\n",
                          Grouped(counts.bytes_received),
                          per_second(counts.bytes_received));
  }
  absl::StrAppendFormat(&text, "connections  %15s opened\n",
                        Grouped(result.whole.connections_opened));
  if (result.latencies.count() > 0) {
    absl::StrAppend(&text, "latency     ");
    for (const double percent : kPercentiles) {
      absl::StrAppend(&text, " ", PercentileName(percent), " ",
                      ShortTime(result.latencies.Percentile(percent)),
                      percent == 100 ? "\n" : ",");
    }
  }
  for (std::size_t i = 0; i < kErrorKindCount; ++i) {
    if (result.whole.errors[i] == 0) continue;
    absl::StrAppendFormat(&text, "errors       %15s  %s\n",
                          Grouped(result.whole.errors[i]),
                          ErrorKindName(static_cast<ErrorKind>(i)));
  }
  if (result.unanswered > 0) {
    absl::StrAppendFormat(&text, "unanswered   %15s\n",
                          Grouped(result.unanswered));
  }
  if (result.unsent > 0) {
    absl::StrAppendFormat(
        &text,
        "unsent       %15s  due while their connections waited for answers\n",
        Grouped(result.unsent));
  }
  if (!result.unexpected.empty()) {
    absl::StrAppend(&text, "the wrong bytes began with \"",
                    absl::CHexEscape(result.unexpected), "\"\n");
  }
  absl::StrAppend(&text, Hint(options, result));
  absl::StrAppend(&text, result.EverythingCameBack()
                             ? "every byte came back\n"
                             : "NOT every byte came back\n");
  return text;
}

std::string JsonReport(const LoadOptions& options, const LoadResult& result) {
  using Json = nlohmann::ordered_json;
  Json latency;  // null if nothing was measured
  if (result.latencies.count() > 0) {
    latency = {{"mean", result.latencies.Mean() / 1000},
               {"min", Micros(result.latencies.Least())}};
    for (const double percent : kPercentiles) {
      latency[PercentileName(percent)] =
          Micros(result.latencies.Percentile(percent));
    }
  }
  Json errors = Json::object();
  for (std::size_t i = 0; i < kErrorKindCount; ++i) {
    errors[std::string(ErrorKindName(static_cast<ErrorKind>(i)))] =
        result.whole.errors[i];
  }
  const LoadCounts& counts = result.counts;
  const Json report = {
      {"server", options.server.ToString()},
      {"mode", ModeName(options.mode)},
      {"connections", options.connections},
      {"request_bytes", options.request_bytes},
      {"pipeline", options.pipeline},
      {"in_flight", options.in_flight},
      {"threads", options.threads},
      {"rate", options.rate},
      {"requests_per_connection", options.requests_per_connection},
      {"reconnect_rate", options.reconnect_rate},
      {"duration_seconds", absl::ToDoubleSeconds(options.duration)},
      {"ramp_seconds", absl::ToDoubleSeconds(options.ramp)},
      {"timeout_seconds", absl::ToDoubleSeconds(options.timeout)},
      {"measured_seconds", absl::ToDoubleSeconds(result.measured)},
      {"requests", counts.requests},
      {"requests_per_second", PerSecond(counts.requests, result.measured)},
      {"bytes_sent", counts.bytes_sent},
      {"bytes_received", counts.bytes_received},
      {"bytes_received_per_second",
       PerSecond(counts.bytes_received, result.measured)},
      {"latency_us", latency},
      {"cpu_seconds", absl::ToDoubleSeconds(result.cpu_time)},
      {"connections_opened", result.whole.connections_opened},
      {"errors", errors},
      {"unanswered", result.unanswered},
      {"unsent", result.unsent},
      {"every_byte_came_back", result.EverythingCameBack()},
  };
  return report.dump(2) + "\n";
}

std::string ProgressLine(absl::Duration elapsed, absl::Duration step,
                         const LoadCounts& before, const LoadCounts& now,
                         std::int64_t open_connections) {
  const LoadCounts since = now - before;
  return absl::StrFormat(
      "%4ds %s, %s requests, %.1f MB/s, %s",
      absl::ToInt64Seconds(
          absl::Floor(elapsed + absl::Milliseconds(500), absl::Seconds(1))),
      Count(open_connections, "connection"),
      Rate(PerSecond(since.requests, step)),
      PerSecond(since.bytes_received, step) / 1e6,
      Count(now.Errors(), "error"));
}

}  // namespace echod::load
