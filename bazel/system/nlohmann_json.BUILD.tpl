load("@rules_cc//cc:cc_library.bzl", "cc_library")

cc_library(
    name = "json",
    defines = %{nlohmann_json.defines},
    visibility = ["//visibility:public"],
)
