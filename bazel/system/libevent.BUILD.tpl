load("@rules_cc//cc:cc_library.bzl", "cc_library")

cc_library(
    name = "libevent",
    defines = %{libevent_core.defines},
    linkopts = %{libevent_extra.linkopts} + %{libevent_core.linkopts},
    visibility = ["//visibility:public"],
)
