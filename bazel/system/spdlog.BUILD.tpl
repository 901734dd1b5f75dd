load("@rules_cc//cc:cc_library.bzl", "cc_library")

# Header-only: the distributions have no archive for a static link, and what is
# compiled here is what the sanitizers see. One source file uses it.
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
