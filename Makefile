# SPDX-License-Identifier: MIT
#
# make            build/pvring, the frontend archive, the nbdkit plugin
# make demo       the README's first command: a guest does real I/O through a split driver
# make test       the README's second command: everything that must pass, CUnit's summary last
# make fio-engine build/fio-pvring.so, an external engine for the fio that is installed
# make guest      build/guest-i386, build/guest-x86_64: the guest kernel; make matrix runs it in six ways
# make check-slow sanitizers, cross builds, fuzzers, long end-to-end runs (.ci/run calls it after make test)
# make check-xen  the real Xen in an emulated machine: Debian's domUs on our backends
# make SAN=asan ... or SAN=tsan ... builds the same with a sanitizer, into build/asan or build/tsan
# make M32=1 build/m32/tests/guest  the guest's side for 32 bits

SAN ?=
M32 ?=
V ?=# make V=1 shows the commands
Q := $(if $(V),,@)
BUILD := build$(if $(SAN),/$(SAN))$(if $(M32),/m32)
SANFLAGS_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SANFLAGS_tsan := -fsanitize=thread
SANFLAGS := $(SANFLAGS_$(SAN))
# The kernel's headers are the same for both, but gcc -m32 does not look where they are.
M32FLAGS := -m32 -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -idirafter /usr/include/x86_64-linux-gnu

ifeq ($(origin CC),default)
CC := gcc
endif
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Werror
CFLAGS ?= -O2 -g
VERSION := 0.1.0
CPPFLAGS := -Iinclude -D_GNU_SOURCE -DPVR_VERSION='"$(VERSION)"'
override CFLAGS += -std=gnu11 $(WARN) -fPIC $(if $(M32),$(M32FLAGS)) $(SANFLAGS) -MMD -MP
LDLIBS := -lseccomp -luring -laio -ljansson -lpthread -lm -lz -llzma -llz4 -lzstd -lZydis

src = $(wildcard $(addsuffix /*.c,$(1)))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(call src,$(1)))

FRONT_DIRS := rings frontend blkfront netfront
LIBS := $(addprefix $(BUILD)/,libpvring.a libbackend.a libblkback.a libnetback.a libhypervisor.a libprocess.a libhost.a libdom0.a libxen.a libclient.a libkvm.a libmachine.a libpv.a)

# What is built only where its headers are installed; one line says what is left out.
have = $(if $(wildcard $(1)),1)
# The public macros are a peer to measure, not code to sanitize.
HAVE_LIBXEN := $(if $(SAN),,$(call have,/usr/include/xen/io/ring.h))
HAVE_XEN := $(call have,/usr/include/xengnttab.h)
XEN_LIBS = $(if $(HAVE_XEN),-lxengnttab -lxenevtchn)
HAVE_LIBNBD := $(call have,/usr/include/libnbd.h)
HAVE_NBDKIT := $(call have,/usr/include/nbdkit-plugin.h)
HAVE_NCURSES := $(call have,/usr/include/ncurses.h)
define \n


endef
LEFT_OUT := $(if $(HAVE_XEN),,the_backends_on_the_real_Xen_(libxen-dev)) $(if $(HAVE_LIBNBD),,NBD_disks_(libnbd-dev)) $(if $(HAVE_LIBXEN)$(SAN),,the_public_ring_macros_in_bench_ring_(libxen-dev)) $(if $(HAVE_NBDKIT),,the_nbdkit_plugin_(nbdkit-plugin-dev)) $(if $(HAVE_NCURSES),,the_screen_of_pvring_top_(libncurses-dev))

all: $(BUILD)/pvring $(if $(HAVE_NBDKIT),$(BUILD)/nbdkit-pvring-plugin.so)
	$(foreach what,$(LEFT_OUT),@echo "left out for want of its package: $(subst _, ,$(what))"$(\n))

# ---- libraries: one an archive a directory, so that each waist can be linked to a mock -------------
$(BUILD)/libpvring.a:     $(call obj,$(FRONT_DIRS))
$(BUILD)/libbackend.a:    $(call obj,backend)
$(BUILD)/libblkback.a:    $(filter-out $(BUILD)/obj/blkback/$(if $(HAVE_LIBNBD),nbd_none.o,%_nbd.o),$(call obj,blkback))
$(BUILD)/libnetback.a:    $(call obj,netback)
$(BUILD)/libhypervisor.a: $(call obj,hypervisor hypervisor/store)
$(BUILD)/libprocess.a:    $(call obj,ports/process)
$(BUILD)/libhost.a:       $(call obj,ports/host)
$(BUILD)/libdom0.a:       $(call obj,ports/dom0)
$(BUILD)/libxen.a:        $(if $(HAVE_XEN),$(filter-out %/none.o,$(call obj,ports/xen)),$(BUILD)/obj/ports/xen/none.o)
$(BUILD)/libclient.a:     $(call obj,ports/client)
$(BUILD)/libkvm.a:        $(call obj,kvm)
$(BUILD)/libmachine.a:    $(call obj,machine)
$(BUILD)/libpv.a:         $(call obj,pv) $(BUILD)/obj/pv/enter.o

$(BUILD)/%.a:
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(Q)echo '  CC    $<'; $(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

$(BUILD)/obj/%.o: %.S Makefile
	@mkdir -p $(@D)
	$(Q)echo '  AS    $<'; $(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

# ---- programs --------------------------------------------------------------------------------------
TOOL_OBJ := $(call obj,tools bench)
ifeq ($(HAVE_LIBXEN),1)
$(BUILD)/obj/bench/%: CPPFLAGS += -DPVR_HAVE_LIBXEN
else
TOOL_OBJ := $(filter-out $(BUILD)/obj/bench/ring_xen_%,$(TOOL_OBJ))
endif
TOOL_OBJ := $(filter-out $(BUILD)/obj/tools/$(if $(HAVE_NCURSES),top_none.o,top_screen.o),$(TOOL_OBJ))
$(BUILD)/pvring: $(TOOL_OBJ) $(LIBS)
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS) $(TOOL_OBJ) -Wl,--start-group $(LIBS) -Wl,--end-group $(XEN_LIBS) $(LDLIBS) \
		$(if $(HAVE_NCURSES),-lncurses -ltinfo) -o $@

$(BUILD)/nbdkit-pvring-plugin.so: $(call obj,tools/nbdkit) $(BUILD)/libpvring.a $(BUILD)/libprocess.a $(BUILD)/libclient.a
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS) -shared $(call obj,tools/nbdkit) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lpthread -o $@

# ---- the fio engine: GPL-2, against the source of the fio that is installed --------------------------
fio-engine: $(BUILD)/fio-pvring.so
$(BUILD)/fio-pvring.so: $(wildcard tools/fio/*) $(BUILD)/libpvring.a $(BUILD)/libprocess.a $(BUILD)/libclient.a
	@tools/fio/build.sh $(BUILD)/fio >$(BUILD)/fio.version
	$(Q)echo '  CC    $@'; $(CC) $(CPPFLAGS) -isystem $(BUILD)/fio/source -include config-host.h -DBITS_PER_LONG=64 \
		-DPVR_FIO_VERSION='"'"$$(cat $(BUILD)/fio.version)"'"' \
		$(filter-out -MMD -MP,$(CFLAGS)) -Wno-sign-conversion -shared $(filter %.c,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		-Wl,--exclude-libs,ALL -Wl,-Bsymbolic -Wl,-z,nodelete -lpthread -o $@

.PHONY: fio-engine

# ---- unit tests: frontends on a mock port, backends on a mock host ---------------------------------
UNIT_LIBS := $(addprefix $(BUILD)/,libpvring.a libbackend.a libblkback.a libnetback.a libhypervisor.a libclient.a libkvm.a libmachine.a libpv.a)
UNIT_OBJ := $(call obj,tests/unit) $(addprefix $(BUILD)/obj/tools/,net_spec.o spec.o tail.o toolstack.o util.o xl_config.o xl_device.o xl_syntax.o) $(addprefix $(BUILD)/obj/guest/,console_xen.o words.o)
$(BUILD)/tests/unit: $(UNIT_OBJ) $(UNIT_LIBS)
	@mkdir -p $(@D)
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS) $(UNIT_OBJ) -Wl,--start-group $(UNIT_LIBS) -Wl,--end-group -lcunit $(LDLIBS) -o $@

# What the parts under test log is expected; it is shown when a test fails.
test-unit: $(BUILD)/tests/unit
	@$(BUILD)/tests/unit 2>$(BUILD)/tests/unit.log || { tail -60 $(BUILD)/tests/unit.log; exit 1; }

# ---- the ports against the real daemon; tests/e2e/t_ports.sh runs it ---------------------------------
$(BUILD)/tests/ports: $(call obj,tests/e2e) $(LIBS)
	@mkdir -p $(@D)
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS) $(call obj,tests/e2e) -Wl,--start-group $(LIBS) -Wl,--end-group $(XEN_LIBS) $(LDLIBS) -o $@

# ---- a guest program on the public headers, for both word sizes; tests/e2e/t_m32.sh runs them ------------
$(BUILD)/tests/guest: $(call obj,tests/guest) $(addprefix $(BUILD)/,libpvring.a libprocess.a libclient.a)
	@mkdir -p $(@D)
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS) $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lpthread -o $@

# ---- a hostile guest; tests/e2e/slow_hostile.sh runs it --------------------------------------------------
$(BUILD)/tests/hostile: $(call obj,tests/hostile) $(addprefix $(BUILD)/,libpvring.a libprocess.a libclient.a)
	@mkdir -p $(@D)
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS) $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lpthread -o $@

HAVE_M32 := $(and $(wildcard /usr/include/gnu/stubs-32.h),$(wildcard /usr/lib/gcc/x86_64-linux-gnu/*/32/libgcc.a))
test-guests: $(BUILD)/tests/guest
	$(if $(HAVE_M32),@$(MAKE) --no-print-directory M32=1 $(BUILD)/m32/tests/guest)

# ---- the guest kernel, for both widths, with the frontends as its own flags build them -------------------
# guest/X may be a directory of foreign code, whose warnings are its own: GUEST_FOREIGN, with GUEST_FOREIGN_FLAGS.
GUEST_WIDTHS := i386 x86_64
GUEST_ARCH_i386 := -m32 -mregparm=3
GUEST_ARCH_x86_64 := -m64 -mno-red-zone
GUEST_FLAGS := -std=gnu11 -O2 -g -ffreestanding -nostdlib -nostdinc -Iinclude -Iinclude/freestanding -I. -fno-pic -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables -mgeneral-regs-only -isystem $(shell $(CC) -print-file-name=include) -MMD -MP
# lwIP's source is the distribution's (make guest fetches it); without it the kernel has no network.
LWIP := build/lwip/source/src
HAVE_LWIP := $(call have,$(LWIP)/core/tcp.c)
LWIP_FLAGS := -Iguest/lwip -isystem $(LWIP)/include
LWIP_SRC := $(addprefix $(LWIP)/,$(addprefix core/,def.c inet_chksum.c init.c ip.c mem.c memp.c netif.c pbuf.c raw.c tcp.c tcp_in.c tcp_out.c timeouts.c) \
	$(addprefix core/ipv4/,etharp.c icmp.c ip4.c ip4_addr.c ip4_frag.c) netif/ethernet.c)
GUEST_NET_SRC := $(wildcard guest/net*.c guest/lwip/*.c)
GUEST_FOREIGN := $(if $(HAVE_LWIP),$(LWIP_SRC))
GUEST_FOREIGN_FLAGS := -w -Iguest/lwip/libc
GUEST_SRC := $(filter-out $(GUEST_NET_SRC),$(call src,$(FRONT_DIRS) ports/x86 guest)) $(if $(HAVE_LWIP),$(GUEST_NET_SRC)) $(wildcard ports/x86/*.S)
guest_obj = $(patsubst %,build/obj/guest-$(1)/%.o,$(basename $(GUEST_SRC) $(GUEST_FOREIGN)))
# The same kernel, without its network, with another kernel_main: tests/e2e/slow_hostile_kernel.sh runs it.
HOSTILE_SRC := $(wildcard tests/hostile/kernel/*.[cS])
HOSTILE_LIB_SRC := $(filter-out guest/net%,$(call src,$(FRONT_DIRS) ports/x86 guest)) $(wildcard ports/x86/*.S)
hostile_obj = $(patsubst %,build/obj/guest-$(1)/%.o,$(basename $(HOSTILE_SRC)))
hostile_lib_obj = $(patsubst %,build/obj/guest-$(1)/%.o,$(basename $(HOSTILE_LIB_SRC)))

guest: lwip-source
	@$(MAKE) --no-print-directory $(addprefix build/guest-,$(GUEST_WIDTHS))
lwip-source:
	@guest/lwip/fetch.sh build/lwip
hostile-kernel: $(addprefix build/tests/hostile-,$(GUEST_WIDTHS))

define GUEST_RULES
build/obj/guest-$(1)/%.o: %.c Makefile
	@mkdir -p $$(@D)
	$$(Q)echo '  CC    $$< ($(1))'; $$(CC) $$(GUEST_FLAGS) $$(GUEST_ARCH_$(1)) $$(if $$(filter $$<,$$(GUEST_FOREIGN)),$$(GUEST_FOREIGN_FLAGS),$$(WARN)) -c $$< -o $$@

build/obj/guest-$(1)/%.o: %.S Makefile
	@mkdir -p $$(@D)
	$$(Q)echo '  AS    $$< ($(1))'; $$(CC) $$(GUEST_FLAGS) $$(GUEST_ARCH_$(1)) -c $$< -o $$@

$(addprefix build/obj/guest-$(1)/,guest/net% guest/lwip/% $(LWIP)/%): GUEST_FLAGS += $(LWIP_FLAGS)

build/guest-$(1): $$(call guest_obj,$(1)) ports/x86/link.lds
	$$(Q)echo '  LD    $$@'; $$(CC) $$(GUEST_ARCH_$(1)) -nostdlib -static -no-pie -Wl,-T,ports/x86/link.lds,--build-id=none,-n,--no-warn-rwx-segments \
		$$(filter %.o,$$^) -o $$@

build/obj/guest-$(1).a: $$(call hostile_lib_obj,$(1))
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^

build/tests/hostile-$(1): $$(call hostile_obj,$(1)) build/obj/guest-$(1).a ports/x86/link.lds
	@mkdir -p $$(@D)
	$$(Q)echo '  LD    $$@'; $$(CC) $$(GUEST_ARCH_$(1)) -nostdlib -static -no-pie -Wl,-T,ports/x86/link.lds,--build-id=none,-n,--no-warn-rwx-segments \
		-Wl,-u,pvh_entry $$(filter %.o %.a,$$^) -o $$@
endef
$(foreach width,$(GUEST_WIDTHS),$(eval $(call GUEST_RULES,$(width))))

# The kernel in six ways, as a table, and how much of it they share.
matrix:
	@tools/install-packages.sh ci
	@$(MAKE) --no-print-directory -j$$(nproc) all guest
	@BUILD=$(abspath build) tests/e2e/matrix.sh

# Its network in a process, with the process port, where sanitizers work.
$(BUILD)/obj/guest/net% $(BUILD)/obj/$(LWIP)/%: CPPFLAGS += $(LWIP_FLAGS)
$(BUILD)/obj/$(LWIP)/%: CFLAGS += -w
$(BUILD)/tests/guest_net: $(call obj,tests/guest_net) $(patsubst %.c,$(BUILD)/obj/%.o,$(filter guest/net%,$(GUEST_NET_SRC)) guest/words.c $(LWIP_SRC)) \
		$(addprefix $(BUILD)/,libpvring.a libprocess.a libclient.a)
	@mkdir -p $(@D)
	$(Q)echo '  LD    $@'; $(CC) $(CFLAGS) $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lpthread -o $@

.PHONY: guest lwip-source hostile-kernel matrix

# ---- the README's two commands -----------------------------------------------------------------------
demo:
	@tools/install-packages.sh demo
	@mkdir -p $(BUILD) && echo "building build/pvring ..."
	@$(MAKE) --no-print-directory -j$$(nproc) $(BUILD)/pvring >$(BUILD)/demo.log 2>&1 || { tail -20 $(BUILD)/demo.log; exit 1; }
	@BUILD=$(abspath $(BUILD)) tools/demo.sh

test:
	@tools/install-packages.sh test
	@$(MAKE) --no-print-directory -j$$(nproc) all $(BUILD)/tests/unit test-guests guest
	@$(MAKE) --no-print-directory test-abi test-freestanding test-e2e test-unit

test-e2e: all $(BUILD)/tests/ports test-guests guest
	@BUILD=$(abspath $(BUILD)) tests/e2e/run.sh

# The slower suites, after make test, two at a time and the longest first: sanitizers, real programs and kernels, fuzzers.
SLOW_TESTS := slow_kvm slow_xen_pvh slow_xen slow_kvm_xen slow_net_features slow_hostile slow_hostile_kernel slow_fio slow_matrix slow_kill slow_net slow_takeover slow_guest_net slow_idle t_fio
SLOW := slow-asan $(SLOW_TESTS:%=slow/%) slow-tsan slow-fuzz
check-slow:
	@tools/install-packages.sh ci
	@$(MAKE) --no-print-directory -j$$(nproc) all fio-engine build/tests/hostile guest hostile-kernel
	@rm -f build/failures
	@MAKEFLAGS= $(MAKE) --no-print-directory -j2 -Otarget $(SLOW) || { cat build/failures 2>/dev/null; exit 1; }

slow/%:
	@began=$$(date +%s); BUILD=$(abspath build) FAILURES=$(abspath build)/failures tests/e2e/run.sh $*.sh && \
		echo "$*: $$(($$(date +%s) - began)) s"

slow-asan:
	@$(MAKE) --no-print-directory -j$$(nproc) SAN=asan all build/asan/tests/unit
	@FAILURES=$(abspath build)/failures $(MAKE) --no-print-directory SAN=asan test-unit test-e2e
	@MMU_STEPS=10000000 build/asan/tests/unit mmu_random >build/asan/mmu.log 2>&1 || { tail -20 build/asan/mmu.log; exit 1; }

slow-tsan:
	@$(MAKE) --no-print-directory -j$$(nproc) SAN=tsan all build/tsan/tests/unit
	@$(MAKE) --no-print-directory SAN=tsan test-unit
	@rm -f build/tsan/race.*
	@BUILD=$(abspath build/tsan) TSAN_OPTIONS=log_path=$(abspath build/tsan)/race tests/e2e/run.sh t_net.sh
	@! cat build/tsan/race.* 2>/dev/null

slow-fuzz:
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=5

# The real Xen, emulated: its part of check-slow alone.
check-xen:
	@tools/install-packages.sh ci
	@$(MAKE) --no-print-directory -j$$(nproc) all guest
	@rm -f build/failures
	@MAKEFLAGS= $(MAKE) --no-print-directory -j2 -Otarget slow/slow_xen_pvh slow/slow_xen || { cat build/failures 2>/dev/null; exit 1; }

.PHONY: demo test test-e2e test-guests check-slow slow-asan slow-tsan slow-fuzz check-xen

# ---- the wire headers against libxen-dev's -----------------------------------------------------------
test-abi:
	@CC="$(CC)" tests/abi/run.sh $(BUILD)/abi

.PHONY: test-abi

# The frontends without a libc, for three architectures; fails when they want more than the port gives.
test-freestanding:
	tests/freestanding/run.sh build $(call src,$(FRONT_DIRS))

# ---- fuzzers: each names its sources; a run takes FUZZ_SECONDS and keeps its corpus under build/ ------
FUZZ_SRC_xenstored := $(call src,hypervisor/store)
FUZZ_SRC_hypercall := $(filter-out %/main.c %/confine.c,$(call src,hypervisor hypervisor/store))
FUZZ_SRC_blkif := blkback/request.c
FUZZ_SRC_kernel := machine/elf.c machine/payload.c kvm/patch.c
FUZZ_LIBS_kernel := -lz -llzma -llz4 -lzstd
FUZZ_SRC_mmu := $(wildcard pv/mmu*.c) tests/unit/mmu_rig.c
FUZZ_SRC_xlcfg := tools/xl_syntax.c
FUZZ_SRC_netfront := netfront/decode.c
FUZZ_SRC_netif := $(addprefix netback/,packet.c headers.c hash.c)
FUZZ_SRC_emulate := $(wildcard pv/emulate*.c)
FUZZ_LIBS_emulate := -lZydis
FUZZ_SECONDS ?= 10
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

.SECONDEXPANSION:
$(BUILD)/fuzz/%: tests/fuzz/fuzz_%.c $$(FUZZ_SRC_$$*) Makefile
	@mkdir -p $(@D)
	clang $(CPPFLAGS) -std=gnu11 -O1 -g -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined $(filter %.c,$^) $(FUZZ_LIBS_$*) -o $@

fuzz: $(addprefix $(BUILD)/fuzz/,$(FUZZERS))
	@for f in $(FUZZERS); do mkdir -p $(BUILD)/fuzz/$$f.corpus; echo "fuzz $$f"; \
		$(BUILD)/fuzz/$$f -verbosity=0 -max_total_time=$(FUZZ_SECONDS) -max_len=4096 \
			-artifact_prefix=$(BUILD)/fuzz/ $(BUILD)/fuzz/$$f.corpus || exit 1; done

.PHONY: fuzz

clean:
	rm -rf build

.PHONY: all clean test-unit test-freestanding
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
