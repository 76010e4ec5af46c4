/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one UART line and who may speak on it (README.md, "Byte rules"): guest bytes with RS and US escaped, records,
 * monitor text. Input: the escape key, the rest to the guest.
 */
#ifndef HV_CONSOLE_H
#define HV_CONSOLE_H

#include "lib/print.h"

struct cpu;

#define KEY_ESCAPE 0x1d /* ^] */

/*
 * The guest's console: RS goes out as US 'e', US as US 'f', all else verbatim. One byte, under the line's lock; false: too
 * much waits for the UART, and the byte is lost as by a full FIFO. Or text: how many bytes of it found room.
 */
bool console_guest(u8 byte);
u64 console_guest_text(const u8 *text, u64 n);
/* True while the guest has begun a line and not ended it. */
bool console_midline(void);
/* The line is this CPU's until it is released: what it says meanwhile stays together. Returns what to release it with. */
bool console_hold(void);
void console_release(bool held);
/* How many bytes of EL2's own the line takes without waiting for the UART. Nobody adds any who has not the log's lock. */
u32 console_room(void);
/* As much of what waits as the UART takes now; or all of it, and it is waited for. */
void console_pump(void);
void console_flush(void);
/* EL2's own bytes, verbatim: record text and monitor text. A guest line that is open is ended by CR LF first. */
void console_raw(const char *s, size_t n);
extern u64 console_guest_bytes; /* sent by the guest so far, unescaped */

/* UART interrupt: sends what waits, moves input bytes to the guest's ring or acts on the escape key (sets WORK_MONITOR). */
void console_input(struct cpu *c);
/* The guest's ring has room again: input that was held back goes on. Under the line's lock. */
void console_input_room(struct cpu *c);
/* Now and then: a lone ^] is the guest's after a second. */
void console_tick(struct cpu *c);
/* WORK_DEAF: says that the guest did not read, and lets what comes from now on in again. */
void console_deaf(struct cpu *c);
/*
 * One byte of input for the monitor: what the guest was sent but has no receiver for, then the UART. The CPU sleeps
 * until there is one, and must be the one that the UART's interrupt is routed to; returns -1 if nothing came within
 * `ms` milliseconds (0: do not wait; -1: for ever).
 * CONSOLE_BREAK for a BREAK.
 */
int console_getc(int ms);
extern bool console_polls; /* it does not sleep: after a panic interrupts may be in any state */
#define CONSOLE_BREAK 0x400

/* `traps -w`: WORK_WATCH every second from now on, until a key, which opens the monitor. */
void console_watch(void);
extern bool console_escape; /* ^] is examined */

#endif
