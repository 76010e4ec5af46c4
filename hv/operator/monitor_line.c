/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's line: editing, history, completion, paging. Draws with CR and BS only, for any terminal. A line longer
 * than the terminal's width scrolls under the cursor: neither CR nor BS goes back to the row above.
 */
#include "lib/string.h"
#include "log/console.h"
#include "operator/monitor_cmd.h"

#define HISTORY    16
#define ESCAPE_MS  20
#define HINT_MS    60000
#define PAGE_LINES 200 /* where the terminal does not tell */
#define ASK_AFTER  20  /* lines: no screen is lower */
#define ASK_MS     200

#define CTRL(ch)  ((ch) & 0x1f)
#define ESC       0x1b
#define DEL       0x7f
/* Keys beyond bytes: escape sequences. */
enum { KEY_UP = 0x200, KEY_DOWN, KEY_RIGHT, KEY_LEFT, KEY_HOME, KEY_END, KEY_DELETE, KEY_NONE };

static char history[HISTORY][MONITOR_LINE];
static unsigned history_count; /* lines ever stored */
static unsigned columns = 80;  /* of the operator's terminal */
static unsigned rows;          /* ... 0: not asked yet */
bool monitor_echoes = true;
char monitor_prompt[PROMPT_MAX + 1] = "hv> ";
static bool after_cr;          /* an LF after the CR that ended a line is ignored */

struct editor {
	char *text;
	size_t length, cursor;
	size_t shown;  /* characters on the screen */
	monitor_candidates *candidate;
	unsigned back; /* lines back in history; 0: the new line */
};

/* Reads the rest of an escape sequence. ESC alone, or one slower than 20 ms a byte, is ignored. */
static int escape_sequence(void)
{
	static const u16 letters[] = { ['A'] = KEY_UP,   ['B'] = KEY_DOWN, ['C'] = KEY_RIGHT,
				       ['D'] = KEY_LEFT, ['F'] = KEY_END,  ['H'] = KEY_HOME };
	int ch = console_getc(ESCAPE_MS), digit = 0;

	if (ch != '[' && ch != 'O')
		return KEY_NONE;
	for (unsigned i = 0; i < 8; i++) {
		ch = console_getc(ESCAPE_MS);
		if (ch >= 0x40 || ch < 0)
			break;
		if (!digit)
			digit = ch;
	}
	if (ch == '~')
		return digit == '3' ? KEY_DELETE : digit == '1' ? KEY_HOME : digit == '4' ? KEY_END : KEY_NONE;
	if (ch < 0 || (unsigned)ch >= ARRAY_SIZE(letters) || !letters[ch])
		return KEY_NONE;
	return letters[ch];
}

static int get_key(struct monitor *m)
{
	int ch = console_getc(0);

	if (ch < 0) {
		m->interactive = true;
		ch = console_getc(HINT_MS);
	}
	if (ch == '\n' && after_cr)
		ch = KEY_NONE;
	after_cr = ch == '\r';
	return ch == ESC ? escape_sequence() : ch;
}

void monitor_columns(unsigned n)
{
	columns = n;
	rows = 0;
}

/* Position after the last character, where the cursor can stand. */
static size_t view(void)
{
	return columns - 1 - strlen(monitor_prompt);
}

/* Draws the line, or the part of it around the cursor that fits. */
static void redraw(struct editor *e)
{
	size_t first = e->cursor > view() ? e->cursor - view() : 0, n = e->length - first, wipe;

	if (n > view())
		n = view();
	wipe = e->shown > n ? e->shown - n : 0;
	if (!monitor_echoes)
		return;
	kprintf("\r%s%.*s%*s", monitor_prompt, (int)n, e->text + first, (int)wipe, "");
	for (size_t i = first + n + wipe; i > e->cursor; i--)
		kprintf("\b");
	e->shown = n;
}

static void insert(struct editor *e, char ch)
{
	if (e->length == MONITOR_LINE - 1) {
		kprintf("\a");
		return;
	}
	memmove(e->text + e->cursor + 1, e->text + e->cursor, e->length - e->cursor + 1);
	e->text[e->cursor++] = ch;
	e->length++;
	if (!monitor_echoes)
		return;
	if (e->cursor == e->length && e->length <= view()) {
		kprintf("%c", ch);
		e->shown = e->length;
	} else {
		redraw(e);
	}
}

/* Removes [from, to) and moves the cursor to the gap. */
static void cut(struct editor *e, size_t from, size_t to)
{
	memmove(e->text + from, e->text + to, e->length - to + 1);
	e->length -= to - from;
	e->cursor = from;
	redraw(e);
}

static void recall(struct editor *e, unsigned back)
{
	if (back > history_count || back > HISTORY)
		return;
	e->back = back;
	e->text[0] = '\0';
	if (back)
		memcpy(e->text, history[(history_count - back) % HISTORY], MONITOR_LINE);
	e->length = e->cursor = strlen(e->text);
	redraw(e);
}

static void remember(const char *line)
{
	const char *last = history[(history_count - 1) % HISTORY];

	if (*line && (!history_count || strcmp(last, line)))
		memcpy(history[history_count++ % HISTORY], line, MONITOR_LINE);
}

static size_t word_start(const struct editor *e)
{
	size_t i = e->cursor;

	while (i && e->text[i - 1] == ' ')
		i--;
	while (i && e->text[i - 1] != ' ')
		i--;
	return i;
}

/* Tab: completes the word before the cursor as far as the candidates agree; else lists them. */
static void complete(struct editor *e)
{
	size_t start = e->cursor, n, common = 0, name = 0;
	const char *found;
	char word[WORD_MAX], first[WORD_MAX] = "";
	unsigned matches = 0;

	while (start && e->text[start - 1] != ' ')
		start--;
	n = e->cursor - start;
	while (start && e->text[name] && e->text[name] != ' ')
		name++;
	for (unsigned i = 0; (found = e->candidate(e->text, name, i, word)); i++) {
		if (strncmp(found, e->text + start, n))
			continue;
		if (!matches++)
			common = ksnprintf(first, sizeof(first), "%s", found);
		while (strncmp(found, first, common))
			common--;
	}
	if (!matches) {
		kprintf("\a");
		return;
	}
	if (common == n && matches > 1) {
		kprintf("\n ");
		for (unsigned i = 0; (found = e->candidate(e->text, name, i, word)); i++)
			if (!strncmp(found, e->text + start, n))
				kprintf(" %s", found);
		kprintf("\n");
		redraw(e);
		return;
	}
	while (n < common)
		insert(e, first[n++]);
	if (matches == 1)
		insert(e, ' ');
}

static void edit(struct editor *e, int key)
{
	switch (key) {
	case '\b':
	case DEL:
		if (e->cursor)
			cut(e, e->cursor - 1, e->cursor);
		break;
	case KEY_DELETE:
		if (e->cursor < e->length)
			cut(e, e->cursor, e->cursor + 1);
		break;
	case CTRL('u'):
		cut(e, 0, e->cursor);
		break;
	case CTRL('w'):
		cut(e, word_start(e), e->cursor);
		break;
	case CTRL('k'):
		cut(e, e->cursor, e->length);
		break;
	case CTRL('a'):
	case KEY_HOME:
		e->cursor = 0;
		redraw(e);
		break;
	case CTRL('e'):
	case KEY_END:
		e->cursor = e->length;
		redraw(e);
		break;
	case KEY_LEFT:
		if (e->cursor) {
			e->cursor--;
			redraw(e);
		}
		break;
	case KEY_RIGHT:
		if (e->cursor < e->length) {
			e->cursor++;
			redraw(e);
		}
		break;
	case KEY_UP:
		recall(e, e->back + 1);
		break;
	case KEY_DOWN:
		if (e->back)
			recall(e, e->back - 1);
		break;
	case CTRL('c'):
		kprintf("^C\n");
		*e = (struct editor){ .text = e->text, .candidate = e->candidate };
		e->text[0] = '\0';
		redraw(e);
		break;
	case '\t':
		complete(e);
		break;
	default: /* printable; other bytes (BREAK, stray control characters) are ignored */
		if (key >= ' ' && key < DEL)
			insert(e, (char)key);
	}
}

truth monitor_line(struct monitor *m, char line[MONITOR_LINE], monitor_candidates *candidate)
{
	struct editor e = { .text = line, .candidate = candidate };

	memset(line, 0, MONITOR_LINE);
	m->interactive = false;
	kprintf("%s", monitor_prompt);
	for (;;) {
		int key = get_key(m);

		if (key == '\r' || key == '\n') {
			if (monitor_echoes)
				kprintf("\n");
			remember(line);
			return true;
		}
		if (key == CTRL('d') && !e.length) {
			kprintf("\n");
			return false;
		}
		if (key >= 0) {
			edit(&e, key);
		} else if (!e.length) { /* after a minute of silence */
			kprintf("\a\r-- the guest stands still: `cont` lets it go on, `help` helps --\n");
			redraw(&e);
		}
	}
}

truth monitor_key(const struct monitor *m)
{
	int key = m->interactive ? console_getc(0) : -1;

	return key >= 0 && !(key == '\n' && after_cr);
}

/* Asks for the terminal's size: the cursor goes as far as it can, says where it is, and comes back. */
static void ask_size(void)
{
	unsigned n[2] = { 0, 0 }, i = 0;
	int ch = 0;

	rows = PAGE_LINES;
	kprintf("\0337\033[999;999H\033[6n\0338");
	if (console_getc(ASK_MS) != ESC)
		return;
	while (ch != 'R' && (ch = console_getc(ESCAPE_MS)) >= 0)
		if (ch == ';')
			i = 1;
		else if (ch >= '0' && ch <= '9')
			n[i] = n[i] * 10 + (unsigned)(ch - '0');
	if (n[0] < ASK_AFTER || n[1] < COLUMNS_MIN || n[1] > COLUMNS_MAX)
		return;
	rows = n[0];
	columns = n[1];
}

truth monitor_more(struct monitor *m)
{
	int key;

	if (++m->lines < ASK_AFTER || !m->interactive)
		return true;
	if (!rows)
		ask_size();
	if (m->lines < rows - 1)
		return true;
	m->lines = 0;
	kprintf("-- more --");
	do
		key = console_getc(-1);
	while (key == CONSOLE_BREAK);
	kprintf("\r          \r");
	after_cr = key == '\r';
	return key != 'q' && key != CTRL('c') && key != ESC;
}

void monitor_echo(struct monitor *m, const char *args)
{
	truth on = take_exactly(&args, "on");

	(void)m;
	if ((on || take_exactly(&args, "off")) && !*args)
		monitor_echoes = on;
	else
		complain("echo on | off\n");
}

void monitor_history(struct monitor *m, const char *args)
{
	unsigned n = history_count < HISTORY ? history_count : HISTORY;

	(void)m;
	if (!no_more(args))
		return;
	for (; n; n--)
		kprintf("%s\n", history[(history_count - n) % HISTORY]);
}
