#include "tests/load/report.h"

#include <cstdint>
#include <nlohmann/json.hpp>

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

std::string Loop(const LoadOptions& options) {
  return options.rate > 0 ? absl::StrFormat("open loop at %g/s", options.rate)
                          : std::string("closed loop");
}

}  // namespace

std::string TextReport(const LoadOptions& options, const LoadResult& result) {
  std::string text = absl::StrFormat(
      "%s, %s mode: %s connections, %s bytes, pipeline %d, %s, %d thread%s, "
      "%s\n",
      options.server.ToString(), ModeName(options.mode),
      Grouped(options.connections),
      Grouped(static_cast<std::int64_t>(options.request_bytes)),
      options.pipeline, Loop(options), options.threads,
      options.threads == 1 ? "" : "s",
      absl::FormatDuration(
          absl::Trunc(result.measured, absl::Milliseconds(1))));
  const LoadCounts& counts = result.counts;
  const auto per_second = [&](std::int64_t number) {
    return Grouped(
        static_cast<std::int64_t>(PerSecond(number, result.measured)));
  };
  absl::StrAppendFormat(&text, "requests     %15s  %12s/s\n",
                        Grouped(counts.requests), per_second(counts.requests));
  absl::StrAppendFormat(&text, "bytes echoed %15s  %12s/s\n",
                        Grouped(counts.bytes_received),
                        per_second(counts.bytes_received));
  absl::StrAppendFormat(&text, "connections  %15s opened\n",
                        Grouped(result.whole.connections_opened));
  absl::StrAppend(&text, "latency     ");
  for (const double percent : kPercentiles) {
    absl::StrAppend(&text, " ", PercentileName(percent), " ",
                    ShortTime(result.latencies.Percentile(percent)),
                    percent == 100 ? "\n" : ",");
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
  if (result.whole.requests == 0 &&
      result.whole.errors[static_cast<std::size_t>(ErrorKind::kWrongBytes)] >
          0) {
    absl::StrAppend(
        &text, "is the server in ",
        ModeName(options.mode == Mode::kLine ? Mode::kRaw : Mode::kLine),
        " mode? --mode says which is expected\n");
  }
  absl::StrAppend(&text, result.EverythingCameBack()
                             ? "every byte came back\n"
                             : "NOT every byte came back\n");
  return text;
}

std::string JsonReport(const LoadOptions& options, const LoadResult& result) {
  using Json = nlohmann::ordered_json;
  Json latency = {{"mean", result.latencies.Mean() / 1000},
                  {"min", Micros(result.latencies.Least())}};
  for (const double percent : kPercentiles) {
    latency[PercentileName(percent)] =
        Micros(result.latencies.Percentile(percent));
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
      {"threads", options.threads},
      {"rate", options.rate},
      {"requests_per_connection", options.requests_per_connection},
      {"reconnect_rate", options.reconnect_rate},
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
      {"every_byte_came_back", result.EverythingCameBack()},
  };
  return report.dump(2) + "\n";
}

std::string ProgressLine(absl::Duration elapsed, absl::Duration step,
                         const LoadCounts& before, const LoadCounts& now,
                         std::int64_t open_connections) {
  const LoadCounts since = now - before;
  return absl::StrFormat(
      "%4ds %s connections, %s requests/s, %.1f MB/s, %s errors",
      absl::ToInt64Seconds(
          absl::Floor(elapsed + absl::Milliseconds(500), absl::Seconds(1))),
      Grouped(open_connections),
      Grouped(static_cast<std::int64_t>(PerSecond(since.requests, step))),
      PerSecond(since.bytes_received, step) / 1e6, Grouped(now.Errors()));
}

}  // namespace echod::load
