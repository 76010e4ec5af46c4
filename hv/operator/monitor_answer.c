/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to a command: complaints, refusals of a locked build, and `ok` for a program at the console. */
#include "lib/build.h"
#include "log/console.h"
#include "log/evidence.h"
#include "operator/monitor_cmd.h"

bool monitor_machine;
static bool failed; /* the running command */

void complain(const char *format, ...)
{
	va_list ap;

	failed = true;
	if (monitor_machine)
		kprintf("err: ");
	va_start(ap, format);
	kvprintf(format, ap);
	va_end(ap);
}

truth monitor_refuses(struct monitor *m, const char *action)
{
	char text[32];

	if (!build_locked)
		return false;
	ksnprintf(text, sizeof(text), "refused %s", action);
	log_note(m->c, text);
	complain("%s: this build is locked (LOCKED=1)\n", action);
	return true;
}

void monitor_begin(struct monitor *m)
{
	failed = false;
	m->lines = 0;
}

void monitor_end(void)
{
	if (monitor_machine && !failed)
		kprintf("ok\n");
}
