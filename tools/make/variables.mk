# SPDX-License-Identifier: Apache-2.0
# The variables that a person may set: what each takes, and the refusal of anything else before make expands it.
#
# make would expand the text of a variable, and a recipe would hand it to a shell. Here each text that was given is looked
# at as it stands ($(value)), with make's own functions alone, and fixed: nothing in it is expanded afterwards. Texts that
# are free (HVINIT, LINUX_CMDLINE, GUEST_ARGS) go to a tool as environment, never as part of a command.

override SWITCHES := UNATTENDED LOCKED MONITOR GDB BRIEF FULL FLOODS LINUX_VERBATIM WEB V
override NUMBERS := TIMEOUT SEED COUNT PROGRAMS STORM MUTANTS FUZZ_SECONDS FUZZ_SEED SESSION
override CHOICES := MODE BOARD LOG SMP GUEST CPU SEQ RELEASE GUEST_LOAD GUEST_ENTRY GUEST_X0 GUEST_DTB_AT
override FILES := POLICY B R UART_LOG LINUX_IMAGE LINUX_DTB LINUX_INITRD LINUX_DISK GUEST_ELF GUEST_BIN GUEST_DTB GUEST_DISK RESULTS
override TOOLS := QEMU CROSS_COMPILE PYTHON CC OBJCOPY OBJDUMP
override TEXTS := HVINIT LINUX_CMDLINE LINUX_NET GUEST_ARGS GUEST_NET GUEST_MACHINE SCENARIOS
override KNOWN := $(FILES) $(CHOICES) $(TEXTS) $(SWITCHES) $(NUMBERS) $(TOOLS)

override a_switch := 1, or 0 for off
override a_name := letters, digits and ._/+@- alone, no - in front
override takes.POLICY := a profile of policy/ or a .yaml file (default; run-linux and test-linux-smoke: permissive, run-guest: guest)
override takes.MODE := audit or enforce, whatever the policy says
override takes.BOARD := a file of policy/platform without its .yaml; otherwise the one that the policy names
override takes.LOG := text, notable, full or quiet
override takes.SMP := 1 to 8
override takes.CPU := a CPU model of policy/platform (cortex-a57)
override takes.UNATTENDED := $(a_switch): never wait for a person
override takes.TIMEOUT := a number: seconds after which an unattended guest that has not ended is stopped
override takes.HVINIT := what the monitor does before the guest starts: printable ASCII without "
override takes.UART_LOG := the log of a run (build/uart.log), a file that is not there yet
override takes.MONITOR := 1, or 0 for an image without monitor and breakpoints: the whole line belongs to the guest
override takes.LOCKED := $(a_switch): a monitor that only looks
override takes.GUEST := diag, bench, sweep, fuzz or attack
override takes.PROGRAMS := a number: of random programs for the interrupt controller (1200)
override takes.SEED := a number: where the hostile guest begins
override takes.COUNT := a number: how many decisions it is for
override takes.STORM := 0 to 2: what else the hostile guest does
override takes.FLOODS := $(a_switch): the attacking guest floods, as a key says
override takes.BRIEF := $(a_switch): the sweep leaves out what repeats
override takes.LINUX_IMAGE := a kernel: Image, packed in any way, or EFI zboot
override takes.LINUX_DTB := its DTB; without one that of the QEMU that will run
override takes.LINUX_INITRD := an initrd
override takes.LINUX_CMDLINE := the kernel command line, one line of any text, handed on as it stands
override takes.LINUX_VERBATIM := $(a_switch): the command line as it stands, without the panic=-1 of UNATTENDED=1
override takes.LINUX_DISK := a raw disk image
override takes.LINUX_NET := user, with options of QEMU behind commas
override takes.GUEST_ELF := a kernel, a 64-bit ELF file for AArch64
override takes.GUEST_BIN := a kernel, a raw binary or an image of U-Boot
override takes.GUEST_LOAD := where a raw binary or a PIE goes (as it says, else 0x40080000)
override takes.GUEST_ENTRY := where it begins (as it says, else where it lies)
override takes.GUEST_X0 := dtb, or a number: what X0 holds then (0 for an ELF file, else dtb)
override takes.GUEST_DTB := auto, none or a DTB (auto: of the QEMU that will run)
override takes.GUEST_DTB_AT := where the DTB goes (the start of RAM, unless the kernel is there)
override takes.GUEST_ARGS := its arguments, one line of any text, handed on as it stands in /chosen/bootargs
override takes.GUEST_DISK := a raw disk image
override takes.GUEST_NET := user, with options of QEMU behind commas
override takes.GUEST_MACHINE := options for QEMU -machine, of run-guest and run-linux: mte=on
override takes.R := the folder of a recording (build/record)
override takes.SEQ := a decision: 12098, or 12098.1 for CPU 1
override takes.SESSION := a number: which session of the log
override takes.WEB := $(a_switch): the cockpit serves the report, live, on the loopback
override takes.GDB := $(a_switch): gdb, inside the recording
override takes.SCENARIOS := names of tests/linux/smoke.py
override takes.MUTANTS := a number; 0 for all
override takes.RESULTS := a file to go on with
override takes.FUZZ_SECONDS := a number
override takes.FUZZ_SEED := a number; 0 for any
override takes.RELEASE := bookworm or trixie, of Debian
override takes.FULL := $(a_switch): all that must hold, too
override takes.B := the folder that everything goes to (build)
override takes.V := 1 for the commands, 0 for a line each
override takes.QEMU := a qemu-system-aarch64
override takes.CROSS_COMPILE := what is in front of their names (aarch64-linux-gnu-)
override takes.CC := a compiler, with words in front or behind
override takes.OBJCOPY := a program
override takes.OBJDUMP := a program
override takes.PYTHON := a python3 with PyYAML, Jinja2 and pyelftools

# ---- alphabets -----------------------------------------------------------------------------------------------------

override empty :=
override space := $(empty) $(empty)
override comma := ,
override hash := \#
override define newline


endef
override DIGITS := 0 1 2 3 4 5 6 7 8 9
override PLAIN := a b c d e f g h i j k l m n o p q r s t u v w x y z A B C D E F G H I J K L M N O P Q R S T U V W X Y Z \
	$(DIGITS) . _ / + @ -
override PRINTABLE := $(PLAIN) ! $(hash) $$ % & ' ( ) * , : ; < = > ? [ \ ] ^ ` { | } ~
# The characters of a text that are not in a list of characters.
override others = $(if $(2),$(call others,$(subst $(firstword $(2)),,$(1)),$(wordlist 2,$(words $(2)),$(2))),$(1))
# Not empty if a text has one of them: `if` would take blanks for an empty text.
override odd = $(subst <>,,<$(call others,$(1),$(2))>)
# The plain names in a list of files; one test of the whole list mostly shows that all are.
override plain = $(if $(call odd,$(subst $(space),,$(1)),$(PLAIN)),$(foreach f,$(1),$(if $(call odd,$(f),$(PLAIN)),,$(f))),$(1))
# A list of files of the tree, all of which must be plain names: one line tells of another.
override sources = $(foreach f,$(filter-out $(call plain,$(1)),$(1)),$(error '$(f)': the name of a file of the tree has \
	$(a_name)))$(1)

# ---- the given folder, names and texts ----------------------------------------------------------------------------

ifneq ($(call odd,$(CURDIR),$(PLAIN)),)
$(error this checkout is in '$(subst $(newline),\n,$(CURDIR))': make needs a folder whose name has $(a_name); move it)
endif
ifneq ($(call odd,$(subst $(space),,$(MAKECMDGOALS)),$(PLAIN)),)
$(error '$(subst $(newline),\n,$(MAKECMDGOALS))': the name of a goal has $(a_name); `make help` lists them)
endif
override UNKNOWN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),\
	$(filter-out $(KNOWN),$(name))))
ifneq ($(strip $(UNKNOWN)),)
$(error $(firstword $(UNKNOWN))=: no such variable; `make help` lists them)
endif

# Variables given on the command line or in the environment; an environment's compiler is the host's and does not count.
override GIVEN := $(foreach name,$(KNOWN),$(if $(filter command environment,$(firstword $(origin $(name)))),\
	$(if $(filter-out environment,$(origin $(name))),$(name),$(filter-out CC OBJCOPY OBJDUMP,$(name)))))
# An empty variable counts as not given; for PYTHON= and free texts empty is a value.
override EMPTY := $(foreach name,$(filter-out PYTHON $(TEXTS),$(GIVEN)),$(if $(subst <>,,<$(value $(name))>),,$(name)))
override GIVEN := $(filter-out $(EMPTY),$(GIVEN))
$(foreach name,$(EMPTY),$(eval override undefine $(name)))
$(foreach name,$(GIVEN),$(eval override $(name) := $$(value $(name))))
export $(GIVEN)

refused = $(error $(1)=$(subst $(newline),\n,$($(1))): $(2))
# Checks given variables: only characters of a list; one of a list; not beginning with -.
characters = $(foreach name,$(filter $(GIVEN),$(1)),$(if $(call odd,$(subst $(3),,$($(name))),$(2)),$(call refused,$(name),$(or $(4),$(takes.$(name))))))
one_of = $(foreach name,$(filter $(GIVEN),$(1)),$(if $(filter $(2),$($(name))),,$(call refused,$(name),$(takes.$(name)))))
not_an_option = $(foreach name,$(filter $(GIVEN),$(1)),$(if $(filter -%,$(firstword $($(name)))),$(call refused,$(name),$(a_name))))

$(call characters,$(NUMBERS),$(DIGITS))
$(call characters,SEQ,$(DIGITS) .)
$(call characters,$(SWITCHES) $(CHOICES),$(filter-out / + @,$(PLAIN)))
$(call characters,$(FILES) $(filter-out CC PYTHON,$(TOOLS)),$(PLAIN),,$(a_name))
$(call characters,CC PYTHON,$(PLAIN) =,$(space),words of $(a_name))
$(call characters,SCENARIOS,$(PLAIN),$(space))
$(call characters,LINUX_NET GUEST_NET GUEST_MACHINE,$(PLAIN) $(comma) : =)
$(call characters,HVINIT,$(PRINTABLE),$(space))
$(call not_an_option,$(FILES) $(TOOLS) SCENARIOS)
$(call one_of,$(SWITCHES),0 1)
$(call one_of,STORM,0 1 2)
$(call one_of,MODE,audit enforce)
$(call one_of,LOG,text notable full quiet)
$(call one_of,SMP,1 2 3 4 5 6 7 8)
$(call one_of,GUEST,diag bench sweep fuzz attack)
$(call one_of,RELEASE,bookworm trixie)
$(foreach name,LINUX_CMDLINE GUEST_ARGS,$(if $(findstring $(newline),$($(name))),$(call refused,$(name),$(takes.$(name)))))
# Switches that are off are empty from here on; MONITOR and V have another default.
$(foreach name,$(filter-out MONITOR V,$(filter $(GIVEN),$(SWITCHES))),$(eval override $(name) := $(filter 1,$($(name)))))

# B is a folder of its own: not the tree, one of its rooms, or a folder above the tree.
override ROOMS := policy policygen hv guest linker tests tools .git .ci
override FOLDER := $(abspath $(B))
ifneq ($(filter / $(ROOMS:%=$(CURDIR)/%) $(ROOMS:%=$(CURDIR)/%/%),$(FOLDER))$(filter $(FOLDER)/%,$(if $(B),$(CURDIR)/.)),)
$(error B=$(B): the tree is there; a folder of its own, like build)
endif
