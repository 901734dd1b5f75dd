// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package tools names the program that `cluster build` compiles: kube-router enforces
// NetworkPolicies.
package tools

import _ "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"
