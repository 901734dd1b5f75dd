"""@com_google_absl//absl/<package>:<target>, from the distribution's Abseil."""

load(":pkg_config.bzl", "module_flags")

# Package -> Bazel target -> pkg-config module.
# "?" marks targets that the oldest supported Abseil lacks. First-party code does not
# use them; other code may.
_TARGETS = {
    "algorithm": {
        "algorithm": "absl_algorithm",
        "container": "absl_algorithm_container",
    },
    "base": {
        "base": "absl_base",
        "config": "absl_config",
        "core_headers": "absl_core_headers",
        "dynamic_annotations": "absl_dynamic_annotations",
        "endian": "absl_endian",
        "log_severity": "absl_log_severity",
        "no_destructor": "?absl_no_destructor",
        "nullability": "?absl_nullability",
    },
    "cleanup": {
        "cleanup": "absl_cleanup",
    },
    "container": {
        "btree": "absl_btree",
        "fixed_array": "absl_fixed_array",
        "flat_hash_map": "absl_flat_hash_map",
        "flat_hash_set": "absl_flat_hash_set",
        "inlined_vector": "absl_inlined_vector",
        "node_hash_map": "absl_node_hash_map",
        "node_hash_set": "absl_node_hash_set",
    },
    "debugging": {
        "failure_signal_handler": "absl_failure_signal_handler",
        "leak_check": "absl_leak_check",
        "stacktrace": "absl_stacktrace",
        "symbolize": "absl_symbolize",
    },
    "flags": {
        "commandlineflag": "absl_flags_commandlineflag",
        "config": "absl_flags_config",
        "flag": "absl_flags",
        "marshalling": "absl_flags_marshalling",
        "parse": "absl_flags_parse",
        "reflection": "absl_flags_reflection",
        "usage": "absl_flags_usage",
    },
    "functional": {
        "any_invocable": "absl_any_invocable",
        "bind_front": "absl_bind_front",
        "function_ref": "absl_function_ref",
    },
    "hash": {
        "hash": "absl_hash",
    },
    "memory": {
        "memory": "absl_memory",
    },
    "meta": {
        "type_traits": "absl_type_traits",
    },
    "numeric": {
        "bits": "absl_bits",
        "int128": "absl_int128",
    },
    "random": {
        "bit_gen_ref": "absl_random_bit_gen_ref",
        "distributions": "absl_random_distributions",
        "random": "absl_random_random",
        "seed_sequences": "absl_random_seed_sequences",
    },
    "status": {
        "status": "absl_status",
        "statusor": "absl_statusor",
    },
    "strings": {
        "cord": "absl_cord",
        "str_format": "absl_str_format",
        "strings": "absl_strings",
    },
    "synchronization": {
        "synchronization": "absl_synchronization",
    },
    "time": {
        "time": "absl_time",
    },
    "types": {
        "any": "?absl_any",
        "optional": "absl_optional",
        "span": "absl_span",
        "variant": "absl_variant",
    },
    "utility": {
        "utility": "absl_utility",
    },
}

_HEAD = """load("@rules_cc//cc:cc_library.bzl", "cc_library")

package(default_visibility = ["//visibility:public"])
"""

_LIBRARY = """
cc_library(
    name = "{name}",
    defines = {defines},
    linkopts = {linkopts},
)
"""

def _abseil_repository_impl(rctx):
    rctx.file("BUILD.bazel", "")
    for package, targets in _TARGETS.items():
        build = _HEAD
        for target, module in targets.items():
            flags = module_flags(rctx, [module.lstrip("?")], optional = module.startswith("?"))
            if flags:
                build += _LIBRARY.format(name = target, defines = flags.defines, linkopts = flags.linkopts)
        rctx.file("absl/%s/BUILD.bazel" % package, build)

abseil_repository = repository_rule(
    implementation = _abseil_repository_impl,
    configure = True,
    environ = ["ECHOD_SYSTEM_LIBRARIES", "PKG_CONFIG_PATH"],
)
