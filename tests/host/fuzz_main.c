/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer's place without clang: calls the target with bytes from seeds. argv: first seed, number of seeds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most input is made of words: random bytes alone never form a command. */
static const char *const words[] = {
	"\n", "help ", "x/4x ", "w4 ", "set x3 ", "log tail ", "policy show r1", "xlat ", "regs\n", "step ", "bp ", "dis ",
	"0x40000000", " -1 ", "gdb\n", "$g#67", "$m40000000,40#", "$G", "#00", "+", "\x1d", "\x7f", "\t", "\x1b[A", "cont\n",
	"log=full ", "image=", "initrd=4294967295 ", "dtb=64 ", "hv.init=\"", "\" ", "unattended=1 ",
};

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int main(int argc, char **argv)
{
	unsigned long first = argc > 1 ? strtoul(argv[1], NULL, 0) : 1, n = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;

	for (unsigned long seed = first; seed < first + n; seed++) {
		unsigned long state = seed;
		unsigned char data[512];
		size_t size = 0, most;

		for (most = 1 + seed % 400; size < most;) {
			unsigned long v;

			state = state * 6364136223846793005UL + 1442695040888963407UL;
			v = state >> 33;
			if (v & 1) {
				const char *word = words[v / 2 % (sizeof(words) / sizeof(*words))];

				memcpy(data + size, word, strlen(word));
				size += strlen(word);
			} else {
				data[size++] = (unsigned char)(v >> 8);
			}
		}
		LLVMFuzzerTestOneInput(data, size);
	}
	fprintf(stderr, "played=%lu\n", n);
	return 0;
}
