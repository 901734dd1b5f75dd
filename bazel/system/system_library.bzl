"""A repository for an installed library, described by pkg-config."""

load(":pkg_config.bzl", "module_flags")

def substitutions(rctx, modules):
    """Returns the substitutions for a BUILD file.

    Args:
      rctx: the repository context.
      modules: names of pkg-config modules.
    Returns:
      dict of %{<module>.defines} and %{<module>.linkopts} to Starlark lists.
    """
    result = {}
    for module in modules:
        flags = module_flags(rctx, [module])
        result["%%{%s.defines}" % module] = repr(flags.defines)
        result["%%{%s.linkopts}" % module] = repr(flags.linkopts)
    return result

def _system_library_impl(rctx):
    rctx.template(
        "BUILD.bazel",
        rctx.attr.build_file,
        substitutions(rctx, rctx.attr.modules),
    )

system_library = repository_rule(
    implementation = _system_library_impl,
    attrs = {
        "build_file": attr.label(mandatory = True),
        "modules": attr.string_list(mandatory = True, doc = "pkg-config modules the build_file mentions."),
    },
    configure = True,
    environ = ["ECHOD_SYSTEM_LIBRARIES", "PKG_CONFIG_PATH"],
)

_STATIC_LIBRARIES = """load("@rules_cc//cc:cc_library.bzl", "cc_library")

cc_library(
    name = "static_libraries",
    linkopts = ["-Wl,--start-group"] + %s + ["-Wl,--end-group"],
    visibility = ["//visibility:public"],
)
"""

def _static_libraries_impl(rctx):
    modules = rctx.attr.modules + [
        module
        for module in rctx.attr.optional_modules
        if module_flags(rctx, [module], optional = True)
    ]
    rctx.file("BUILD.bazel", _STATIC_LIBRARIES % module_flags(rctx, modules, static = True).linkopts)

# Static archives have circular references, unlike shared libraries. This target puts
# all of them in one group, to link at the end.
static_libraries = repository_rule(
    implementation = _static_libraries_impl,
    attrs = {
        "modules": attr.string_list(mandatory = True),
        "optional_modules": attr.string_list(doc = "Modules to add where they exist."),
    },
    configure = True,
    environ = ["ECHOD_SYSTEM_LIBRARIES", "PKG_CONFIG_PATH"],
)
