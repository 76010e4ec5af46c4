/* SPDX-License-Identifier: Apache-2.0 */
/* gdb's remote protocol over the UART: a second door to the monitor, never a dependency. */
#ifndef HV_GDB_H
#define HV_GDB_H

#include "log/line.h"
#include "operator/monitor_cmd.h"

/* From the prompt: the line is gdb's from now on. */
void gdb_begin(struct monitor *m);
/* The guest has stopped under gdb: answers packets. True: it goes on; false: the operator has the prompt again. */
bool gdb_session(struct monitor *m);

#endif
