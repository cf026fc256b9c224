# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin render."""

from __future__ import annotations

DOCUMENTATION = r"""
module: render
short_description: Render a component's templates and charts into the tree
version_added: 1.0.0
author: wmx.llm_platform contributors (@wmx)
description:
  - Renders every Kubernetes object of one component and makes the component's folder in the tree hold exactly these
    objects, one a file.
  - Nothing is sent to a cluster and no host is contacted; the work is done on the controller.
  - Objects get the labels C(app.kubernetes.io/part-of), C(app.kubernetes.io/managed-by) and
    C(app.kubernetes.io/component) where they have none of that name; selectors and pod templates stay as they are.
  - Templates and charts are rendered twice. What differs is refused, because it would change in every run.
  - Helm's chart hooks become plain objects with the annotation C(llm-platform.wmx.dev/phase), C(before) or C(after).
    Hooks of tests, deletion and rollback are dropped. A Job with a phase is named by its content, so that it runs once
    for each content.
  - Where C(llm_plan) says so, every image gets its digest from the lock, charts must be those of the lock, and both
    must keep the rules of the plan.
options:
  component:
    description: Name of the component. Its folder is C(<tree>/<layer>/<component>).
    type: str
    required: true
  layer:
    description: Layer of the component. Defaults to what C(llm_plan) says of the component.
    type: str
  namespace:
    description:
      - Namespace of objects and charts that name none. Defaults to what C(llm_plan) says of the component.
      - An object of a namespaced kind without any namespace is refused.
    type: str
  templates:
    description:
      - Templates below C(templates) of the calling role. Defaults to every C(*.yml.j2) there; V([]) renders none.
      - Each element is a file name, or a dictionary with the keys C(src), C(loop) (a list) and C(loop_var). Such a
        template is rendered once for each item, with the item in the variable named by C(loop_var).
      - A template may hold any number of documents; empty ones are passed over.
      - A line that holds only a Jinja statement leaves nothing behind (C(trim_blocks) and C(lstrip_blocks) are on).
      - Pass every interpolated value through P(ansible.builtin.to_json#filter), so that none can change the document.
    type: list
    elements: raw
  objects:
    description: Objects given in place.
    type: list
    elements: dict
    default: []
  charts:
    description: Helm charts to render.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the release.
        type: str
        required: true
      ref:
        description:
          - A folder or archive (a relative one is looked for in C(files) of the role), an address C(oci://registry/path),
            C(https://repository/path/chart), or the address of an archive that ends in C(.tgz).
        type: str
        required: true
      version:
        description: Exact version. Required for a remote chart, compared with C(Chart.yaml) of a folder.
        type: str
      namespace:
        description: Namespace of the release. Defaults to the option O(namespace).
        type: str
      values:
        description: Values of the chart.
        type: dict
        default: {}
      plain_http:
        description: Whether the registry of an C(oci://) chart speaks HTTP without TLS.
        type: bool
        default: false
  tree:
    description: Root of the tree. Defaults to C(llm_plan.tree).
    type: path
  known_components:
    description:
      - Names of every component of the plan. Folders of other components are removed from the tree, so that the tree is
        the plan. Defaults to the components of C(llm_plan); without a plan nothing is removed.
    type: list
    elements: str
  cluster_scoped:
    description:
      - Kinds without namespace, as C(group/Kind), that are neither built in, nor well known, nor defined by a CRD of
        the tree.
    type: list
    elements: str
    default: []
  public_secrets:
    description:
      - Secrets, as C(namespace/name), whose values are no secret, such as configuration that a chart keeps in a Secret.
        Any other Secret with values is refused, because the tree never holds secrets.
    type: list
    elements: str
    default: []
  kube_version:
    description: Kubernetes version that charts are told. Defaults to C(llm_plan.kubernetes.version).
    type: str
  api_versions:
    description: API versions that charts are told. Defaults to C(llm_plan.kubernetes.api_versions).
    type: list
    elements: str
  helm:
    description: Path of the helm program. Defaults to C(llm_plan.helm), then C(helm) on the E(PATH).
    type: path
  cache_dir:
    description: Where fetched charts are kept. Defaults to C(llm_cache_dir), then C(~/.cache/llm-platform).
    type: path
attributes:
  action:
    description: Runs on the controller.
    support: full
  check_mode:
    description: Renders into a copy of the tree that ends with the run.
    support: full
    details:
      - The filter P(wmx.llm_platform.rendered_tree#filter) gives that copy to the tasks that follow.
  diff_mode:
    description: Shows each file that changes; of the values in Secrets only whether they change.
    support: full
  idempotent:
    description: The same inventory gives the same bytes.
    support: full
seealso:
  - module: wmx.llm_platform.apply
  - plugin: wmx.llm_platform.tree_hash
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Render every template of the role
  wmx.llm_platform.render:
    component: foundation

- name: Render each model
  wmx.llm_platform.render:
    component: serving
    templates:
      - namespace.yml.j2
      - src: model.yml.j2
        loop: "{{ llm_plan.models }}"
        loop_var: __serving_model

- name: Render the chart of Kueue with a queue of our own
  wmx.llm_platform.render:
    component: kueue
    layer: platform
    namespace: kueue-system
    templates: []
    charts:
      - name: kueue
        ref: oci://registry.k8s.io/kueue/charts/kueue
        version: 0.19.2
        values: "{{ __kueue_values | combine(kueue_values, recursive=true) }}"
    objects:
      - apiVersion: kueue.x-k8s.io/v1beta2
        kind: ResourceFlavor
        metadata:
          name: default
"""

RETURN = r"""
tree:
  description: Root of the tree that was written. In check mode a copy that ends with the run.
  type: str
  returned: success
folder:
  description: The component's folder.
  type: str
  returned: success
hash:
  description: Identity of the whole tree after this task.
  type: str
  returned: success
objects:
  description: Every object of the component.
  type: list
  elements: str
  returned: success
  sample: [Namespace llm-serving, apps/Deployment llm-serving/chat]
added:
  description: Files that are new, as paths in the tree.
  type: list
  elements: str
  returned: success
updated:
  description: Files with another content than before.
  type: list
  elements: str
  returned: success
removed:
  description: Files that are gone.
  type: list
  elements: str
  returned: success
dropped_hooks:
  description: Chart hooks that no apply needs (tests, deletion, rollback).
  type: list
  elements: str
  returned: success
dropped_components:
  description: Folders, as C(<layer>/<component>), of components that the plan does not have.
  type: list
  elements: str
  returned: success
excused_images:
  description: Rules on images that are broken with an exception of the inventory.
  type: list
  elements: dict
  returned: success
"""
