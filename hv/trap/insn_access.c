/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions by their encoding, in two tables: how the address is made, and what the syndrome of one access would say. */
#include "trap/insn_access.h"
#include "cpu/esr.h"

/* The address: the base register, and an immediate field of `bits` at `lsb`, or an extended register. */
enum mode { POST_INDEX, PRE_INDEX, OFFSET, UNSIGNED, REGISTER };

static const struct format {
	u32 mask, value;
	u8 mode, lsb, bits;
	bool pair, scaled;
} formats[] = {
	/* LDNP, STNP: of X, of V; LDP, STP, LDPSW: post-index, offset, pre-index */
	{ 0x7f800000, 0x28000000, OFFSET,     15, 7, true, true },
	{ 0x3f800000, 0x2c000000, OFFSET,     15, 7, true, true },
	{ 0x3b800000, 0x28800000, POST_INDEX, 15, 7, true, true },
	{ 0x3b800000, 0x29000000, OFFSET,     15, 7, true, true },
	{ 0x3b800000, 0x29800000, PRE_INDEX,  15, 7, true, true },
	/* LDR, STR: post-index, pre-index; of V alone: unscaled, unsigned and register offset; those of X have a syndrome */
	{ 0x3b200c00, 0x38000400, POST_INDEX, 12, 9, false, false },
	{ 0x3b200c00, 0x38000c00, PRE_INDEX,  12, 9, false, false },
	{ 0x3f200c00, 0x3c000000, OFFSET,     12, 9, false, false },
	{ 0x3f000000, 0x3d000000, UNSIGNED,   10, 12, false, true },
	{ 0x3f204c00, 0x3c204800, REGISTER,   16, 5, false, false },
};

#define QUAD 1UL /* where no such ISS has a bit: two accesses of 64 bits */
#define WNR  DABT_WNR
#define SF   DABT_SF
#define SSE  DABT_SSE
#define ISS(log2, bits) (u32)(DABT_ISV | (u64)(log2) << 22 | 31 << 16 | (bits))

/* By pair, V[26], opc[23:22] (of a pair: L is [22]) and size[31:30]; 0: there is none, or a prefetch. */
static const u32 accesses[2][2][4][4] = {
	{
		{
			{ ISS(0, WNR), ISS(1, WNR), ISS(2, WNR), ISS(3, WNR | SF) },
			{ ISS(0, 0), ISS(1, 0), ISS(2, 0), ISS(3, SF) },
			{ ISS(0, SSE | SF), ISS(1, SSE | SF), ISS(2, SSE | SF), 0 },
			{ ISS(0, SSE), ISS(1, SSE), 0, 0 },
		}, {
			{ ISS(0, WNR | SF), ISS(1, WNR | SF), ISS(2, WNR | SF), ISS(3, WNR | SF) },
			{ ISS(0, SF), ISS(1, SF), ISS(2, SF), ISS(3, SF) },
			{ ISS(3, WNR | SF | QUAD), 0, 0, 0 },
			{ ISS(3, SF | QUAD), 0, 0, 0 },
		},
	}, {
		{
			{ ISS(2, WNR), 0, ISS(3, WNR | SF), 0 },
			{ ISS(2, 0), ISS(2, SSE | SF), ISS(3, SF), 0 },
		}, {
			{ ISS(2, WNR | SF), ISS(3, WNR | SF), ISS(3, WNR | SF | QUAD), 0 },
			{ ISS(2, SF), ISS(3, SF), ISS(3, SF | QUAD), 0 },
		},
	},
};

/* The low `bits` of `v`, with its sign or without. */
static u64 low(u64 v, unsigned bits, bool sign)
{
	v <<= 64 - bits;
	return sign ? (u64)((s64)v >> (64 - bits)) : v >> (64 - bits);
}

truth insn_access(u32 insn, const u64 *x, struct insn_access *a)
{
	const struct format *f = formats;
	u64 offset;
	u32 iss;
	unsigned log2;

	while ((insn & f->mask) != f->value)
		if (++f == formats + ARRAY_SIZE(formats))
			return false;
	iss = accesses[f->pair][insn >> 26 & 1][insn >> 22 & (3 >> f->pair)][insn >> 30];
	log2 = dabt_log2_size(iss) + (iss & QUAD);
	offset = low(insn >> f->lsb, f->bits, f->mode < UNSIGNED);
	if (f->mode == REGISTER) { /* option[15:13]; S[12] below */
		offset = x[offset];
		if (!(insn & BIT(13)))
			offset = low(offset, 32, insn & BIT(15));
	}
	if (f->scaled || (f->mode == REGISTER && insn & BIT(12)))
		offset <<= log2;
	*a = (struct insn_access){
		.iss = iss & ~QUAD, .rn = FIELD(insn, 9, 5), .rt = { insn & 31, FIELD(insn, 14, 10) }, .pair = f->pair,
		.quad = iss & QUAD, .vector = insn >> 26 & 1, .first = f->mode == POST_INDEX ? 0 : offset,
		.step = f->mode <= PRE_INDEX ? offset : 0,
	};
	if (f->pair && !(iss & WNR) && a->rt[0] == a->rt[1]) /* two loads into one */
		return false;
	if (f->mode <= PRE_INDEX && !a->vector && a->rn != 31 && (a->rn == a->rt[0] || (f->pair && a->rn == a->rt[1])))
		return false;
	return iss != 0;
}
