# SPDX-License-Identifier: Apache-2.0
"""The meaning of each code. Lists print the first line; `policygen code PGnnn` prints all (commands/code.py)."""
from __future__ import annotations

from typing import Dict

CODES: Dict[str, str] = {
    "PG001": "The file is not there or is not YAML.\n"
             "The place is where the YAML reader gave up; the slip is there or just before.",
    "PG002": "The bytes are not a policy: not UTF-8, a character that nobody sees, or more than 4 MiB.",
    "PG003": "A key stands twice in one map. Most YAML readers silently keep one of the two.",
    "PG004": "A YAML tag (!!int, !name). A policy has names, numbers and text only.",
    "PG005": "A YAML anchor or alias. Write the value out where it is used: policies are read in review.",
    "PG006": "A YAML merge key (<<). Use `extends`, or write the entries out.",
    "PG007": "yes, no, on, off, true, false: booleans to some YAML readers, text to others. Quote it if it is text.",
    "PG008": "010 and 1:2:3 are numbers that YAML readers disagree about. Write decimal, or 0x for hexadecimal.",
    "PG009": "Nested deeper than any policy is.",
    "PG010": "The file is not one map: empty, a list, several documents, or a key that is not one word.",
    "PG011": "A tab. YAML is indented with blanks only.",
    "PG012": "A built image or canonical form that holds no policy, or one of another version.",
    "PG013": "The image's policy does not have the meaning hash that stands in it: facts changed, or bytes did.",
    "PG014": "An image that does not decide what its policy's text says: tables, trap controls, name or hash differ.",
    "PG101": "No such system register, group or encoding. `policygen list WORD` searches the names.",
    "PG102": "No such device on this platform. A window of your own needs `at:` and `size:`.",
    "PG103": "No such call on this platform, or not by this instruction.",
    "PG104": "No such exception class.",
    "PG105": "No such CPU feature.",
    "PG106": "No action, an unknown one, or two in one entry.",
    "PG107": "A key that has no meaning here.",
    "PG108": "A register of EL2 or EL3. It is UNDEFINED at EL1 whatever a policy says: an entry would decide nothing.",
    "PG109": "A value of the wrong kind: a map, list, number or word is expected.",
    "PG110": "The action exists but not here: not in this section, direction, or for this kind of name.",
    "PG111": "A number outside of its range.",
    "PG112": "A window or register that cannot be where it says: in RAM, unaligned, outside of its window.",
    "PG113": "Something that must be said is missing: the version, the platform, a section's `default`.",
    "PG114": "No handler: an unknown model, one that serves something else, or an allowed call that nobody serves.",
    "PG115": "The guest would reach the real machine where it must not: a device that EL2 keeps, or nothing at all.",
    "PG116": "A modifier that does not fit or modifies nothing.",
    "PG117": "The parent named by `extends` cannot be used.",
    "PG118": "A `waive` that names no inherited assertion.",
    "PG119": "An assertion or test that is not of the form `operation: target` with never, always or expect.",
    "PG120": "No such platform.",
    "PG121": "An exception class that a section of its own decides: register accesses, calls and data aborts.",
    "PG122": "A name that cannot be one.",
    "PG123": "A path that a policy may not name.\n"
             "It is made of letters, digits, `.`, `_`, `-` and `/`, and stays in the tree that is reviewed.",
    "PG124": "A condition of `where` that cannot be: about what the access has not, or one that every or no access meets.\n"
             "Names are x1 to x3 of calls, `value` of writes, `from`, `pc`, and the fields of one register; `same` and `sticky`\n"
             "compare a write with what the register holds.",
    "PG125": "An instruction in guest RAM that is allowed and traps: EL2 does not execute in the guest's place.\n"
             "Allow it without a log and conditions, or deny it.",
    "PG201": "No access gets to this entry: narrower entries or hidden features take all of them.",
    "PG202": "Without this entry everything would be decided the same. A `why:` keeps it for people.",
    "PG203": "The child repeats the parent's entry.",
    "PG204": "`inherit` drops a parent's entry, and no parent has this one.",
    "PG301": "Two entries overlap, disagree, and neither is inside the other: which one decides?\n"
             "The narrower entry wins; an entry for what both match settles it.",
    "PG302": "Two names for exactly the same accesses.",
    "PG303": "Two windows share addresses.",
    "PG401": "A constant or `fields` entry of an ID register shows a feature that `features` hides.",
    "PG402": "An ID register shows a feature all of whose registers are denied: a guest that believes it breaks.\n"
             "Hide the feature.",
    "PG403": "An entry for an exception class of a hidden feature, which is denied already.",
    "PG404": "A feature is exposed that is built on a hidden one: SVE and SME are more of the registers of FP.",
    "PG500": "A measured gap of the platform: what this machine does not do although the architecture says so.",
    "PG501": "The machine cannot do what the entry says: no trap covers it, or EL2 cannot stand in for the register.\n"
             "Allow it, pick another CPU, or accept the gap with a reason:  # ignore PG501: reason",
    "PG502": "The entry needs something that this CPU model or this version of the hypervisor does not have.",
    "PG601": "An assertion does not hold; the access shown breaks it. A child may `waive` a parent's, with a reason.",
    "PG602": "A test does not come out as written.",
    "PG603": "An assertion or test speaks of nothing that any entry decides.",
    "PG604": "A child writes an assertion that its parent has. Parents' assertions always hold.",
    "PG605": "Tests and assertions notice fewer flips of entries than `test --min` asks for.",
    "PG606": "A parent's assertion that this policy waives, with its reason.",
    "PG610": "`diff`: the guest gets more than it did: something refused is answered, something answered is real.",
    "PG611": "`diff`: the guest gets less than it did.",
    "PG612": "`diff`: the guest gets something else, neither more nor less.",
    "PG613": "`diff`: the same decision, logged or counted otherwise.",
    "PG614": "`diff`: a fact about machines changed, or a profile is on one side only.",
    "PG615": "`diff` of revisions: files of EL2, policygen or the build differ. No policy shows what they do to a guest.",
    "PG901": "A comment `# ignore ...` for something that is not reported.",
    "PG902": "A comment `# ignore ...` in the wrong form, without a reason, or for a code that cannot be ignored.",
}
