load("@rules_cc//cc:cc_library.bzl", "cc_library")

# Header-only, because the distributions have no static archive, and the sanitizers
# see only code compiled here. A single source file uses it.
cc_library(
    name = "spdlog",
    defines = [
        define
        for define in %{spdlog.defines}
        if define not in ("SPDLOG_COMPILED_LIB", "SPDLOG_SHARED_LIB")
    ] + ["FMT_HEADER_ONLY=1"],
    linkopts = ["-pthread"],
    visibility = ["//visibility:public"],
)
