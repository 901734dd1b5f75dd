load("@rules_cc//cc:cc_library.bzl", "cc_library")

cc_library(
    name = "libyaml",
    defines = %{yaml-0.1.defines},
    linkopts = %{yaml-0.1.linkopts},
    visibility = ["//visibility:public"],
)
