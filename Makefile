# SPDX-License-Identifier: Apache-2.0
# Charter: one Makefile, everything it makes is under build/. `make help` lists what there is.

# What Linux is run under unless POLICY= says otherwise: it boots there.
POLICY ?= $(if $(filter run-linux test-linux-smoke,$(MAKECMDGOALS)),permissive,default)
MODE ?=
LOG ?=
# What the monitor does before the guest starts: HVINIT="bp 0x40001000; log mode full; cont".
HVINIT ?=
UNATTENDED ?=
LOCKED ?=
# MONITOR=0: an image without monitor, gdb's stub and their breakpoints; the whole line is the guest's.
MONITOR ?= 1
# Seconds after which an unattended guest that has not ended is stopped.
TIMEOUT ?=
LIMITED = $(if $(TIMEOUT),timeout --foreground $(TIMEOUT))
SMP ?= 1
CPU ?= cortex-a57
V ?= 0

CROSS_COMPILE ?= aarch64-linux-gnu-
CC := $(CROSS_COMPILE)gcc
OBJCOPY := $(CROSS_COMPILE)objcopy
OBJDUMP := $(CROSS_COMPILE)objdump
QEMU ?= qemu-system-aarch64

# The first Python that has what policygen needs: Debian's, for which `make setup` installs it, or another. Looked for
# once, when it is first needed, which may be behind `setup`.
ifeq ($(origin PYTHON),undefined)
PYTHON = $(eval PYTHON := $(shell for p in /usr/bin/python3 python3; do \
	$$p -c 'import yaml, jinja2' 2>/dev/null && { echo $$p; break; }; done))$(PYTHON)
endif

B ?= build
G := $(B)/gen
ELF := $(B)/hypervisor.elf

.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all
ifeq ($(V),0)
Q := @
say = @printf '  %-8s %s\n' '$(1)' '$(2)'
else
Q :=
say = @:
endif

# ---- checks that give one clear line -----------------------------------------------------------------------------

need = $(if $(shell command -v $(1) 2>/dev/null),,$(error $(1) is missing: run `make setup` (Debian package $(2))))
BUILDS := $(filter-out clean help setup lint replay qemu-backports,$(or $(MAKECMDGOALS),all))
ifneq ($(BUILDS),)
# `make setup run` installs first: what is missing is asked for only when setup is not part of the same command.
ifneq ($(filter setup,$(MAKECMDGOALS)),)
.NOTPARALLEL:
else
$(call need,$(CC),gcc-aarch64-linux-gnu)
ifeq ($(PYTHON),)
$(error no python3 with PyYAML and Jinja2: run `make setup` (Debian packages python3-yaml python3-jinja2))
endif
endif
PROFILES := $(sort $(basename $(notdir $(wildcard policy/*.yaml))))
ifeq ($(filter $(POLICY),$(PROFILES))$(wildcard $(filter %.yaml,$(POLICY))),)
$(error POLICY=$(POLICY): no such profile or file; there are: $(PROFILES))
endif
ifeq ($(filter 0 1,$(MONITOR)),)
$(error MONITOR=$(MONITOR): 0 or 1)
endif
ifneq ($(if $(filter 0,$(MONITOR)),$(HVINIT)$(LOCKED)),)
$(error MONITOR=0 has no monitor for $(if $(HVINIT),HVINIT=,LOCKED=))
endif
ifneq ($(filter-out audit enforce,$(MODE)),)
$(error MODE=$(MODE): audit or enforce)
endif
CPUS := $(shell sed -n '/^cpus:/,/^[^ ]*$$/s/^  \([a-z0-9-]*\):.*/\1/p' policy/platform/*.yaml)
ifeq ($(filter $(CPU),$(CPUS)),)
$(error CPU=$(CPU): no platform has it; there are: $(CPUS))
endif
endif
ifneq ($(filter run-linux,$(MAKECMDGOALS)),)
ifeq ($(LINUX_IMAGE),)
$(error run-linux: LINUX_IMAGE=/path/Image is needed)
endif
endif

# ---- flags -------------------------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-declarations -Wshadow -Wundef
COMMON := -std=gnu11 -O2 -g -ffreestanding -nostdlib -fno-pic -fno-stack-protector -fno-common -fno-asynchronous-unwind-tables \
	-mstrict-align -mno-outline-atomics -ffunction-sections -fdata-sections -ffile-prefix-map=$(CURDIR)=. $(WARN)
HV_CFLAGS := $(COMMON) -mcmodel=tiny -mgeneral-regs-only -Ihv -fno-omit-frame-pointer -Wstack-usage=1024
FAST_CFLAGS := -fomit-frame-pointer -ffixed-x29
GUEST_CFLAGS := $(COMMON) -mgeneral-regs-only -Iguest/lib -Ihv -I$(G)
HV_LDFLAGS := -nostdlib -static -Wl,-z,max-page-size=4096 -Wl,--build-id=none -Wl,--gc-sections -Wl,--no-warn-rwx-segments

# What only the operator's monitor needs, or what an image without it has in its place.
OPERATOR := $(filter-out hv/operator/none.c,$(wildcard hv/operator/*.c))
HV_SRC := $(filter-out $(if $(filter 0,$(MONITOR)),$(OPERATOR),hv/operator/none.c),$(wildcard hv/*/*.c))
HV_ASM := $(wildcard hv/*/*.S)
HV_OBJ := $(HV_SRC:%.c=$(B)/%.o) $(HV_ASM:%.S=$(B)/%.o) $(B)/gen/policy_tables.o $(B)/gen/replay.o $(B)/gen/build.o
# The guest that is bundled, a folder of guest/: the diagnostic one (diag), the one that measures (bench), that makes every
# access (sweep), that attacks (fuzz: at random; attack: by name). It takes of guest/lib what it uses.
GUEST ?= diag
SEED ?= 1
COUNT ?= 200000
ifeq ($(filter diag bench sweep fuzz attack,$(GUEST)),)
$(error GUEST=$(GUEST): diag, bench, sweep, fuzz or attack)
endif
objects = $(patsubst %,$(B)/%.o,$(basename $(wildcard $(1)/*.c $(1)/*.S)))
GUEST_OBJ := $(call objects,guest/$(GUEST))
GUEST_LIB := $(call objects,guest/lib)

.PHONY: all clean help FORCE
all: $(ELF) $(B)/hypervisor.bin $(B)/compile_commands.json ## build build/hypervisor.elf with POLICY= (default: default) and the diagnostic guest

# Stamps that change when a flag does, or the choice of a policy: what depends on one is made again.
$(B)/flags $(B)/choice: FORCE
	@mkdir -p $(B)
	@printf '%s\n' $(STAMP_$(@F)) > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
ATTACK = -DATTACK_FLOODS=$(or $(FLOODS),0)
FUZZ = -DFUZZ_SEED=$(SEED)UL -DFUZZ_COUNT=$(COUNT)UL -DFUZZ_STORM=$(or $(STORM),0)
STAMP_flags = '$(GUEST)' '$(if $(filter fuzz,$(GUEST)),$(FUZZ))' '$(if $(filter attack,$(GUEST)),$(ATTACK))' '$(CC) $(HV_CFLAGS)' '$(FAST_CFLAGS)' '$(GUEST_CFLAGS)' '$(HV_LDFLAGS)'
STAMP_choice = '$(POLICY) $(MODE) $(CPU) $(BRIEF)'

# ---- the policy: YAML -> C tables ----------------------------------------------------------------------------------

POLICY_DEPS := $(wildcard $(filter %.yaml,$(POLICY)) policy/*.yaml policy/arch/* policy/platform/* policygen/*.py policygen/*/*.py policygen/target/templates/*) guest/lib/probes.txt
GEN := policy_tables.c replay.S guest_expect.h rules.json windows.json policy.canonical.json policy.schema.json

# policygen replaces only what changed, so the stamp is what says that it ran.
$(G)/stamp: $(POLICY_DEPS) $(B)/choice
	$(call say,POLICY,$(POLICY)$(if $(MODE), ($(MODE))))
	@mkdir -p $(G)
	$(Q)$(PYTHON) -m policygen -q $(POLICY) -o $(G) --cpu $(CPU) $(if $(MODE),--mode $(MODE))
	@mkdir -p $(B)/rules && cp $(G)/rules.json $(B)/rules/$$(sed -n 's/^ *"hash": "\([0-9a-f]*\)".*/\1/p' $(G)/rules.json).json
	@touch $@
$(addprefix $(G)/,$(GEN)): $(G)/stamp ;

VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
$(G)/build.c: FORCE $(B)/guest.bin
	@{ printf '/* Generated by the Makefile from git and build/guest.bin. */\n#include "lib/build.h"\n'; \
	printf 'const char build_id[] = "%s";\n' '$(VERSION)'; \
	printf 'const u64 build_number = 0x%s;\n' "$$(git rev-parse --short=8 HEAD 2>/dev/null || echo 0)"; \
	printf 'const u32 build_guest_hash = 0x%s;\n' "$$(sha256sum $(B)/guest.bin | cut -c1-8)"; \
	printf 'const bool build_locked = %s;\n' '$(if $(LOCKED),true,false)'; \
	printf 'const bool build_monitor = %s;\n' '$(if $(filter 0,$(MONITOR)),false,true)'; } > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# ---- objects -------------------------------------------------------------------------------------------------------

$(B)/hv/%.o: hv/%.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HV_CFLAGS) -MMD -MP -c $< -o $@

# What a guest waits for is made fast, the rest small. The fastest do without the frame pointer, which they leave alone: a
# backtrace passes over their functions.
FAST := trap/trap trap/trap_sysreg trap/trap_mem trap/trap_call trap/hvcall trap/decide \
	policy/policy vm/inject dev/vgic dev/vgic_regs dev/vuart log/console board/uart log/log
QUICK := trap/trap_wait cpu/vtime log/drain board/gic vm/guestmem vm/cache lib/string
SMALL := $(filter-out hv/arch/% $(FAST:%=hv/%.c) $(QUICK:%=hv/%.c),$(HV_SRC))
$(FAST:%=$(B)/hv/%.o): private HV_CFLAGS += $(FAST_CFLAGS)
$(SMALL:%.c=$(B)/%.o): private HV_CFLAGS += -Os

$(B)/hv/%.o: hv/%.S $(B)/flags
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HV_CFLAGS) -I$(B) -MMD -MP -c $< -o $@

$(B)/hv/boot/guest.o: $(B)/guest.bin

$(B)/gen/%.o: $(G)/%.c $(B)/flags
	$(call say,CC,$<)
	$(Q)$(CC) $(HV_CFLAGS) -MMD -MP -c $< -o $@

$(B)/gen/%.o: $(G)/%.S $(B)/flags
	$(call say,AS,$<)
	$(Q)$(CC) $(HV_CFLAGS) -I$(G) -c $< -o $@

# Every access that the sweep makes under this policy.
$(G)/sweep_plan.h: $(G)/stamp
	$(Q)$(PYTHON) -m policygen verify $(POLICY) $(if $(MODE),--mode $(MODE)) $(if $(BRIEF),--brief) --plan $@
$(B)/guest/sweep/sweep.o: $(G)/sweep_plan.h

$(B)/guest/fuzz/fuzz.o: private GUEST_CFLAGS += $(FUZZ)
$(B)/guest/attack/attack.o: private GUEST_CFLAGS += $(ATTACK)
$(B)/guest/diag/fp.o: private GUEST_CFLAGS := $(filter-out -mgeneral-regs-only,$(GUEST_CFLAGS))

$(GUEST_OBJ) $(GUEST_LIB): $(G)/guest_expect.h
$(B)/guest/%.o: guest/%.c $(B)/flags
	$(call say,GUEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c $< -o $@

$(B)/guest/%.o: guest/%.S $(B)/flags
	$(call say,GUEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c $< -o $@

$(B)/guest/lib.a: $(GUEST_LIB)
	@rm -f $@
	$(Q)$(CROSS_COMPILE)ar rcs $@ $(GUEST_LIB)

$(B)/guest.elf: $(GUEST_OBJ) $(B)/guest/lib.a linker/guest.ld
	$(call say,LD,$@)
	$(Q)$(CC) $(HV_LDFLAGS) -T linker/guest.ld $(GUEST_OBJ) $(B)/guest/lib.a -o $@

$(B)/guest.bin: $(B)/guest.elf
	$(Q)$(OBJCOPY) -O binary $< $@

$(ELF): $(HV_OBJ) linker/hv.ld tools/seal.py $(G)/policy.canonical.json
	$(call say,LD,$@)
	$(Q)$(CC) $(HV_LDFLAGS) -T linker/hv.ld -Wl,-Map=$(B)/hypervisor.map $(HV_OBJ) -o $@
	$(Q)$(PYTHON) tools/seal.py $@

$(B)/hypervisor.bin: $(ELF)
	$(Q)$(OBJCOPY) -O binary $< $@

-include $(HV_OBJ:.o=.d) $(GUEST_OBJ:.o=.d) $(GUEST_LIB:.o=.d)

# ---- running -------------------------------------------------------------------------------------------------------

QEMU_MACHINE = -M virt,virtualization=on,gic-version=3 -cpu $(CPU) -smp $(SMP) -m 1G
# What is on the line, and QEMU's own console behind Ctrl-A, is kept in a file: the evidence of the run.
UART_LOG ?= $(B)/uart.log
QEMU_ARGS = $(QEMU_MACHINE) -nographic -nic none -chardev stdio,id=uart,mux=on,signal=off,logfile=$(UART_LOG) \
	-serial chardev:uart -mon chardev=uart
# QEMU goes on when whoever reads its output has gone: `make run | head` would leave it behind.
PIPED = $(PYTHON) tools/piped.py $(QEMU)
say_log = @test ! -t 1 || printf 'the log of this run: %s\n  python3 tools/log_decode.py check %s\n' $(UART_LOG) $(UART_LOG)
BOOTARGS = charter1$(if $(UNATTENDED), unattended=1)$(if $(LOG), log=$(LOG))$(if $(HVINIT), hv.init="$(value HVINIT)")
ifneq ($(filter-out text notable full quiet,$(LOG)),)
$(error LOG=$(LOG): text, notable, full or quiet)
endif
ifneq ($(filter-out 1 2 3 4 5 6 7 8,$(SMP)),)
$(error SMP=$(SMP): 1 to 8)
endif

# Where nobody can ever type, the monitor is left as soon as it opens.
RUN_DIAG = $(PIPED) $(QEMU_ARGS) -kernel $(ELF) -device loader,file=$(B)/bootargs,addr=0x4007f000,force-raw=on
.PHONY: run run-linux
run: $(ELF) ## boot the diagnostic guest under POLICY= [MODE=audit] [UNATTENDED=1 [TIMEOUT=]]; ^] m opens the monitor
	@printf '%s\0' '$(BOOTARGS)' > $(B)/bootargs
	$(Q)$(call have,$(QEMU),qemu-system-arm)
ifeq ($(UNATTENDED),)
	$(Q)if [ /dev/stdin -ef /dev/null ]; then echo poweroff | $(RUN_DIAG); else $(RUN_DIAG); fi
	$(say_log)
else
	$(Q)$(LIMITED) $(RUN_DIAG) -no-reboot || true
	$(Q)grep -aq 'diagnostic guest: [0-9]* passed, 0 failed' $(UART_LOG) || \
		{ echo 'run: the diagnostic guest failed, or did not come to its end' >&2; exit 1; }
endif

.PHONY: fuzz-guest
fuzz-guest: UART_LOG = $(B)/fuzz/uart.log
fuzz-guest: ## a hostile guest on SMP= CPUs from SEED= on, until EL2 has decided COUNT= times (POLICY= default here: permissive)
	$(Q)$(MAKE) --no-print-directory all GUEST=fuzz B=$(B)/fuzz POLICY=$(if $(filter command line,$(origin POLICY)),$(POLICY),permissive) SEED=$(SEED) COUNT=$(COUNT)
	@printf '%s\0' 'charter1 unattended=1 log=quiet' > $(B)/fuzz/bootargs
	$(Q)$(QEMU) $(QEMU_ARGS) -no-reboot -kernel $(B)/fuzz/hypervisor.elf \
		-device loader,file=$(B)/fuzz/bootargs,addr=0x4007f000,force-raw=on > /dev/null
	$(Q)grep -a 'fuzz: seed.*tallies kept, 0 wrong' $(UART_LOG) && ! grep -a 'charter: panic' $(UART_LOG)

run-linux: $(ELF) ## boot LINUX_IMAGE= [LINUX_DTB=] [LINUX_INITRD=] [LINUX_CMDLINE=] [LINUX_DISK=] [LINUX_NET=user] [SMP=] [UNATTENDED=1 [TIMEOUT=]]
	$(Q)$(call have,$(QEMU),qemu-system-arm)
	$(Q)$(TESTPY) tools/linux_prep.py --image '$(LINUX_IMAGE)' $(if $(LINUX_DTB),--dtb '$(LINUX_DTB)') \
		$(if $(LINUX_INITRD),--initrd '$(LINUX_INITRD)') $(if $(LINUX_CMDLINE),--cmdline '$(LINUX_CMDLINE)') \
		--smp $(SMP) --cpu $(CPU) --qemu $(QEMU) --policy-windows $(G)/windows.json $(if $(LOG),--log $(LOG)) \
		$(if $(UNATTENDED),--unattended) $(if $(HVINIT),--hv-init '$(value HVINIT)') $(if $(LINUX_DISK),--disk '$(LINUX_DISK)') $(if $(LINUX_NET),--net '$(LINUX_NET)') \
		--out $(B)/linux
ifeq ($(UNATTENDED),)
	$(Q)$(PIPED) $(QEMU_ARGS) -kernel $(ELF) $$(cat $(B)/linux/qemu.args)
	$(say_log)
else
	$(Q)$(LIMITED) $(PIPED) $(QEMU_ARGS) -no-reboot -kernel $(ELF) \
		$$(cat $(B)/linux/qemu.args) || true
	$(Q)$(TESTPY) tools/linux_end.py $(UART_LOG)
endif

# A recording keeps all that it takes to run again: image, boot arguments, QEMU's events and the log.
R ?= $(B)/record
.PHONY: record replay
record: $(ELF) ## record a run of the diagnostic guest (R=build/record), to be looked at with `make replay`
	$(Q)$(call have,$(QEMU),qemu-system-arm)
	@mkdir -p $(R) && cp $(ELF) $(R)/hypervisor.elf && printf '%s\0' '$(BOOTARGS)' > $(R)/bootargs
	@echo '$(QEMU) $(QEMU_MACHINE) -display none -monitor none -nic none -kernel $(R)/hypervisor.elf' \
		'-device loader,file=$(R)/bootargs,addr=0x4007f000,force-raw=on' > $(R)/qemu
	$(Q)$(PYTHON) tools/piped.py $$(cat $(R)/qemu) -chardev stdio,id=uart,signal=off,logfile=$(R)/uart.log -serial chardev:uart \
		-icount shift=auto,rr=record,rrfile=$(R)/rr.bin

GDB ?=
replay: ## run the recording up to decision SEQ= again, and open the monitor there [GDB=1: gdb]
	@test -n '$(SEQ)' || { echo 'replay: SEQ=n is needed: a decision of $(R)/uart.log' >&2; exit 2; }
	$(Q)$(TESTPY) tools/replay.py $(R) $(SEQ)$(if $(GDB), --gdb)

# ---- checking ------------------------------------------------------------------------------------------------------

have = command -v $(1) >/dev/null || { echo '$(1) is missing: run make setup (Debian package $(2))' >&2; exit 2; }
# The Python that has the test packages too.
TESTPY = $(eval TESTPY := $(shell for p in $(PYTHON) /usr/bin/python3; do \
	$$p -c 'import pytest, hypothesis, pexpect, libfdt, jsonschema' 2>/dev/null && { echo $$p; break; }; done))$(TESTPY)
havetests = test -n '$(TESTPY)' || { echo 'no python3 with pytest, hypothesis, pexpect, libfdt, jsonschema: run make setup' >&2; exit 2; }

.PHONY: check-policy test test-policygen test-host test-qemu test-linux-smoke lint release setup
check-policy: ## validate every profile: policygen --check
	$(Q)$(PYTHON) -m policygen --check

PYTEST = $(TESTPY) -m pytest -q -p no:cacheprovider
test: all check-policy ## the complete local gate
	@$(havetests)
	@$(call have,$(QEMU),qemu-system-arm)
	$(Q)$(PYTEST) -n 2 tests

test-policygen test-host test-qemu: test-%: all
	@$(havetests)
	$(Q)$(PYTEST) tests/$*

.PHONY: bench bench-compare
bench: ## instructions for each operation, against goals, others and growing policies; Linux against bare EL1
	@$(havetests)
	@$(call have,$(QEMU),qemu-system-arm)
	$(Q)$(TESTPY) tests/bench/bench.py --out $(B)/bench.json

bench-compare: ## fail when an operation costs more than tests/bench/baseline.json says
	@$(havetests)
	@$(call have,$(QEMU),qemu-system-arm)
	$(Q)$(TESTPY) tests/bench/bench.py --out $(B)/bench.json --compare tests/bench/baseline.json

test-linux-smoke: all ## fetch the tested Debian installer and boot it under POLICY=
	@$(havetests)
	$(Q)$(TESTPY) tests/linux/smoke.py $(SCENARIOS)

.PHONY: test-matrix qemu-backports
test-matrix: ## Linux of two versions under two profiles on each CPU model of QEMU=/path
	@$(havetests)
	$(Q)$(TESTPY) tests/linux/matrix.py --qemu $(QEMU)

qemu-backports: ## fetch the newest QEMU that Debian's backports have into build/ and print its path
	@$(havetests) && $(TESTPY) tests/linux/artifacts.py $(abspath $(B)/linux)

MUTANTS ?= 0
.PHONY: mutate fuzz-host coverage
mutate: all ## flip comparisons, masks, offsets and verdicts of EL2's core, MUTANTS= of them (0: all) [RESULTS=file, to go on with]
	@$(havetests)
	$(Q)$(TESTPY) tests/mutate.py --mutants $(MUTANTS) $(if $(RESULTS),--results $(RESULTS))

FUZZ_SECONDS ?= 60
FUZZ_SEED ?= 0
ifneq ($(shell printf '%s' '$(FUZZ_SECONDS)$(FUZZ_SEED)' | tr -d 0-9),)
$(error FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_SEED=$(FUZZ_SEED): numbers)
endif
fuzz-host: $(G)/stamp ## libFuzzer on trap path, monitor, loader and virtio, FUZZ_SECONDS= long each [FUZZ_SEED=]
	$(Q)$(call have,clang,clang)
	$(Q)$(PYTHON) tests/host/fuzz_host.py $(B)/fuzz-host $(G) $(FUZZ_SECONDS) $(FUZZ_SEED)

coverage: all ## lines and branches of hv/ that host tests and machines reach, and those that nothing does: build/coverage/
	@$(havetests)
	$(Q)$(TESTPY) tests/coverage.py $(B)/coverage

PY_SRC := policygen tools tests
lint: all ## static checks of C, Python and shell
	@$(call have,cppcheck,cppcheck); $(call have,shellcheck,shellcheck); $(call have,flake8,flake8); $(call have,mypy,mypy)
	@$(call have,clang-tidy,clang-tidy)
	$(Q)cppcheck -q --error-exitcode=1 --inline-suppr --enable=warning,portability --suppress=missingInclude \
		--suppress=unusedStructMember -D__aarch64__ -Ihv hv
	$(Q)printf '%s\n' $(HV_SRC) | xargs -P 2 -I{} $(CC) $(HV_CFLAGS) -fanalyzer -c {} -o /dev/null
	$(Q)printf '%s\n' $(HV_SRC) | xargs -P 2 -n 6 sh -c 'clang-tidy --quiet "$$@" -- --target=aarch64-linux-gnu -w -Ihv \
		$(filter -std=% -ffreestanding -mgeneral-regs-only,$(HV_CFLAGS)) 2>/dev/null' clang-tidy
	$(Q)flake8 --max-line-length 120 $(PY_SRC)
	$(Q)mypy --strict --ignore-missing-imports policygen tools
	$(Q)shellcheck .ci/run policygen/policygen

# ---- handing over --------------------------------------------------------------------------------------------------

RELEASE := $(B)/release
.PHONY: release-files
release: test release-files ## ELF, raw binary, map, debug ELF, the policy's canonical form and page, SHA256SUMS: build/release/

release-files: all
	$(Q)rm -rf $(RELEASE) && mkdir -p $(RELEASE)
	$(Q)$(PYTHON) -m policygen verify $(POLICY) > $(RELEASE)/policy-$(POLICY)-verify.txt
	$(Q)sed -i 's/ *[0-9.]* s$$//' $(RELEASE)/policy-$(POLICY)-verify.txt # how long it took is not part of the result
	$(Q)cp $(ELF) $(RELEASE)/charter-debug.elf
	$(Q)$(CROSS_COMPILE)strip -o $(RELEASE)/charter.elf $(ELF)
	$(Q)cp $(B)/hypervisor.bin $(RELEASE)/charter.bin
	$(Q)cp $(B)/hypervisor.map $(RELEASE)/charter.map
	$(Q)cp $(G)/policy.canonical.json $(RELEASE)/policy-$(POLICY).json
	$(Q)$(PYTHON) -m policygen expand $(POLICY) > $(RELEASE)/policy-$(POLICY).yaml
	$(Q)$(PYTHON) -m policygen doc $(POLICY) > $(RELEASE)/policy-$(POLICY).md
	$(Q)$(PYTHON) -m policygen traps $(POLICY) > $(RELEASE)/policy-$(POLICY)-traps.txt
	$(Q)echo '$(VERSION)' > $(RELEASE)/VERSION
	$(Q)cd $(RELEASE) && sha256sum $$(ls | LC_ALL=C sort) > SHA256SUMS
	@echo "release: $(RELEASE) $$(cat $(RELEASE)/VERSION)"

# Ubuntu has no browser that runs without its snap daemon: there the report is not looked at.
BROWSER = $(if $(filter debian,$(shell sed -n 's/^ID=//p' /etc/os-release)),chromium)
# libFuzzer is a package of its own but on Ubuntu 22.04, where clang brings it.
FUZZER = clang $(if $(filter jammy,$(shell sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)),,libclang-rt-dev)
PACKAGES = gcc-aarch64-linux-gnu binutils-aarch64-linux-gnu gcc libc6-dev make git qemu-system-arm ipxe-qemu \
	$(if $(shell command -v npm),,npm) pre-commit \
	python3 python3-yaml python3-jinja2 python3-pytest python3-pytest-xdist python3-hypothesis python3-pexpect \
	python3-libfdt python3-jsonschema python3-setuptools python3-wheel python3-pip device-tree-compiler ccache clang-tidy cppcheck shellcheck flake8 mypy gdb-multiarch zsh $(FUZZER) $(BROWSER)
SETUP_CMD = apt-get install -y --no-install-recommends $(PACKAGES)
setup: ## install what building, running and testing need (Debian or Ubuntu; as root or through sudo)
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -z "$$missing" ]; then echo 'setup: everything is installed'; exit 0; fi; \
	echo "setup: installing" $$missing; \
	if [ "$$(id -u)" = 0 ]; then apt-get update && DEBIAN_FRONTEND=noninteractive $(SETUP_CMD); \
	elif command -v sudo >/dev/null; then sudo apt-get update && sudo DEBIAN_FRONTEND=noninteractive $(SETUP_CMD); \
	else echo 'setup: neither root nor sudo; as root, run:' >&2; echo '  apt-get update && $(SETUP_CMD)' >&2; exit 2; fi

# For clangd and other tools: build/compile_commands.json (.clangd points there).
$(B)/compile_commands.json: $(B)/flags
	@{ echo '['; sep=; for f in $(HV_SRC) $(wildcard guest/$(GUEST)/*.c guest/lib/*.c); do \
	case $$f in hv/*) flags='$(HV_CFLAGS)';; *) flags='$(GUEST_CFLAGS)';; esac; \
	printf '%s{"directory": "%s", "file": "%s", "command": "%s %s -c %s"}' "$$sep" '$(CURDIR)' "$$f" '$(CC)' "$$flags" "$$f"; \
	sep=",\n"; done; echo; echo ']'; } | sed 's/\\n/\n/g' > $@

clean: ## remove build/
	$(Q)rm -rf $(B)

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
