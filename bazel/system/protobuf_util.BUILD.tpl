load("@rules_cc//cc:cc_library.bzl", "cc_library")

package(default_visibility = ["//visibility:public"])

# The distributions include all of these in libprotobuf.
[
    cc_library(
        name = name,
        deps = ["//:protobuf"],
    )
    for name in [
        "differencer",
        "field_mask_util",
        "json_util",
        "time_util",
        "type_resolver",
    ]
]
