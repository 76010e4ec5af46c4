/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formats text: %s %c %d %u %x with `l`, width (or *), `-` and zero padding, and %.Ns; no more. On the console LF
 * becomes CR LF, and a byte that could begin a record, or look like an escaped one, becomes '?'.
 */
#include "lib/print.h"
#include "lib/string.h"

/* Where characters go: a caller's buffer, or a small one that is flushed to the console when full. */
struct out {
	char *buf;
	size_t size, used;
	bool console;
};

static void put(struct out *o, char ch)
{
	if (o->console && o->used == o->size) {
		console_raw(o->buf, o->used);
		o->used = 0;
	}
	if (o->used < o->size)
		o->buf[o->used++] = ch;
}

static void put_text(struct out *o, char ch)
{
	if (o->console && ch == '\n')
		put(o, '\r');
	put(o, o->console && (ch == RS || ch == US) ? '?' : ch);
}

static void pad(struct out *o, int n, char ch)
{
	for (; n > 0; n--)
		put(o, ch);
}

struct spec {
	bool left, zero, is_long;
	int width, precision; /* precision: -1 = none */
};

static void put_field(struct out *o, const struct spec *f, const char *s, int n)
{
	if (!f->left)
		pad(o, f->width - n, ' ');
	for (int i = 0; i < n; i++)
		put_text(o, s[i]);
	if (f->left)
		pad(o, f->width - n, ' ');
}

static void put_number(struct out *o, const struct spec *f, u64 v, unsigned base, bool negative)
{
	char digits[24];
	int n = sizeof(digits);

	do {
		digits[--n] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (f->zero && !f->left)
		while (n > (int)negative && (int)sizeof(digits) - n < f->width - negative)
			digits[--n] = '0';
	if (negative)
		digits[--n] = '-';
	put_field(o, f, digits + n, (int)sizeof(digits) - n);
}

static int field_number(const char **p, va_list *ap)
{
	int v = 0;

	if (**p == '*') {
		(*p)++;
		return va_arg(*ap, int);
	}
	for (; **p >= '0' && **p <= '9'; (*p)++)
		v = v < 1000 ? v * 10 + **p - '0' : v;
	return v;
}

/* One conversion; `p` points behind the '%'. Returns the rest of the format. */
static const char *convert(struct out *o, const char *p, va_list *ap)
{
	struct spec f = { .precision = -1 };
	const char *s;
	char ch;
	u64 v;

	for (; *p == '-' || *p == '0'; p++)
		*(*p == '-' ? &f.left : &f.zero) = true;
	f.width = field_number(&p, ap);
	if (*p == '.') {
		p++;
		f.precision = field_number(&p, ap);
	}
	for (; *p == 'l' || *p == 'z'; p++)
		f.is_long = true;

	switch (*p) {
	case 's':
		s = va_arg(*ap, const char *);
		if (!s)
			s = "(null)";
		for (v = 0; (f.precision < 0 || v < (u64)f.precision) && s[v]; v++)
			;
		put_field(o, &f, s, (int)v);
		break;
	case 'c':
		ch = (char)va_arg(*ap, int);
		put_field(o, &f, &ch, 1);
		break;
	case 'd':
		v = f.is_long ? va_arg(*ap, u64) : (u64)va_arg(*ap, int);
		put_number(o, &f, (s64)v < 0 ? -v : v, 10, (s64)v < 0);
		break;
	case 'u':
	case 'x':
		v = f.is_long ? va_arg(*ap, u64) : va_arg(*ap, unsigned);
		put_number(o, &f, v, *p == 'u' ? 10 : 16, false);
		break;
	case '%':
		put(o, '%');
		break;
	default: /* an unknown conversion is printed as it stands, so that it is found */
		put(o, '%');
		return p;
	}
	return p + 1;
}

static void format_to(struct out *o, const char *format, va_list *ap)
{
	while (*format)
		if (*format == '%')
			format = convert(o, format + 1, ap);
		else
			put_text(o, *format++);
}

void kvprintf(const char *format, va_list ap)
{
	char buf[96];
	struct out o = { .buf = buf, .size = sizeof(buf), .console = true };
	va_list copy;

	va_copy(copy, ap);
	format_to(&o, format, &copy);
	va_end(copy);
	console_raw(o.buf, o.used);
}

void kprintf(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	kvprintf(format, ap);
	va_end(ap);
}

size_t ksnprintf(char *buf, size_t size, const char *format, ...)
{
	struct out o = { .buf = buf, .size = size ? size - 1 : 0 };
	va_list ap;

	va_start(ap, format);
	format_to(&o, format, &ap);
	va_end(ap);
	if (size)
		buf[o.used] = '\0';
	return o.used;
}
