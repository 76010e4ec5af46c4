/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the boot arguments: `charter1 key=value ...`, NUL-terminated. Pure. */
#include "cpu/bootargs.h"
#include "cpu/log.h"

struct bootargs bootargs = { .log = -1 };

/* Steps over `word` if `*p` begins with it. */
static truth skip(const char **p, const char *end, const char *word)
{
	const char *s = *p;

	for (; *word; word++, s++)
		if (s == end || *s != *word)
			return false;
	*p = s;
	return true;
}

static truth number(const char **p, const char *end, u64 *out)
{
	u64 v = 0;
	const char *s = *p;

	for (; s < end && *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (u64)(*s - '0'), &v))
			return false;
	if (s == *p)
		return false;
	*out = v;
	*p = s;
	return true;
}

/* `part=base+size`, in the order of their addresses. */
static bool part(const char **p, const char *end, struct bootargs *out)
{
	struct boot_part *to = &out->parts[out->n_parts];

	return out->n_parts++ < BOOT_PARTS && number(p, end, &to->base) && skip(p, end, "+") && number(p, end, &to->size);
}

#define NUMBER(member) { #member "=", offsetof(struct bootargs, member) }

static bool word(const char **p, const char *end, struct bootargs *out)
{
	static const char *const modes[LOG_MODE_COUNT] = { LOG_MODES(AS_WORD) };
	static const struct {
		const char *name;
		size_t at;
	} numbers[] = { NUMBER(image), NUMBER(initrd), NUMBER(dtb), NUMBER(initrd_at), NUMBER(entry), NUMBER(x0) };

	if (skip(p, end, "unattended=1"))
		return out->unattended = true;
	if (skip(p, end, "esc=none"))
		return out->no_escape = true;
	if (skip(p, end, "guest=linux"))
		return out->is_linux = true;
	if (skip(p, end, "hv.init=\"")) {
		for (out->init = *p; *p < end && **p && **p != '"'; ++*p)
			;
		out->init_size = (size_t)(*p - out->init);
		return skip(p, end, "\"");
	}
	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		if (skip(p, end, numbers[i].name))
			return number(p, end, (u64 *)((char *)out + numbers[i].at));
	if (skip(p, end, "part="))
		return part(p, end, out);
	if (skip(p, end, "log="))
		for (unsigned i = 0; i < ARRAY_SIZE(modes); i++)
			if (skip(p, end, modes[i])) {
				out->log = (int)i;
				return true;
			}
	return false;
}

bool bootargs_parse(const char *text, size_t size, struct bootargs *out, const char **bad)
{
	const char *p = text, *end = text + size;

	*bad = NULL;
	if (!skip(&p, end, "charter1"))
		return true; /* no arguments: started by hand */
	while (p < end && *p) {
		const char *start = p;

		if (*p == ' ' || *p == '\n') {
			p++;
			continue;
		}
		if (!word(&p, end, out) || (p < end && *p && *p != ' ' && *p != '\n')) {
			*bad = start;
			return false;
		}
	}
	return true;
}
