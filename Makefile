# SPDX-License-Identifier: Apache-2.0
# Charter: everything that is made is under build/. `make help` lists what there is.

include tools/make/variables.mk

# Policy for Linux, or for another kernel, unless POLICY= is given: it boots under it.
POLICY ?= $(if $(filter run-linux test-linux-smoke,$(MAKECMDGOALS)),permissive,$(if $(filter run-guest,$(MAKECMDGOALS)),guest,default))
MODE ?=
# The board, a file of policy/platform/; empty: the policy's own.
BOARD ?=
LOG ?=
HVINIT ?=
UNATTENDED ?=
LOCKED ?=
MONITOR ?= 1
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

# The first Python with the modules that policygen needs: Debian's, for which `make setup` installs them, or another.
# Looked up once, when first needed, which may be after `setup`.
ifeq ($(origin PYTHON),undefined)
PYTHON = $(eval PYTHON := $(shell for p in /usr/bin/python3 python3; do \
	$$p -c 'import yaml, jinja2, elftools' 2>/dev/null && { echo $$p; break; }; done))$(PYTHON)
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

# ---- checks that end in one clear line -----------------------------------------------------------------------------

need = $(if $(shell command -v $(1) 2>/dev/null),,$(error $(1) is missing: run `make setup` (Debian package $(2))))
BUILDS := $(filter-out clean help setup lint replay qemu-backports test-fresh drawings,$(or $(MAKECMDGOALS),all))
ifneq ($(BUILDS),)
# `make setup run` installs first: missing programs are complained of only if setup is not part of the same command.
ifneq ($(filter setup,$(MAKECMDGOALS)),)
.NOTPARALLEL:
else
$(call need,$(CC),gcc-aarch64-linux-gnu)
ifeq ($(PYTHON),)
$(error no python3 with PyYAML, Jinja2 and pyelftools: run `make setup` (Debian packages python3-yaml python3-jinja2 python3-pyelftools))
endif
endif
PROFILES := $(sort $(basename $(notdir $(call plain,$(filter policy/%.yaml,$(wildcard policy/*.yaml))))))
ifeq ($(filter $(POLICY),$(PROFILES))$(wildcard $(filter %.yaml,$(POLICY))),)
$(error POLICY=$(POLICY): no such profile or file; there are: $(PROFILES))
endif
ifneq ($(if $(filter 0,$(MONITOR)),$(HVINIT)$(LOCKED)),)
$(error MONITOR=0 has no monitor for $(if $(HVINIT),HVINIT=,LOCKED=))
endif
BOARDS := $(sort $(basename $(notdir $(wildcard policy/platform/*.yaml))))
ifneq ($(filter-out $(BOARDS),$(BOARD)),)
$(error BOARD=$(BOARD): no such platform; there are: $(BOARDS))
endif
CPUS := $(sort $(shell sed -n 's/^cpus: *\[\(.*\)\].*/\1/p' policy/platform/*.yaml | tr -d ,))
ifeq ($(filter $(CPU),$(CPUS)),)
$(error CPU=$(CPU): no platform has it; there are: $(CPUS))
endif
endif
ifneq ($(filter run-linux,$(MAKECMDGOALS)),)
ifeq ($(LINUX_IMAGE),)
$(error run-linux: LINUX_IMAGE=/path/Image is needed)
endif
endif
ifneq ($(filter run-guest,$(MAKECMDGOALS)),)
ifneq ($(words $(GUEST_ELF) $(GUEST_BIN)),1)
$(error run-guest: one of GUEST_ELF=/path/kernel.elf and GUEST_BIN=/path/kernel.bin is needed)
endif
endif

# ---- flags -------------------------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-declarations -Wshadow -Wundef
COMMON := -std=gnu11 -O2 -g -ffreestanding -nostdlib -fno-pic -fno-stack-protector -fno-common -fno-asynchronous-unwind-tables \
	-mstrict-align -mno-outline-atomics -ffunction-sections -fdata-sections -ffile-prefix-map=$(CURDIR)=. $(WARN)
# No frame pointer: gdb has .debug_frame, and a panic's report scans the stack. Code is not aligned for fetch units.
HV_CFLAGS := $(COMMON) -mcmodel=tiny -mgeneral-regs-only -Ihv -I$(G) -fomit-frame-pointer -falign-functions=4 -falign-jumps=4 \
	-falign-loops=4 -falign-labels=4 -Wstack-usage=1024
FAST_CFLAGS := -ffixed-x29
# Of -Os what makes this code larger, measured one by one, is left out.
SMALL_CFLAGS := -Os -fno-expensive-optimizations -fno-move-loop-invariants -fno-shrink-wrap -fno-tree-loop-im -fno-tree-scev-cprop \
	-fno-guess-branch-probability -fno-caller-saves -fno-tree-forwprop -fno-tree-bit-ccp
GUEST_CFLAGS := $(COMMON) -mgeneral-regs-only -Iguest/lib -Ihv -I$(G)
HV_LDFLAGS := -nostdlib -static -Wl,-z,max-page-size=4096 -Wl,--build-id=none -Wl,--gc-sections -Wl,--no-warn-rwx-segments

DRY := $(findstring n,$(filter-out --%,-$(firstword $(MAKEFLAGS))))
# Sources of the operator's monitor, or their replacement in an image without one.
OPERATOR := $(filter-out hv/operator/none.c,$(call sources,$(wildcard hv/operator/*.c)))
# The board's drivers, a folder of hv/board/: DRIVERS, from the platform file. Only the inner make (below) needs it exact.
ifeq ($(CHARTER_MAKES)$(DRY),$(abspath $(B)))
include $(G)/image.mk
else
DRIVERS := *
endif
# EL2 has code for guards on guest RAM if the policy sets some.
HV_CFLAGS += -DPOLICY_MEMORY=$(or $(MEMORY),0)
HV_SRC := $(filter-out $(if $(filter 0,$(MONITOR)),$(OPERATOR),hv/operator/none.c),\
	$(call sources,$(wildcard hv/*/*.c hv/board/$(DRIVERS)/*.c)))
HV_ASM := $(call sources,$(wildcard hv/*/*.S))
HV_OBJ := $(HV_SRC:%.c=$(B)/%.o) $(HV_ASM:%.S=$(B)/%.o) $(B)/gen/policy_tables.o $(B)/gen/replay.o $(B)/gen/build.o
# The bundled guest, a folder of guest/: diag (the diagnostic guest), bench (measures), sweep (makes every access), fuzz
# (attacks at random), attack (attacks by name). It links the parts of guest/lib that it uses.
GUEST ?= diag
SEED ?= 1
COUNT ?= 200000
objects = $(patsubst %,$(B)/%.o,$(basename $(call sources,$(wildcard $(1)/*.c $(1)/*.S))))
GUEST_OBJ := $(call objects,guest/$(GUEST))
GUEST_LIB := $(call objects,guest/lib)

POLICY_DEPS := $(filter %.yaml,$(POLICY)) $(PROFILES:%=policy/%.yaml) guest/lib/probes.txt hv/policy/policy.h hv/cpu/log.h \
	$(call sources,$(wildcard policy/arch/* policy/platform/* policygen/*.py policygen/*/*.py policygen/target/templates/*))

# rules.json by what it is of: the policy's hash and that of its wording.
keep_rules = cp $(G)/rules.json
rules_name = $$(sed -n 's/^ "\(hash\|wording\)": "\([0-9a-f]*\)".*/\2/p' $(G)/rules.json | paste -sd.).json
.PHONY: all clean help FORCE
# Only one make at a time works in build/: each starts an inner make, which holds the folder's lock.
ifneq ($(CHARTER_MAKES),$(abspath $(B)))
take_turn = mkdir -p $(B) && exec 9> $(B)/.lock && { flock -n 9 || { echo 'waiting for a make that is at work in $(B)' >&2; flock 9; }; } &&
in_turn = $(Q)$(if $(DRY),,$(take_turn)) CHARTER_MAKES=$(abspath $(B)) $(MAKE) --no-print-directory 'PYTHON=$(PYTHON)' 'POLICY=$(POLICY)' $@
all $(ELF): FORCE ## build build/hypervisor.elf with POLICY= and the diagnostic guest
	+$(in_turn)
$(B)/%: FORCE
	+$(in_turn)
else
all: $(ELF) $(B)/hypervisor.bin $(B)/compile_commands.json

# Stamps that change when a flag, the choice of a policy or the list of files changes; their dependents are then made again.
$(B)/flags $(B)/choice $(B)/objects: FORCE
	@mkdir -p $(B)
	@printf '%s\n' $(STAMP_$(@F)) > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
ATTACK = -DATTACK_FLOODS=$(or $(FLOODS),0)
FUZZ = -DFUZZ_SEED=$(SEED)UL -DFUZZ_COUNT=$(COUNT)UL -DFUZZ_STORM=$(or $(STORM),0)
STAMP_flags = '$(GUEST)' '$(if $(filter fuzz,$(GUEST)),$(FUZZ))' '$(if $(filter attack,$(GUEST)),$(ATTACK))' '$(CC) $(HV_CFLAGS)' '$(FAST) $(FAST_CFLAGS)' '$(QUICK)' '$(SMALL_CFLAGS)' '$(GUEST_CFLAGS)' '$(HV_LDFLAGS)'
STAMP_objects = '$(HV_OBJ)' '$(GUEST_OBJ)' '$(GUEST_LIB)'
STAMP_choice = '$(POLICY) $(MODE) $(FACTS) $(BOARD) $(BRIEF)'
# The CPU model as policygen's facts have it: on a machine with memory for tags it has more.
FACTS = $(CPU)$(if $(findstring mte=on,$(GUEST_MACHINE)),+mte)

# ---- the policy: YAML -> C tables ----------------------------------------------------------------------------------

GEN := image.mk models.h platform.h platform.json qemu.machine qemu.bootargs policy_tables.c replay.S guest_expect.h guest_calls.h rules.json windows.json names.json policy.canonical.json policy.schema.json

ON_BOARD = $(if $(BOARD),--board $(BOARD))
# policygen replaces only files that changed, so the stamp tells that it ran.
$(G)/stamp: $(POLICY_DEPS) $(B)/choice
	$(call say,POLICY,$(POLICY)$(if $(MODE), ($(MODE))))
	@mkdir -p $(G)
	$(Q)$(PYTHON) -m policygen -q $(POLICY) -o $(G) --cpu $(FACTS) $(if $(MODE),--mode $(MODE)) $(ON_BOARD)
	@mkdir -p $(B)/rules && $(keep_rules) $(B)/rules/$(rules_name)
	@touch $@
$(addprefix $(G)/,$(GEN)): $(G)/stamp ;

# A tag may have any name: one that is long, or has other characters than these, is left out of `git describe`.
DESCRIBE := git describe --always --dirty
$(G)/build.c: FORCE $(B)/guest.bin
	@version=$$($(DESCRIBE) 2>/dev/null); \
	case $$version in *[!A-Za-z0-9._/+-]* | ????????????????????????????????????????*) version=$$($(DESCRIBE) --exclude='*');; esac; \
	{ printf '/* Generated by the Makefile from git and build/guest.bin. */\n#include "lib/build.h"\n'; \
	printf 'const char build_id[] = "%s";\n' "$${version:-unknown}"; \
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

# Code on which a guest waits is made fast, the rest small. Fast code without x29 was measured to be faster.
FAST := trap/trap trap/trap_sysreg trap/trap_mem trap/trap_call trap/hvcall trap/decide \
	policy/policy vm/inject dev/vgic dev/vuart board/$(DRIVERS)/uart log/log
QUICK := trap/trap_wait cpu/vtime cpu/locks board/mmu board/$(DRIVERS)/gic
SMALL := $(filter-out hv/arch/% $(FAST:%=hv/%.c) $(QUICK:%=hv/%.c),$(HV_SRC))
$(FAST:%=$(B)/hv/%.o): private HV_CFLAGS += $(FAST_CFLAGS)
$(SMALL:%.c=$(B)/%.o): private HV_CFLAGS += $(SMALL_CFLAGS)
# Its texts are not aligned, and not merged with those of the code, which must be near.
$(B)/gen/policy_tables.o: private HV_CFLAGS += -Os -fno-merge-constants

$(B)/hv/%.o: hv/%.S $(B)/flags
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HV_CFLAGS) -I$(B) -MMD -MP -c $< -o $@

$(B)/hv/boot/guest.o: $(B)/guest.bin
$(HV_OBJ): | $(G)/stamp

# Linker scripts get addresses by their names.
$(B)/%.ld: linker/%.ld $(G)/stamp $(B)/flags
	$(Q)$(CC) -E -P -undef -x c -MMD -MP -MF $@.d -MT $@ -Ihv -Iguest/lib -I$(G) $< -o $@

$(B)/gen/%.o: $(G)/%.c $(B)/flags
	$(call say,CC,$<)
	$(Q)$(CC) $(HV_CFLAGS) -MMD -MP -c $< -o $@

$(B)/gen/%.o: $(G)/%.S $(B)/flags
	$(call say,AS,$<)
	$(Q)$(CC) $(HV_CFLAGS) -I$(G) -c $< -o $@

# Every access that the sweep makes under this policy: of its objects this alone is the policy's.
$(G)/sweep_plan.h: $(G)/stamp
	$(Q)$(PYTHON) -m policygen verify $(POLICY) $(if $(MODE),--mode $(MODE)) $(ON_BOARD) $(if $(BRIEF),--brief) --plan $@
$(B)/guest/sweep/plan.o: $(G)/sweep_plan.h

$(B)/guest/fuzz/fuzz.o: private GUEST_CFLAGS += $(FUZZ)
$(B)/guest/attack/attack.o: private GUEST_CFLAGS += $(ATTACK)
$(B)/guest/diag/fp.o: private GUEST_CFLAGS := $(filter-out -mgeneral-regs-only,$(GUEST_CFLAGS))

$(GUEST_OBJ) $(GUEST_LIB): $(G)/guest_expect.h $(G)/guest_calls.h
$(B)/guest/%.o: guest/%.c $(B)/flags | $(G)/stamp
	$(call say,GUEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c $< -o $@

$(B)/guest/%.o: guest/%.S $(B)/flags | $(G)/stamp
	$(call say,GUEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c $< -o $@

$(B)/guest/lib.a: $(GUEST_LIB)
	@rm -f $@
	$(Q)$(CROSS_COMPILE)ar rcs $@ $(GUEST_LIB)

# A function of the diagnostic guest that the linker throws away is a check that no code calls; under a policy that denies
# much, some are not for it.
$(B)/guest.elf: $(GUEST_OBJ) $(B)/guest/lib.a $(B)/guest.ld $(B)/objects
	$(call say,LD,$@)
	$(Q)LC_ALL=C $(CC) $(HV_LDFLAGS) -Wl,--print-gc-sections -T $(B)/guest.ld $(GUEST_OBJ) $(B)/guest/lib.a -o $@ 2> $@.said || \
		{ cat $@.said >&2; exit 1; }
	@sed -n "s|.*unused section '\.text\.\([^.]*\)' in file '$(B)/\(guest/diag/.*\)\.o'|\2.c: \1() is called by nobody|p" $@.said | \
		{ ! grep . $(if $(filter default,$(POLICY)),>&2,> /dev/null || true); }

$(B)/guest.bin: $(B)/guest.elf
	$(Q)$(OBJCOPY) -O binary $< $@

# The example kernel, which is not bundled: `make run-guest GUEST_ELF=build/hello.elf`. It knows nothing of this tree.
HELLO := guest/hello/start.S guest/hello/main.c
$(B)/hello.elf: $(HELLO) linker/hello.ld $(B)/flags
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -g -ffreestanding -nostdlib -static -fno-pic -no-pie -mgeneral-regs-only -mstrict-align $(WARN) \
		-Wl,--build-id=none,-z,noexecstack,--no-warn-rwx-segments -T linker/hello.ld $(HELLO) -o $@

# The guest's functions, kept under the hash that @H has of it.
$(B)/guest.map: $(B)/guest.elf $(B)/guest.bin
	@$(CROSS_COMPILE)nm -n $< > $@
	@mkdir -p $(B)/symbols && cp $@ $(B)/symbols/$$(sha256sum $(B)/guest.bin | cut -c1-8).map

$(ELF): $(HV_OBJ) $(B)/objects $(B)/hv.ld tools/seal.py policygen/text/elf.py $(G)/policy.canonical.json | $(B)/guest.map
	$(call say,LD,$@)
	$(Q)$(CC) $(HV_LDFLAGS) -T $(B)/hv.ld -Wl,-Map=$(B)/hypervisor.map $(HV_OBJ) -o $@
	$(Q)$(PYTHON) tools/seal.py $@

$(B)/hypervisor.bin: $(ELF)
	$(Q)$(OBJCOPY) -O binary $< $@

# For clangd and other tools: build/compile_commands.json (.clangd points there).
$(B)/compile_commands.json: $(B)/flags
	@{ echo '['; sep=; for f in $(HV_SRC) $(call sources,$(wildcard guest/$(GUEST)/*.c guest/lib/*.c)); do \
	case $$f in hv/*) flags='$(HV_CFLAGS)';; *) flags='$(GUEST_CFLAGS)';; esac; \
	printf '%s{"directory": "%s", "file": "%s", "command": "%s %s -c %s"}' "$$sep" '$(CURDIR)' "$$f" '$(CC)' "$$flags" "$$f"; \
	sep=",\n"; done; echo; echo ']'; } | sed 's/\\n/\n/g' > $@

-include $(HV_OBJ:.o=.d) $(GUEST_OBJ:.o=.d) $(GUEST_LIB:.o=.d) $(B)/hv.ld.d $(B)/guest.ld.d
endif

# ---- running -------------------------------------------------------------------------------------------------------

# The board without its CPUs, and the address of its boot arguments: from the platform file, in a later recipe.
MACHINE = $$(cat $(G)/qemu.machine)
QEMU_MACHINE = $(MACHINE) $(if $(GUEST_MACHINE),-machine $(GUEST_MACHINE) )-cpu $(CPU) -smp $(SMP)
# The line, and QEMU's own console behind Ctrl-A, are kept in a file: the evidence of the run.
UART_LOG ?= $(B)/uart.log
QEMU_ARGS = $(QEMU_MACHINE) -nographic -nic none -chardev stdio,id=uart,mux=on,signal=off,logfile=$(UART_LOG) \
	-serial chardev:uart -mon chardev=uart
# piped.py ends QEMU when the reader of its output has gone: `make run | head` would leave it running.
PIPED = $(PYTHON) tools/piped.py $(QEMU)
# QEMU empties the log file, so the log of the run before is moved aside; a file named by UART_LOG= is not touched.
keep_log = if [ -f '$(UART_LOG)' ] && [ -s '$(UART_LOG)' ]; then $(if $(filter UART_LOG,$(GIVEN)),echo \
	'UART_LOG=$(UART_LOG) exists: name another file or remove it' >&2; exit 2,mv -f '$(UART_LOG)' '$(UART_LOG).1'); fi
say_log = @test ! -t 1 || printf 'the log of this run: %s\n  python3 tools/log_decode.py check %s\n' $(UART_LOG) $(UART_LOG)
# EL2 reads 4096 bytes of boot arguments.
BOOTARGS = charter1$(if $(UNATTENDED), unattended=1)$(if $(LOG), log=$(LOG))
write_bootargs = printf '%s%s\0' '$(BOOTARGS)' "$${HVINIT:+ hv.init=\"$$HVINIT\"}" > $(1) && if [ $$(wc -c < $(1)) -gt 4096 ]; then \
	echo 'HVINIT= is too long: EL2 reads 4096 bytes of boot arguments' >&2; exit 2; fi

# Behind the end of an input that is no terminal `poweroff` is typed, for the monitor when it opens.
RUN_DIAG = $(PYTHON) tools/piped.py $(if $(UNATTENDED),,--then poweroff )$(QEMU) $(QEMU_ARGS) -kernel $(ELF) -device loader,file=$(B)/bootargs,addr=$$(cat $(G)/qemu.bootargs),force-raw=on
.PHONY: run run-linux run-guest
run: $(ELF) ## boot the diagnostic guest under POLICY= [MODE=audit] [UNATTENDED=1 [TIMEOUT=]]; ^] m opens the monitor
	@$(call write_bootargs,$(B)/bootargs)
	$(Q)$(call have,$(QEMU),qemu-system-arm)
ifeq ($(UNATTENDED),)
	$(Q)$(keep_log)
	$(Q)$(RUN_DIAG)
	$(say_log)
else
	$(Q)$(keep_log)
	$(Q)$(LIMITED) $(RUN_DIAG) -no-reboot || true
	$(Q)grep -aq 'diagnostic guest: [0-9]* passed, 0 failed' $(UART_LOG) || \
		{ echo 'run: the diagnostic guest failed, or did not come to its end' >&2; exit 1; }
endif

.PHONY: fuzz-guest
fuzz-guest: UART_LOG = $(B)/fuzz/uart.log
fuzz-guest: G = $(B)/fuzz/gen
fuzz-guest: ## a hostile guest on SMP= CPUs from SEED= on, until EL2 has decided COUNT= times (POLICY= default here: permissive)
	$(Q)$(MAKE) --no-print-directory all GUEST=fuzz B=$(B)/fuzz POLICY=$(if $(filter command line,$(origin POLICY)),$(POLICY),permissive) SEED=$(SEED) COUNT=$(COUNT)
	@printf '%s\0' 'charter1 unattended=1 log=quiet' > $(B)/fuzz/bootargs
	$(Q)$(QEMU) $(QEMU_ARGS) -no-reboot -kernel $(B)/fuzz/hypervisor.elf \
		-device loader,file=$(B)/fuzz/bootargs,addr=$$(cat $(G)/qemu.bootargs),force-raw=on > /dev/null
	$(Q)grep -a 'fuzz: seed.*tallies kept, 0 wrong' $(UART_LOG) && ! grep -a 'charter: panic' $(UART_LOG)

# Arguments of every preparing tool; run_prepared runs the machine that it left in a folder of $(B).
PREPARED = --smp $(SMP) --cpu $(CPU) --qemu $(QEMU) --policy-windows $(G)/windows.json --board $(G)/platform.json \
	$(if $(GUEST_MACHINE),--machine=$(GUEST_MACHINE)) $(if $(LOG),--log $(LOG)) $(if $(UNATTENDED),--unattended) $(if $(HVINIT),--hv-init="$$HVINIT")
define run_prepared
	$(Q)$(keep_log)
	$(Q)$(if $(UNATTENDED),$(LIMITED) )$(PIPED) $(QEMU_ARGS) $(if $(UNATTENDED),-no-reboot )-kernel $(ELF) $$(cat $(B)/$(1)/qemu.args)$(if $(UNATTENDED), || true)
	$(if $(UNATTENDED),$(Q)$(PYTHON) tools/linux_end.py $(UART_LOG),$(say_log))
endef

run-linux: $(ELF) ## boot LINUX_IMAGE= [LINUX_DTB=] [LINUX_INITRD=] [LINUX_CMDLINE=] [LINUX_DISK=] [LINUX_NET=user] [SMP=] [UNATTENDED=1 [TIMEOUT=]]
	$(Q)$(call have,$(QEMU),qemu-system-arm)
	@test -n '$(FDTPY)' || { echo 'no python3 with libfdt: run make setup (Debian package python3-libfdt)' >&2; exit 2; }
	$(Q)$(FDTPY) tools/linux_prep.py --image '$(LINUX_IMAGE)' $(if $(LINUX_DTB),--dtb '$(LINUX_DTB)') \
		$(if $(LINUX_INITRD),--initrd '$(LINUX_INITRD)') $(if $(filter LINUX_CMDLINE,$(GIVEN)),--cmdline="$$LINUX_CMDLINE") \
		$(if $(LINUX_VERBATIM),--verbatim) $(if $(LINUX_DISK),--disk '$(LINUX_DISK)') $(if $(LINUX_NET),--net '$(LINUX_NET)') \
		$(PREPARED) --symbols $(B)/symbols --out $(B)/linux
	$(call run_prepared,linux)

run-guest: $(ELF) $(filter $(B)/hello.elf,$(GUEST_ELF)) ## boot GUEST_ELF= or GUEST_BIN= [GUEST_LOAD=] [GUEST_X0=] [GUEST_DTB=] [GUEST_ARGS=] [GUEST_DISK=] [GUEST_NET=user] [SMP=] [UNATTENDED=1 [TIMEOUT=]]
	$(Q)$(call have,$(QEMU),qemu-system-arm)
	@test -n '$(FDTPY)' || { echo 'no python3 with libfdt: run make setup (Debian package python3-libfdt)' >&2; exit 2; }
	$(Q)$(FDTPY) tools/guest_prep.py $(if $(GUEST_ELF),--elf '$(GUEST_ELF)',--bin '$(GUEST_BIN)') $(if $(GUEST_LOAD),--load=$(GUEST_LOAD)) \
		$(if $(GUEST_ENTRY),--entry=$(GUEST_ENTRY)) $(if $(GUEST_X0),--x0=$(GUEST_X0)) $(if $(GUEST_DTB),--dtb '$(GUEST_DTB)') \
		$(if $(GUEST_DTB_AT),--dtb-at=$(GUEST_DTB_AT)) $(if $(filter GUEST_ARGS,$(GIVEN)),--args="$$GUEST_ARGS") \
		$(if $(GUEST_DISK),--disk '$(GUEST_DISK)') $(if $(GUEST_NET),--net '$(GUEST_NET)') $(PREPARED) --out $(B)/guest
	$(call run_prepared,guest)

# The machine of the cockpit is one of these targets, by what is given, in a make of its own.
COCKPIT_RUNS = $(MAKE) -s --no-print-directory $(if $(LINUX_IMAGE),run-linux,$(if $(GUEST_ELF)$(GUEST_BIN),run-guest,run))
.PHONY: cockpit
cockpit: ## run, run-linux or run-guest, by what is given, in a terminal program: console, policy, records, monitor [WEB=1]
	$(Q)$(call have,$(QEMU),qemu-system-arm)
	@test -n '$(DESKPY)' || { echo 'no python3 with urwid: run make setup (Debian package python3-urwid)' >&2; exit 2; }
	$(Q)$(DESKPY) tools/cockpit --kept $(UART_LOG) $(if $(WEB),--web )-- $(COCKPIT_RUNS)

# A recording has all that a second run needs but QEMU: image, boot arguments, machine, QEMU's events, the log.
R ?= $(B)/record
.PHONY: record replay
record: $(ELF) ## record a run of the diagnostic guest (R=build/record), to be looked at with `make replay`
	$(Q)$(call have,$(QEMU),qemu-system-arm)
	@$(call write_bootargs,$(B)/bootargs)
	$(Q)$(PYTHON) tools/record.py --elf $(ELF) --bootargs $(B)/bootargs --qemu '$(QEMU)' --machine "$(QEMU_MACHINE)" -- '$(R)'

GDB ?=
SESSION ?=
replay: ## run the recording up to decision SEQ= again, and open the monitor there [SESSION=n] [GDB=1: gdb]
	@test -n '$(SEQ)' || { echo 'replay: SEQ=n is needed: a decision of $(R)/uart.log' >&2; exit 2; }
	$(Q)$(TESTPY) tools/replay.py --qemu '$(QEMU)'$(if $(GDB), --gdb)$(if $(SESSION), --session '$(SESSION)') -- '$(R)' '$(SEQ)'

# ---- checking ------------------------------------------------------------------------------------------------------

# The first Python with these modules: $(PYTHON), or Debian's.
python_with = $(shell for p in $(PYTHON) /usr/bin/python3; do $$p -c 'import $(1)' 2>/dev/null && { echo $$p; break; }; done)
FDTPY = $(eval FDTPY := $(call python_with,libfdt))$(FDTPY)
DESKPY = $(eval DESKPY := $(call python_with,urwid$(comma) yaml))$(DESKPY)
have = command -v $(1) >/dev/null || { echo '$(1) is missing: run make setup (Debian package $(2))' >&2; exit 2; }
TEST_MODULES = pytest, hypothesis, pexpect, libfdt, jsonschema, urwid, pyte
TESTPY = $(eval TESTPY := $(call python_with,$(TEST_MODULES)))$(TESTPY)
havetests = test -n '$(TESTPY)' || { echo 'no python3 with $(TEST_MODULES): run make setup' >&2; exit 2; }

FLAKE8 = flake8 --max-line-length 130 policygen tools tests
MYPY = mypy --strict --ignore-missing-imports --cache-dir $(B)/mypy policygen tools

.PHONY: check-policy test test-policygen test-host test-qemu test-conform test-linux-smoke lint release setup
check-policy: ## validate every profile: policygen --check
	$(Q)$(PYTHON) -m policygen --check

PYTEST = $(TESTPY) -m pytest -q -p no:cacheprovider
# The longest tests begin, so that both processes end together.
test: all check-policy ## the complete local gate
	@$(havetests)
	@$(call have,$(QEMU),qemu-system-arm)
	$(Q)$(PYTEST) -n 2 tests

# Tests of the parts that an edit breaks most often: names, types, rooms, single files of EL2 and of tools, one boot.
QUICK_TESTS := $(wildcard tests/*/test_floors.py) $(addprefix tests/host/test_,$(addsuffix .py,rooms unreached text log uart batch \
	gdb_packet monitor dis)) $(addprefix tests/policygen/test_policygen_,source.py parts.py) tests/policygen/test_layout.py \
	tests/decoder/test_wire.py tests/docs/test_comments.py tests/guestprep/test_prep_image.py tests/guestprep/test_linux_end.py \
	'tests/qemu/test_diag.py::test_profile[default]'
.PHONY: check
check: all check-policy ## types, style, rooms, policies, the short tests and one boot: after each edit, 90 seconds at most
	@$(havetests)
	@$(call have,$(QEMU),qemu-system-arm); $(call have,flake8,flake8); $(call have,mypy,mypy)
	$(Q)$(FLAKE8) & flake8=$$!; $(MYPY); mypy=$$?; wait $$flake8 && exit $$mypy
	$(Q)$(PYTEST) -n 2 $(QUICK_TESTS)

test-conform: ## guests on bare QEMU and under Charter: what they find [PROGRAMS=n SEED=n of random programs]
test-policygen test-host test-qemu test-conform: test-%: all
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
	$(Q)$(TESTPY) tests/linux/smoke.py --qemu '$(QEMU)' $(SCENARIOS)

.PHONY: test-matrix qemu-backports
test-matrix: ## Linux of two versions under two profiles on each CPU model of QEMU=/path
	@$(havetests)
	$(Q)$(TESTPY) tests/linux/matrix.py --qemu $(QEMU)

qemu-backports: ## fetch the newest QEMU that Debian's backports have into build/ and print its path
	@$(havetests) && $(TESTPY) tests/linux/artifacts.py $(abspath $(B)/linux)

MUTANTS ?= 0
.PHONY: mutate fuzz-host coverage drawings
mutate: all ## flip comparisons, masks, offsets and verdicts of EL2's core, MUTANTS= of them (0: all) [RESULTS=file, to go on with]
	@$(havetests)
	$(Q)$(TESTPY) tests/mutate.py --mutants $(MUTANTS) $(if $(RESULTS),--results $(RESULTS))

FUZZ_SECONDS ?= 60
FUZZ_SEED ?= 0
fuzz-host: $(G)/stamp ## libFuzzer on trap path, monitor, loader and virtio, FUZZ_SECONDS= long each [FUZZ_SEED=]
	$(Q)$(call have,clang,clang)
	$(Q)$(PYTHON) tests/host/fuzz_host.py $(B)/fuzz-host $(G) $(FUZZ_SECONDS) $(FUZZ_SEED)

coverage: all ## lines and branches of hv/ that host tests and machines reach, and those that nothing does: build/coverage/
	@$(havetests)
	$(Q)$(TESTPY) tests/coverage.py $(B)/coverage

drawings: ## draw the READMEs' pictures again from the lists that the tests read
	$(Q)$(PYTHON) tests/docs/drawings.py

.PHONY: test-fresh
RELEASE ?= bookworm
test-fresh: ## README.md's first command on a bare Debian RELEASE= [FULL=1: the second, too]; as root
	@tests/fresh.sh $(RELEASE) $(B)/fresh-$(RELEASE) $(if $(FULL),2,1)

lint: all ## static checks of C, Python and shell
	@$(call have,cppcheck,cppcheck); $(call have,shellcheck,shellcheck); $(call have,flake8,flake8); $(call have,mypy,mypy)
	@$(call have,clang-tidy,clang-tidy)
	$(Q)cppcheck -q --error-exitcode=1 --inline-suppr --enable=warning,portability --suppress=missingInclude \
		--suppress=unusedStructMember -D__aarch64__ -Ihv hv
	$(Q)printf '%s\n' $(HV_SRC) | xargs -P 2 -I{} $(CC) $(HV_CFLAGS) -fanalyzer -c {} -o /dev/null
	$(Q)printf '%s\n' $(HV_SRC) | xargs -P 2 -n 6 sh -c 'clang-tidy --quiet "$$@" -- --target=aarch64-linux-gnu -w -Ihv -I$(G) \
		$(filter -std=% -ffreestanding -mgeneral-regs-only,$(HV_CFLAGS)) 2>/dev/null' clang-tidy
	$(Q)$(FLAKE8)
	$(Q)$(MYPY)
	$(Q)shellcheck .ci/run policygen/policygen tools/make/*.sh tests/*.sh

# ---- handing over --------------------------------------------------------------------------------------------------

RELEASE_DIR := $(B)/release
.PHONY: release-files
release: test release-files ## ELF, raw binary, map, debug ELF, policy, decoder with rules and names, SHA256SUMS: build/release/

release-files: all
	$(Q)rm -rf $(RELEASE_DIR) && mkdir -p $(RELEASE_DIR)
	$(Q)$(PYTHON) -m policygen verify $(POLICY) > $(RELEASE_DIR)/policy-$(POLICY)-verify.txt
	$(Q)sed -i 's/ *[0-9.]* s$$//' $(RELEASE_DIR)/policy-$(POLICY)-verify.txt # how long it took is not part of the result
	$(Q)cp $(ELF) $(RELEASE_DIR)/charter-debug.elf
	$(Q)$(CROSS_COMPILE)strip -o $(RELEASE_DIR)/charter.elf $(ELF)
	$(Q)cp $(B)/hypervisor.bin $(RELEASE_DIR)/charter.bin
	$(Q)cp $(B)/hypervisor.map $(RELEASE_DIR)/charter.map
	$(Q)cp $(G)/policy.canonical.json $(RELEASE_DIR)/policy-$(POLICY).json
	$(Q)$(PYTHON) -m policygen expand $(POLICY) > $(RELEASE_DIR)/policy-$(POLICY).yaml
	$(Q)$(PYTHON) -m policygen doc $(POLICY) > $(RELEASE_DIR)/policy-$(POLICY).md
	$(Q)$(PYTHON) -m policygen traps $(POLICY) > $(RELEASE_DIR)/policy-$(POLICY)-traps.txt
	$(Q)sed -n 's/^const char build_id.. = "\(.*\)";$$/\1/p' $(G)/build.c > $(RELEASE_DIR)/VERSION
	$(Q)mkdir $(addprefix $(RELEASE_DIR)/,hvl rules symbols)
	$(Q)cp $(call sources,tools/log_decode.py) $(RELEASE_DIR)
	$(Q)cp $(call sources,$(wildcard tools/hvl/*.py tools/hvl/*.json) policy/arch/sysregs.csv) $(RELEASE_DIR)/hvl
	$(Q)$(keep_rules) $(RELEASE_DIR)/rules/$(rules_name)
	$(Q)cp $(B)/guest.map $(RELEASE_DIR)/symbols/$$(sha256sum $(B)/guest.bin | cut -c1-8).map
	$(Q)cd $(RELEASE_DIR) && find . -type f ! -name SHA256SUMS | sed 's|^\./||' | LC_ALL=C sort | xargs sha256sum > SHA256SUMS
	@echo "release: $(RELEASE_DIR) $$(cat $(RELEASE_DIR)/VERSION)"

include tools/make/setup.mk

clean: ## remove build/
	$(if $(filter B,$(GIVEN)),@test ! -e $(B) || test -e $(B)/flags || { echo 'B=$(B): nothing was built there; remove it by hand' >&2; exit 2; })
	$(Q)rm -rf $(B)

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+( .*)?:.*## / { sub(/ .*/, "", $$1); printf "  make %-18s %s\n", $$1, $$2 }' Makefile tools/make/*.mk
	@echo 'Variables, on the command line or in the environment:'
	@printf '  %-15s %s\n' $(foreach name,$(KNOWN),$(name)= '$(takes.$(name))')
