# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Documents what images must fulfil, for the module that judges them."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the modules that take rules on images."""

    DOCUMENTATION = r"""
options:
  rules:
    description:
      - What images must fulfil with O(state=pinned).
      - With O(state=resolved) the signatures are looked for, which O(state=pinned) then demands of the lock.
    type: dict
    default: {}
    suboptions:
      registries:
        description:
          - Names of the registries that are allowed. All are when left out.
        type: list
        elements: str
        default: []
      quarantine_days:
        description:
          - Days that must have passed since a digest was first seen.
        type: int
        default: 3
      demand_verified:
        description:
          - Whether digests must have been read from their registry, and be older than the quarantine.
        type: bool
        default: true
      denied:
        description:
          - Releases that must not run. C(image) is a pattern of names.
        type: list
        elements: dict
        default: []
        suboptions:
          image:
            description:
              - Pattern of image names, with C(*).
            type: str
            required: true
          versions:
            description:
              - The versions, as numbers with dots.
            type: list
            elements: str
            required: true
          advisory:
            description:
              - Why.
            type: str
            required: true
      floors:
        description:
          - The oldest releases that have the fix of an advisory.
        type: list
        elements: dict
        default: []
        suboptions:
          image:
            description:
              - Pattern of image names, with C(*).
            type: str
            required: true
          versions:
            description:
              - The first release with the fix of each line, as numbers with dots. Lines newer than all of them have it.
            type: list
            elements: str
            required: true
          advisory:
            description:
              - What it fixes.
            type: str
            required: true
      signatures:
        description:
          - Who must have signed which images. The first entry that speaks of an image holds.
          - Not where O(rules.demand_verified) is false.
        type: list
        elements: dict
        default: []
        suboptions:
          images:
            description:
              - Pattern of full image names with tag, with C(*).
            type: str
            required: true
          demand:
            description:
              - Whether an image without any signature is refused. One that somebody else has signed always is.
            type: str
            choices: [required, if_present]
            required: true
          identity:
            description:
              - What the certificate of the signature names, such as the address of a workflow.
            type: str
          identity_regexp:
            description:
              - The same as an RE2 pattern that begins with C(^).
            type: str
          issuer:
            description:
              - Who has vouched for the identity. Needed with every identity.
            type: str
          issuer_regexp:
            description:
              - The same as an RE2 pattern from C(^) to C($).
            type: str
          public_key:
            description:
              - Text of the signer's public key, or its https address, instead of an identity.
            type: str
          key_digest:
            description:
              - The digest that the key signs.
            type: str
            choices: [sha256, sha384, sha512]
          trusted_root:
            description:
              - File with the roots of an own Sigstore. Without it those of the public one hold.
            type: path
          transparency_log:
            description:
              - Whether the signature must be in a public log. Only an own O(rules.signatures[].public_key) or
                O(rules.signatures[].trusted_root) can do without.
            type: bool
            default: true
          first_releases:
            description:
              - The first releases that are signed so, one for each line, as numbers with dots. The entry does not speak
                of older ones.
            type: list
            elements: str
            default: []
          source:
            description:
              - Where that is known from.
            type: str
      exceptions:
        description:
          - Rules that do not hold for some images, each with an owner and a reason.
        type: list
        elements: dict
        default: []
        suboptions:
          rule:
            description:
              - Name of the rule.
            type: str
            choices: [denylist, floor, known, mutable-tag, quarantine, registry, signature]
            required: true
          image:
            description:
              - Pattern of full image names with tag, or of names of charts and models, with C(*).
            type: str
            required: true
          owner:
            description:
              - Who answers for it.
            type: str
            required: true
          reason:
            description:
              - Why it is right.
            type: str
            required: true
"""
