"""Every external repository of this workspace, from the distribution's packages."""

load("//bazel:oci.bzl", "umoci_repository")
load(":abseil.bzl", "abseil_repository")
load(":dpkg.bzl", "dpkg_repository")
load(":protobuf.bzl", "grpc_repository", "protobuf_repository")
load(":rules.bzl", "coverage_tools_stub", "rules_repository")
load(":system_library.bzl", "static_libraries", "system_library")

# Where the packages install the rule sets. Bazel 4 does not need all of them.
_RULES = {
    "bazel_skylib": "/usr/share/bazel/tools/skylib",
    "rules_cc": "/usr/share/bazel/rules/cc",
    "rules_java": "/usr/share/bazel/rules/java",
    "rules_license": "/usr/share/bazel/rules/license",
    "rules_proto": "/usr/share/bazel/rules/proto",
    "rules_python": "/usr/share/bazel/rules/python",
    "rules_shell": "/usr/share/bazel/rules/shell",
}

# buildifier: disable=unnamed-macro
def system_repositories():
    """Declares the repositories under the names that upstream projects use."""
    for name, path in _RULES.items():
        rules_repository(name = name, path = path)
    coverage_tools_stub(name = "remote_coverage_tools")

    abseil_repository(name = "com_google_absl")
    protobuf_repository(name = "com_google_protobuf")
    grpc_repository(name = "com_github_grpc_grpc")
    native.local_repository(name = "googleapis", path = "bazel/googleapis")

    system_library(
        name = "libevent",
        build_file = "//bazel/system:libevent.BUILD.tpl",
        modules = ["libevent_core", "libevent_extra"],
    )
    system_library(
        name = "spdlog",
        build_file = "//bazel/system:spdlog.BUILD.tpl",
        modules = ["spdlog", "fmt"],
    )
    system_library(
        name = "nlohmann_json",
        build_file = "//bazel/system:nlohmann_json.BUILD.tpl",
        modules = ["nlohmann_json"],
    )
    system_library(
        name = "libyaml",
        build_file = "//bazel/system:libyaml.BUILD.tpl",
        modules = ["yaml-0.1"],
    )
    system_library(
        name = "com_github_jupp0r_prometheus_cpp",
        build_file = "//bazel/system:prometheus_cpp.BUILD.tpl",
        modules = ["prometheus-cpp-core"],
    )
    system_library(
        name = "com_google_googletest",
        build_file = "//bazel/system:googletest.BUILD.tpl",
        modules = ["gmock", "gtest", "gtest_main"],
    )
    system_library(
        name = "com_github_google_benchmark",
        build_file = "//bazel/system:benchmark.BUILD.tpl",
        modules = ["benchmark"],
    )

    umoci_repository(name = "umoci")
    dpkg_repository(name = "dpkg")

    # Additional libraries for static_binary.
    static_libraries(
        name = "static_libraries",
        modules = ["grpc++", "libevent_core", "libevent_extra", "protobuf", "yaml-0.1"],
        # Dependencies of newer archives that their pkg-config files omit.
        optional_modules = ["absl_check", "absl_log", "re2"],
    )
