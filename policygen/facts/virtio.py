# SPDX-License-Identifier: Apache-2.0
"""A policy's words for a virtio device, besides its model; in a row they are `mask`: requests << 32 | bits withheld."""
from __future__ import annotations

from typing import Dict, List, Optional, Set

WORD = 0xffffffff
FASTEST = 1000000                       # requests a second, at most: EL2 counts in ticks of its clock

# Feature bits of virtio 1.1, by device type; `any` are those of every device.
TYPES = {
    "any": "NOTIFY_ON_EMPTY=24 ANY_LAYOUT=27 INDIRECT_DESC=28 EVENT_IDX=29 VERSION_1=32 ACCESS_PLATFORM=33 "
           "RING_PACKED=34 IN_ORDER=35 ORDER_PLATFORM=36 SR_IOV=37 NOTIFICATION_DATA=38",
    "net": "CSUM=0 GUEST_CSUM=1 CTRL_GUEST_OFFLOADS=2 MTU=3 MAC=5 GSO=6 GUEST_TSO4=7 GUEST_TSO6=8 GUEST_ECN=9 "
           "GUEST_UFO=10 HOST_TSO4=11 HOST_TSO6=12 HOST_ECN=13 HOST_UFO=14 MRG_RXBUF=15 STATUS=16 CTRL_VQ=17 "
           "CTRL_RX=18 CTRL_VLAN=19 CTRL_RX_EXTRA=20 GUEST_ANNOUNCE=21 MQ=22 CTRL_MAC_ADDR=23",
    "blk": "BARRIER=0 SIZE_MAX=1 SEG_MAX=2 GEOMETRY=4 RO=5 BLK_SIZE=6 SCSI=7 FLUSH=9 TOPOLOGY=10 CONFIG_WCE=11 MQ=12 "
           "DISCARD=13 WRITE_ZEROES=14",
    "console": "SIZE=0 MULTIPORT=1 EMERG_WRITE=2",
}
BITS: Dict[str, Dict[str, int]] = {
    kind: {f"VIRTIO_{'' if kind == 'any' else kind.upper() + '_'}F_{name}": int(bit)
           for name, bit in (word.split("=") for word in text.split())} for kind, text in TYPES.items()}
ALWAYS = "VIRTIO_F_VERSION_1"           # every modern transport has it, no legacy one, so that a policy cannot choose
READ_ONLY = "VIRTIO_BLK_F_RO"
# Features that hv/dev/virtio.c can offer (its OFFER_...), in bits of the lower word.
OFFERED = {"any": 1 << 27, "net": 0x1fffff, "blk": 0x6e76, "console": 1}
MODELS = {"virtio-blk": ("blk",), "virtio-blk-ro": ("blk",), "virtio-net": ("net",),
          "virtio-mmio": ("net", "blk", "console")}


def speaks_of(model: Optional[str]) -> bool:
    return model is not None and model.startswith("virtio-")


def features(model: str) -> Dict[str, int]:
    """Names of this model's features, with their bits."""
    return {name: bit for kind in ("any",) + MODELS[model] for name, bit in BITS[kind].items()}


def offered(model: str, name: str) -> bool:
    return name == ALWAYS or any(BITS[kind].get(name, 32) < 32 and OFFERED[kind] >> BITS[kind][name] & 1
                                 for kind in ("any",) + MODELS[model])


def within(model: str) -> int:
    """The bits that a policy can withhold. A disk always shows that it is read-only."""
    bits = OFFERED["any"]
    for kind in MODELS[model]:
        bits |= OFFERED[kind]
    return bits & ~(1 << BITS["blk"][READ_ONLY]) if model == "virtio-blk-ro" else bits


def mask(model: str, offer: Optional[int], requests: Optional[int]) -> Optional[int]:
    """None: all that EL2 can offer, at any rate."""
    return (0 if offer is None else within(model) & ~offer) | (requests or 0) << 32 or None


def parts(model: Optional[str], packed: Optional[int]) -> List[str]:
    """The pairs as a policy has them. On transports for any device a feature is a number, as one bit has several names."""
    withheld, requests = (packed or 0) & WORD, (packed or 0) >> 32
    out = []
    if withheld and model is not None:
        left = within(model) & ~withheld
        names = [name for name, bit in features(model).items() if left >> bit & 1]
        if model == "virtio-blk-ro":
            names.append(READ_ONLY)
        named = len(MODELS[model]) == 1 and names
        out.append(f"offer: [{', '.join(names)}]" if named else f"offer: {left:#x}" if left else "offer: 0")
    return out + ([f"requests: {requests}/s"] if requests else [])


def signs(old: int, new: int) -> Set[str]:
    """+ if the new one gives more, - if it gives less."""
    before, after = old & WORD, new & WORD
    out = {sign for sign, bits in (("+", before & ~after), ("-", after & ~before)) if bits}
    slow, fast = old >> 32 or WORD, new >> 32 or WORD
    return out | ({"+" if fast > slow else "-"} if fast != slow else set())
