"""Bazel rule sets: the distribution's, or stand-ins for the old Bazel that has the rules built in."""

load(":pkg_config.bzl", "fail_missing")

# Bazel 4.2.3 in Debian 12 and 13 cannot load their bazel-rules-cc, and has no
# rules_shell. Repository -> folder -> the built-in rules to re-export, each also in a
# separate file.
_BUILT_IN = {
    "rules_cc": {"cc": [
        "cc_binary",
        "cc_import",
        "cc_library",
        "cc_proto_library",
        "cc_test",
        "cc_toolchain",
        "cc_toolchain_suite",
        "fdo_prefetch_hints",
        "fdo_profile",
        "objc_import",
        "objc_library",
    ]},
    "rules_shell": {"shell": ["sh_binary", "sh_library", "sh_test"]},
}

def _pass_on_built_in(rctx):
    rctx.file("BUILD.bazel", "")
    for folder, rules in _BUILT_IN[rctx.name].items():
        rctx.file(folder + "/BUILD.bazel", "exports_files(glob([\"*.bzl\"]))\n")
        for rule in rules:
            rctx.file("%s/%s.bzl" % (folder, rule), "%s = native.%s\n" % (rule, rule))
        rctx.file(
            folder + "/defs.bzl",
            "".join(["%s = native.%s\n" % (rule, rule) for rule in rules]),
        )

def _rules_repository_impl(rctx):
    rctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % rctx.name)

    # The old Bazel does not report its version; detect it by a missing feature.
    if rctx.name in _BUILT_IN and not hasattr(rctx, "watch"):
        _pass_on_built_in(rctx)
        return
    folder = rctx.path(rctx.attr.path)
    if not folder.exists:
        fail_missing("The Bazel rule set %s (%s)" % (rctx.name, rctx.attr.path))
    for entry in folder.readdir():
        if entry.basename not in ("WORKSPACE", "WORKSPACE.bazel", "MODULE.bazel"):
            rctx.symlink(entry, entry.basename)

rules_repository = repository_rule(
    implementation = _rules_repository_impl,
    attrs = {"path": attr.string(mandatory = True, doc = "Where the distribution's package puts it.")},
    configure = True,
    environ = ["ECHOD_SYSTEM_LIBRARIES"],
)

def _coverage_tools_stub_impl(rctx):
    rctx.file("BUILD.bazel", """# cc_test depends on these labels even without coverage.
filegroup(
    name = "coverage_report_generator",
    visibility = ["//visibility:public"],
)

filegroup(
    name = "lcov_merger",
    visibility = ["//visibility:public"],
)
""")

coverage_tools_stub = repository_rule(implementation = _coverage_tools_stub_impl)
