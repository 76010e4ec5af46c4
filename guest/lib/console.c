/* SPDX-License-Identifier: Apache-2.0 */
/* Text out: a formatter of five conversions, and whole lines by the console that the policy grants. */
#include "console.h"
#include "cpu.h"
#include "expect.h"
#include "guest_calls.h"
#include "trap.h"

#define PL011_DR      (GUEST_UART + 0x00)
#define PL011_FR      (GUEST_UART + 0x18)
#define PL011_FR_TXFF BIT(5)

struct text {
	char *bytes;
	u32 size, used;
};

static void put(struct text *t, char c)
{
	if (t->used + 1 < t->size)
		t->bytes[t->used++] = c;
}

static void put_string(struct text *t, const char *s)
{
	while (*s)
		put(t, *s++);
}

static void put_number(struct text *t, u64 value, unsigned base)
{
	char digits[20];
	u32 n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n)
		put(t, digits[--n]);
}

static void format_text(struct text *t, const char *format, va_list args)
{
	for (; *format; format++) {
		bool wide = false;

		if (*format != '%') {
			put(t, *format);
			continue;
		}
		if (*++format == 'l') {
			wide = true;
			format++;
		}
		if (*format == 's')
			put_string(t, va_arg(args, const char *));
		else if (*format == 'u' || *format == 'x')
			put_number(t, wide ? va_arg(args, u64) : va_arg(args, u32), *format == 'x' ? 16 : 10);
		else
			put(t, *format);
	}
	t->bytes[t->used] = '\0';
}

/* False: the policy gives the guest no such device. */
static bool put_pl011(char c)
{
	u64 full = 0;
	bool there = true;

	do
		there = TRY(full = cpu_read(PL011_FR, 2));
	while (there && (full & PL011_FR_TXFF));
	return there && TRY(cpu_write(PL011_DR, 2, (u8)c));
}

/*
 * A refusal may come from a rate limit: waits and tries again, but not for ever. If neither console works, the guest
 * goes on in silence.
 */
static void send(const char *bytes, u64 length)
{
	static const struct expect write = EXPECT_HV_CONSOLE_WRITE;
	struct trap_caught caught = trap_caught;
	u32 patience = 300;

	while (expect_works(&write) && length && patience) {
		s64 taken = (s64)cpu_hvc(HV_CONSOLE_WRITE, (u64)bytes, length, 0);

		if (taken > 0) {
			bytes += taken;
			length -= (u64)taken;
		} else {
			patience--;
			cpu_wait_us(10000);
		}
	}
	while (length && put_pl011(*bytes)) {
		bytes++;
		length--;
	}
	trap_caught = caught;
}

static void send_line(struct text *t)
{
	t->bytes[t->used++] = '\n';
	send(t->bytes, t->used);
}

void console_line(const char *format, ...)
{
	static char bytes[160];
	struct text t = { .bytes = bytes, .size = sizeof(bytes) - 1 };
	va_list args;

	va_start(args, format);
	format_text(&t, format, args);
	va_end(args);
	send_line(&t);
}

void console_sentence(const char *verdict, const char *subject, const char *format, va_list args)
{
	static char bytes[160];
	struct text t = { .bytes = bytes, .size = sizeof(bytes) - 1 };

	put_string(&t, verdict);
	put_string(&t, ": ");
	put_string(&t, subject);
	put_string(&t, ": ");
	format_text(&t, format, args);
	send_line(&t);
}

void console_list_add(struct console_list *list, const char *format, ...)
{
	struct text t = { .bytes = list->text, .size = sizeof(list->text), .used = list->used };
	va_list args;

	if (t.used)
		put_string(&t, ", ");
	va_start(args, format);
	format_text(&t, format, args);
	va_end(args);
	list->used = t.used;
}
