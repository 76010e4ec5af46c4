/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of the operator's commands: words, numbers, addresses; and memory at such an address. */
#include "arch/arch.h"
#include "lib/string.h"
#include "log/console.h"
#include "operator/monitor_cmd.h"
#include "vm/guestmem.h"

#define RAM_FIRST ((u64)RAM_PA) /* memory that `pa:` may read: RAM, never a device, where reads have effects */
#define RAM_LAST  (RAM_FIRST + RAM_SIZE - 1)

const char *const space_names[] = { [SPACE_VA] = "", [SPACE_IPA] = "ipa:", [SPACE_PA] = "pa:" };

const char *skip_blanks(const char *s)
{
	while (*s == ' ')
		s++;
	return s;
}

truth take_word(const char **args, const char *word)
{
	const char *s = *args;
	size_t n = 0;

	while (s[n] && s[n] != ' ')
		n++;
	if (!n || strncmp(s, word, n))
		return false;
	*args = skip_blanks(s + n);
	return true;
}

truth take_exactly(const char **args, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*args, word, n) || ((*args)[n] && (*args)[n] != ' '))
		return false;
	*args = skip_blanks(*args + n);
	return true;
}

static int digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : 99;
}

static unsigned suffix_shift(char ch)
{
	return ch == 'k' || ch == 'K' ? 10 : ch == 'M' ? 20 : ch == 'G' ? 30 : 0;
}

truth take_number(const char **args, u64 *value)
{
	const char *s = *args, *start;
	unsigned base = 10, shift;
	u64 v = 0;

	if (s[0] == '0' && (s[1] | 0x20) == 'x') {
		base = 16;
		s += 2;
	}
	for (start = s; digit(*s) < (int)base; s++) {
		if (v > (~0UL - (u64)digit(*s)) / base)
			return false;
		v = v * base + (u64)digit(*s);
	}
	if (s == start)
		return false;
	shift = suffix_shift(*s);
	if (shift) {
		if (v << shift >> shift != v)
			return false;
		v <<= shift;
		s++;
	}
	*value = v;
	*args = s;
	return true;
}

static bool is_name(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '_';
}

#define IN_FRAME(member) (u16)__builtin_offsetof(struct trap_frame, member)

static const struct {
	char name[8];
	u16 at;
} frame_registers[] = {
	{ "pc", IN_FRAME(elr_el2) }, { "lr", IN_FRAME(x[30]) },       { "fp", IN_FRAME(x[29]) },   { "spsr", IN_FRAME(spsr_el2) },
	{ "sp_el0", IN_FRAME(sp_el0) }, { "sp_el1", IN_FRAME(sp_el1) },
	{ "esr", IN_FRAME(esr_el2) },   { "far", IN_FRAME(far_el2) }, { "hpfar", IN_FRAME(hpfar_el2) }, /* only read */
};
#define WRITABLE 6

/* The first `most` of the frame's registers, and x0 to x30. */
static u64 *in_frame(struct trap_frame *f, const char *s, size_t n, unsigned most)
{
	const char *digits = s + 1;
	u64 i;

	if (n == 2 && !strncmp(s, "sp", 2)) /* of the guest's current mode */
		return (f->spsr_el2 & 0x1f) == 5 ? &f->sp_el1 : &f->sp_el0;
	for (i = 0; i < most; i++)
		if (!strncmp(frame_registers[i].name, s, n) && !frame_registers[i].name[n])
			return (u64 *)((char *)f + frame_registers[i].at);
	if (s[0] != 'x' || !take_number(&digits, &i) || digits != s + n || i > 30)
		return NULL;
	return &f->x[i];
}

u64 *guest_register(struct trap_frame *f, const char *s, size_t n)
{
	return in_frame(f, s, n, WRITABLE);
}

static truth register_value(struct trap_frame *f, const char *s, size_t n, u64 *value)
{
	const u64 *place = in_frame(f, s, n, ARRAY_SIZE(frame_registers));
	bool zero = n == 3 && !strncmp(s, "xzr", 3);

	if (place || zero)
		*value = zero ? 0 : *place;
	return place || zero;
}

static truth take_term(struct monitor *m, const char **args, u64 *value)
{
	const char *s = *args;
	size_t n = 0;

	if (*s != '$') {
		if (take_number(args, value))
			return true;
		complain("no address at '%s': a number, $pc, $sp, $x0 ... with + and -\n", s);
		return false;
	}
	s++;
	while (is_name(s[n]))
		n++;
	if (!n || !register_value(&m->c->frame, s, n, value)) {
		complain("no register '$%.*s': $x0..$x30 $pc $sp $lr $fp $sp_el0 $sp_el1 $far\n", (int)n, s);
		return false;
	}
	*args = s + n;
	return true;
}

truth take_address(struct monitor *m, const char **args, struct address *out)
{
	const char *s = skip_blanks(*args);
	u64 term;

	out->space = SPACE_VA;
	for (unsigned i = SPACE_IPA; i <= SPACE_PA; i++)
		if (!strncmp(s, space_names[i], strlen(space_names[i]))) {
			out->space = i;
			s += strlen(space_names[i]);
		}
	if (!take_term(m, &s, &out->value))
		return false;
	for (;;) {
		char op;

		s = skip_blanks(s);
		op = *s;
		if (op != '+' && op != '-')
			break;
		s = skip_blanks(s + 1);
		if (!take_term(m, &s, &term))
			return false;
		out->value += op == '+' ? term : -term;
	}
	*args = s;
	return true;
}

truth no_more(const char *args)
{
	if (!*args)
		return true;
	complain("'%s' was not expected; `help CMD` shows what is\n", args);
	return false;
}

size_t read_memory(const struct address *from, void *to, size_t size)
{
	u64 at = from->value;
	u8 *out = to;
	size_t done = 0;

	if (from->space == SPACE_VA)
		return guest_read_va(at, to, size);
	/* Byte by byte: bytes are read up to the first that cannot be. */
	for (; done < size; done++, at++) {
		u64 byte;

		if (from->space == SPACE_IPA) {
			const u8 *p = guest_ram(at, 1);

			if (!p)
				break;
			byte = *p;
		} else if (at < RAM_FIRST || at > RAM_LAST || !guarded_read(at, 1, &byte)) {
			break;
		}
		out[done] = (u8)byte;
	}
	return done;
}

size_t write_memory(const struct address *to, const void *from, size_t size)
{
	const u8 *in = from;
	size_t done = 0;
	u64 ipa, par;

	for (; done < size; done++) {
		u64 at = to->value + done;
		u8 *p = NULL;

		/* The operator may write memory that the guest itself may only read, such as its code. */
		if (to->space == SPACE_VA && guest_translate(at, 0, &ipa, &par))
			p = guest_ram(ipa, 1);
		else if (to->space != SPACE_VA)
			p = guest_ram(to->space == SPACE_PA ? at - GUEST_PA + GUEST_IPA : at, 1);
		if (!p)
			break;
		*p = in[done];
		dc_civac(p);
	}
	dsb_ish();
	ic_ialluis();
	return done;
}

static void say_fault(u64 par)
{
	static const char *const kinds[4] = { "address size fault", "translation fault", "access flag fault",
					      "permission fault" };
	unsigned status = (unsigned)FIELD(par, 6, 1);

	if (status < 16)
		kprintf("no translation: %s, level %u, stage %u; see xlat\n", kinds[status >> 2],
			status & 3, par & BIT(9) ? 2 : 1);
	else
		kprintf("no translation: fault status 0x%x; see xlat\n", status);
}

void say_unreadable(const struct address *a)
{
	const struct window_info *w;
	u64 ipa = a->value, par;

	complain("%s0x%lx: ", space_names[a->space], a->value);
	if (a->space == SPACE_PA) {
		kprintf("not RAM that EL2 may read\n");
		return;
	}
	if (a->space == SPACE_VA && !guest_translate(a->value, 0, &ipa, &par)) {
		say_fault(par);
		return;
	}
	w = policy_window(ipa);
	if (w)
		kprintf("ipa 0x%lx is no RAM: window %s\n", ipa, w->name);
	else
		kprintf("ipa 0x%lx is no RAM\n", ipa);
}

truth take_rule(const char **args, unsigned *rule)
{
	const char *s = **args == 'r' ? *args + 1 : *args;
	u64 n;

	if (!take_number(&s, &n) || n >= policy_n_rules || (*s && *s != ' ')) {
		complain("which rule? r0 to r%u; `policy hits` lists them\n", policy_n_rules - 1u);
		return false;
	}
	*rule = (unsigned)n;
	*args = skip_blanks(s);
	return true;
}
