# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Documents what the local cluster is built from, for every module that takes it."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the modules that build."""

    DOCUMENTATION = r"""
options:
  inputs:
    description: What the builds are made from.
    type: dict
    required: true
    suboptions:
      cache:
        description: Folder that keeps builds, downloads and logs.
        type: path
        required: true
      files:
        description: Folder with C(go/<name>/go.mod) and C(images/<context>/Containerfile).
        type: path
        required: true
      go:
        description: Go command of the toolchain.
        type: str
        required: true
      go_tools:
        description: Folders whose C(go.mod) names tools to build.
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: Name of the folder.
            type: str
            required: true
          ldflags:
            description: >-
              Linker flags; C({version}), C({major}) and C({minor}) come from O(inputs.go_tools[].version_of).
            type: str
            default: ""
          version_of:
            description: Module in C(go.mod) whose version the linker flags carry.
            type: str
            default: ""
          rename:
            description: Binaries that get another name.
            type: dict
            default: {}
          on_demand:
            description: Whether the tools are no part of the cluster, and are built only when they are asked for.
            type: bool
            default: false
      sources:
        description: Folders of Go modules that hold data, such as charts and custom resource definitions.
        type: list
        elements: dict
        default: []
        suboptions:
          go_mod:
            description: Name of the folder whose C(go.mod) pins the module.
            type: str
            required: true
          module:
            description: Path of the Go module.
            type: str
            required: true
          paths:
            description: Folders or files of the module to copy.
            type: list
            elements: str
            required: true
      node_packages:
        description: Debian packages of the node's root filesystem.
        type: list
        elements: str
        required: true
      images:
        description: Container images in the order in which they are built.
        type: list
        elements: dict
        default: []
        suboptions:
          context:
            description: Folder with the Containerfile, by name under C(files/images) or absolute.
            type: str
            required: true
          name:
            description: >-
              Full name with registry and tag under which the image is served; empty if only others start from it.
            type: str
            default: ""
          args:
            description: Build arguments.
            type: dict
            default: {}
          rootfs:
            description: Debian packages of a root filesystem that the Containerfile finds as C(rootfs.tar).
            type: list
            elements: str
            default: []
          tools:
            description: Built tools that the Containerfile finds under C(bin/).
            type: list
            elements: str
            default: []
          sources:
            description: Copied source folders that the Containerfile finds under C(sources/).
            type: list
            elements: str
            default: []
"""
