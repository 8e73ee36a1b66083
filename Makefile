# Rollcall. `make help` lists the targets. One Makefile, no recursion; objects in build/FLAVOUR/.
SHELL := /bin/bash
.DEFAULT_GOAL := all

FLAVOUR ?= release
OUT     := build/$(FLAVOUR)
CC      ?= gcc
FUZZ_CC ?= clang
PREFIX  ?= /usr/local
PYTHON  ?= /usr/bin/python3
VERSION := $(shell cat VERSION)

PLUGIN  := $(OUT)/mosquitto_rollcall.so
BRIDGE  := $(OUT)/rollcall-bridge

# ---- flags -------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wformat=2 -Wundef -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wvla -Wswitch-enum -Wnull-dereference -Wimplicit-fallthrough
HARDEN   := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection

flags_release := -O2 -g $(HARDEN)
# The checks that sanitizers add let gcc see ranges of numbers that the program does not have.
flags_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer -Wno-format-truncation
flags_tsan    := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
flags_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer

ALL_CFLAGS := -std=c17 -D_GNU_SOURCE -I. -DROLLCALL_VERSION='"$(VERSION)"' $(WARNINGS) \
	$(if $(CI),-Werror) $(flags_$(FLAVOUR)) -fPIC -fno-common -fvisibility=hidden $(CFLAGS)
ALL_LDFLAGS := -Wl,-z,relro,-z,now,-z,noexecstack $(filter -fsanitize%,$(flags_$(FLAVOUR))) $(LDFLAGS)

# pkg-config runs only when a rule needs it, so that `make deps` works on a bare machine.
pkg_cflags = $(shell pkg-config --cflags-only-I $(1) | sed 's/-I/-isystem /g')
pkg_libs   = $(shell pkg-config --libs $(1))

PROTOCOL_PKGS := json-c libsodium
PLUGIN_PKGS   := $(PROTOCOL_PKGS) lmdb libmosquitto
BRIDGE_PKGS   := $(PROTOCOL_PKGS) libmosquitto libmicrohttpd gnutls openssl zlib libevent_core \
	libevent_pthreads libjwt libmariadb

# ---- sources -----------------------------------------------------------------------------

PROTOCOL_SRC := $(wildcard protocol/*.c)
PLUGIN_SRC   := $(wildcard plugin/*.c)
BRIDGE_SRC   := $(wildcard bridge/*.c bridge/*/*.c)
UNIT_SRC     := $(wildcard tests/unit/test_*.c)
FUZZ_SRC     := $(wildcard tests/fuzz/fuzz_*.c)
FLEET_SRC    := $(wildcard tests/bench/fleet/*.c)

objects = $(patsubst %.c,$(OUT)/%.o,$(1))
PROTOCOL_OBJ := $(call objects,$(PROTOCOL_SRC))
PLUGIN_OBJ   := $(call objects,$(PLUGIN_SRC))
BRIDGE_OBJ   := $(call objects,$(BRIDGE_SRC)) $(OUT)/bridge/schema_files.o \
	$(OUT)/bridge/openapi_files.o $(OUT)/bridge/dashboard_files.o
UNIT_BIN     := $(patsubst %.c,$(OUT)/%,$(UNIT_SRC))
FUZZ_NAMES   := $(patsubst tests/fuzz/fuzz_%.c,%,$(FUZZ_SRC))
FUZZ_BIN     := $(patsubst %,$(OUT)/tests/fuzz/fuzz_%,$(FUZZ_NAMES))
FLEET        := $(OUT)/tests/bench/fleet/fleet

## all: build the plugin and the bridge (default)
.PHONY: all
all: $(PLUGIN) $(BRIDGE)

## plugin, bridge: build one of them
.PHONY: plugin bridge
plugin: $(PLUGIN)
bridge: $(BRIDGE)

$(OUT)/plugin/%.o: PKGS = $(PLUGIN_PKGS)
$(OUT)/bridge/%.o: PKGS = $(BRIDGE_PKGS)
$(OUT)/protocol/%.o: PKGS = $(PROTOCOL_PKGS)
$(OUT)/tests/%.o: PKGS = $(PLUGIN_PKGS) $(BRIDGE_PKGS) cmocka

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(call pkg_cflags,$(PKGS)) -MMD -MP -c $< -o $@

# The broker resolves mosquitto_* itself; libmosquitto is there for the MQTT 5 property readers,
# which Mosquitto 2.0.21 does not export (docs/adr/0001-broker-versions.md).
$(PLUGIN): $(PLUGIN_OBJ) $(PROTOCOL_OBJ) plugin/exports.map
	$(CC) -shared -o $@ $(PLUGIN_OBJ) $(PROTOCOL_OBJ) $(ALL_LDFLAGS) -Wl,-Bsymbolic \
		-Wl,--version-script=plugin/exports.map $(call pkg_libs,$(PLUGIN_PKGS)) -lpthread -lm

$(BRIDGE): $(BRIDGE_OBJ) $(PROTOCOL_OBJ)
	$(CC) -o $@ $(BRIDGE_OBJ) $(PROTOCOL_OBJ) $(ALL_LDFLAGS) $(call pkg_libs,$(BRIDGE_PKGS)) -lpthread -lm

# schema/*.sql go into the bridge, so that a binary always carries the shape it was built for.
$(OUT)/bridge/schema_files.c: $(wildcard schema/*.sql) bridge/embed.sh
	@mkdir -p $(@D)
	bridge/embed.sh schema bridge/db/schema.h $(filter %.sql,$^) > $@

# The description of the REST API; the program completes it from its route table.
$(OUT)/bridge/openapi_files.c: $(wildcard bridge/http/openapi/*.json) bridge/embed.sh
	@mkdir -p $(@D)
	bridge/embed.sh openapi bridge/http/openapi.h $(filter %.json,$^) > $@

$(OUT)/bridge/%_files.o: PKGS = $(BRIDGE_PKGS)
$(OUT)/bridge/%_files.o: $(OUT)/bridge/%_files.c
	$(CC) $(ALL_CFLAGS) $(call pkg_cflags,$(PKGS)) -c $< -o $@

# The dashboard goes into the bridge, too, unless there is no Node here: then the bridge says how
# to get it. What `node` says decides, so that an installed Node takes effect with the next make.
DASHBOARD     := build/dashboard
# Sources of the plugin alone, as tests/brokers/ builds them, have no dashboard.
DASHBOARD_SRC := $(if $(wildcard dashboard),$(shell find dashboard \( -path dashboard/node_modules \
	-o -path dashboard/tests \) -prune -o -name schema.d.ts -o -type f -print)) \
	$(wildcard bridge/http/openapi/*.json)

.PHONY: FORCE
$(DASHBOARD).node: FORCE
	@mkdir -p build
	@node --version 2>/dev/null | cmp -s - $@ || { node --version 2>/dev/null || true; } > $@

$(DASHBOARD)/.built: $(DASHBOARD_SRC) $(DASHBOARD).node
	dashboard/build.sh $(DASHBOARD) --try

$(OUT)/bridge/dashboard_files.c: $(DASHBOARD)/.built dashboard/embed.sh
	@mkdir -p $(@D)
	dashboard/embed.sh $(DASHBOARD) > $@

## dashboard: build it, or fail (`make` does without it where there is no Node 20.19)
.PHONY: dashboard
dashboard:
	dashboard/build.sh $(DASHBOARD)

# ---- tests -------------------------------------------------------------------------------

# Archives, so that a unit test links just the modules it names.
$(OUT)/libprotocol.a: $(PROTOCOL_OBJ)
$(OUT)/libplugin.a: $(PLUGIN_OBJ)
$(OUT)/libbridge.a: $(filter-out $(OUT)/bridge/main.o,$(BRIDGE_OBJ))
$(OUT)/lib%.a:
	@rm -f $@
	ar rcs $@ $^

$(OUT)/tests/unit/test_%: $(OUT)/tests/unit/test_%.o $(OUT)/libplugin.a $(OUT)/libbridge.a $(OUT)/libprotocol.a
	$(CC) -o $@ $^ $(ALL_LDFLAGS) $(call pkg_libs,$(PLUGIN_PKGS) $(BRIDGE_PKGS) cmocka) -lpthread -lm

# A fuzz target is libFuzzer's program, or one that runs the inputs that are kept. Those that
# drive the plugin link nothing of the bridge, and the other way round: some names are in both.
, := ,
ifeq ($(FLAVOUR),fuzz)
fuzz_main :=
fuzz_link := -fsanitize=fuzzer
else
fuzz_main := $(OUT)/tests/fuzz/replay.o
fuzz_link :=
endif
$(OUT)/tests/fuzz/fuzz_plugin_%: $(OUT)/tests/fuzz/fuzz_plugin_%.o $(fuzz_main) \
		$(OUT)/libplugin.a $(OUT)/libprotocol.a
	$(CC) -o $@ $^ $(ALL_LDFLAGS) $(fuzz_link) $(call pkg_libs,$(PLUGIN_PKGS) cmocka) -lpthread -lm
$(OUT)/tests/fuzz/fuzz_%: $(OUT)/tests/fuzz/fuzz_%.o $(fuzz_main) \
		$(OUT)/libbridge.a $(OUT)/libprotocol.a
	$(CC) -o $@ $^ $(ALL_LDFLAGS) $(fuzz_link) $(call pkg_libs,$(BRIDGE_PKGS)) -lpthread -lm

# What the targets that run parts of the bridge put themselves in the place of.
fuzz_wraps = $(patsubst %,-Wl$(,)--wrap=%,db_submit db_check db_pool_lapses pwhash_submit control_call control_call_parts $(1))
$(OUT)/tests/fuzz/fuzz_inbox: fuzz_link += $(call fuzz_wraps,broker_listen)
$(OUT)/tests/fuzz/fuzz_rest: fuzz_link += $(call fuzz_wraps,request_header request_header_all \
	http_answered identity_loaded identity_user identity_key roster_loaded mirror_hears mirror_get)

.SECONDARY: $(patsubst %.c,$(OUT)/%.o,$(UNIT_SRC) $(FUZZ_SRC) tests/fuzz/replay.c)

## test: install what is missing, build, run unit and integration tests
.PHONY: test
test: deps-test
	$(MAKE) --no-print-directory all unit
	$(MAKE) --no-print-directory itest

## unit: build and run the unit tests (cmocka), and the fuzz targets on the inputs that are kept
.PHONY: unit
unit: $(UNIT_BIN) $(FUZZ_BIN)
	@for t in $(UNIT_BIN); do $$t || exit 1; done
	@for t in $(FUZZ_NAMES); do $(OUT)/tests/fuzz/fuzz_$$t tests/fuzz/corpus/$$t || exit 1; done

## fuzz: fuzz the parsers for FUZZ_SECONDS (600) each; FUZZ="jwt routes" picks some
.PHONY: fuzz
fuzz: deps-fuzz
	$(MAKE) --no-print-directory FLAVOUR=fuzz CC="$(FUZZ_CC)" fuzz-targets
	FUZZ_SECONDS="$(FUZZ_SECONDS)" tests/fuzz/run.sh $(or $(FUZZ),$(FUZZ_NAMES))

.PHONY: fuzz-targets
fuzz-targets: $(FUZZ_BIN)

## itest: run the integration tests (pytest; PYTEST_ARGS="-k name" picks some)
.PHONY: itest
itest: all
	PYTHON=$(PYTHON) tests/integration/run.sh $(PYTEST_ARGS)

## test-truth: every answer held against a model under fire, for TRUTH_MINUTES (30), with TRUTH_SEED
.PHONY: test-truth
test-truth: deps-test all
	TRUTH_MINUTES="$(TRUTH_MINUTES)" TRUTH_SEED="$(TRUTH_SEED)" $(PYTHON) tests/truth

## test-dashboard: the dashboard in Chromium (SCREENSHOTS=DIRECTORY keeps pictures of the views)
.PHONY: test-dashboard
test-dashboard:
	PYTHON=$(PYTHON) dashboard/tests/run.sh

## test-brokers: integration tests on the installed Mosquitto and on those of Debian trixie and forky
.PHONY: test-brokers
test-brokers: deps-test deps-brokers
	$(MAKE) --no-print-directory all
	PYTHON=$(PYTHON) tests/brokers/run.sh $(PYTEST_ARGS)

## asan: unit and integration tests with AddressSanitizer and UBSan (plugin and bridge)
.PHONY: asan
asan: deps-test
	$(MAKE) --no-print-directory FLAVOUR=asan unit all
	ROLLCALL_TEST_BRIDGE=build/asan/rollcall-bridge ROLLCALL_TEST_PLUGIN=build/asan/mosquitto_rollcall.so \
		ROLLCALL_TEST_BROKER_PRELOAD="$$(gcc -print-file-name=libasan.so)" \
		PYTHON=$(PYTHON) tests/integration/run.sh $(PYTEST_ARGS)

## tsan: unit and integration tests with ThreadSanitizer (unit tests and bridge)
.PHONY: tsan
tsan: deps-test all
	$(MAKE) --no-print-directory FLAVOUR=tsan unit bridge
	TSAN_OPTIONS="suppressions=$(CURDIR)/tests/support/tsan.supp" \
		ROLLCALL_TEST_BRIDGE=build/tsan/rollcall-bridge ROLLCALL_TEST_SLOWNESS=4 \
		PYTHON=$(PYTHON) tests/integration/run.sh $(PYTEST_ARGS)

## valgrind: integration tests with broker, plugin and bridge under valgrind; fails on any leak
.PHONY: valgrind
valgrind: deps-test all
	ROLLCALL_TEST_VALGRIND=1 PYTHON=$(PYTHON) tests/integration/run.sh $(PYTEST_ARGS)

# The load harness of the benchmarks.
$(FLEET): $(call objects,$(FLEET_SRC)) $(OUT)/libprotocol.a
	$(CC) -o $@ $^ $(ALL_LDFLAGS)

# What the metrics pipeline is measured against.
BULK_INSERT := $(OUT)/tests/bench/bulk_insert
$(BULK_INSERT): $(OUT)/tests/bench/bulk_insert.o $(OUT)/libprotocol.a
	$(CC) -o $@ $^ $(ALL_LDFLAGS) $(call pkg_libs,libmariadb)

# What asks, and what the bridge's HTTP is measured against.
ASK := $(OUT)/tests/bench/ask
$(ASK): $(OUT)/tests/bench/ask.o $(OUT)/tests/bench/fleet/samples.o $(OUT)/tests/bench/fleet/bytes.o \
		$(OUT)/libprotocol.a
	$(CC) -o $@ $^ $(ALL_LDFLAGS)
FIXED := $(OUT)/tests/bench/fixed
$(FIXED): $(OUT)/tests/bench/fixed.o
	$(CC) -o $@ $^ $(ALL_LDFLAGS) $(call pkg_libs,libmicrohttpd)

## bench: measure against bare Mosquitto (BENCH="connect publish" picks some; see docs/performance.md)
.PHONY: bench
bench: deps-test
	@$(MAKE) --no-print-directory all $(FLEET) $(BULK_INSERT) $(ASK) $(FIXED) >&2
	@$(PYTHON) tests/bench/run.py $(BENCH)

# ---- running -----------------------------------------------------------------------------

## run: install what is missing, build, start everything in the foreground (Ctrl-C stops it)
.PHONY: run
run: deps-run
	@$(MAKE) --no-print-directory all
	@exec deploy/run.sh

## deps-build, deps-run, deps-test, deps-fuzz, deps-lint, deps-brokers: install Debian packages that are missing
.PHONY: deps-build deps-run deps-test deps-fuzz deps-lint deps-brokers
deps-build:
	@deploy/deps.sh build
deps-run:
	@deploy/deps.sh build run
deps-test:
	@deploy/deps.sh build run test
deps-fuzz:
	@deploy/deps.sh build test fuzz
deps-lint:
	@deploy/deps.sh build test lint
deps-brokers:
	@deploy/deps.sh brokers

## install: put plugin and bridge under DESTDIR and PREFIX
.PHONY: install
install: all
	install -D -m 755 $(BRIDGE) $(DESTDIR)$(PREFIX)/bin/rollcall-bridge
	install -D -m 644 $(PLUGIN) $(DESTDIR)$(PREFIX)/lib/mosquitto_rollcall.so

# ---- lint --------------------------------------------------------------------------------

C_FILES := $(wildcard protocol/*.[ch] plugin/*.[ch] bridge/*.[ch] bridge/*/*.[ch] tests/unit/*.[ch] \
	tests/fuzz/*.[ch] tests/bench/*.c tests/bench/fleet/*.[ch] examples/*/*.c)

## lint: formatting, static analysis, exported symbols, include layers, scripts
.PHONY: lint
lint: deps-lint
	$(MAKE) --no-print-directory lint-run

.PHONY: lint-run
lint-run: all
	clang-format --dry-run -Werror $(C_FILES)
	tests/lint/layers.sh
	tests/lint/symbols.sh $(PLUGIN)
	tests/lint/options.sh
	printf '%s\n' $(PROTOCOL_SRC) $(PLUGIN_SRC) $(BRIDGE_SRC) | xargs -P2 -I{} clang-tidy --quiet {} -- \
		-std=c17 -D_GNU_SOURCE -I. -DROLLCALL_VERSION='""' $(call pkg_cflags,$(PLUGIN_PKGS) $(BRIDGE_PKGS))
	shellcheck $$(git ls-files '*.sh' .ci/run)
	$(PYTHON) -m pyflakes $$(git ls-files '*.py')

## format: let clang-format rewrite the C files
.PHONY: format
format:
	clang-format -i $(C_FILES)

## clean: remove build/
.PHONY: clean
clean:
	rm -rf build

## help: this list
.PHONY: help
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST)) | sort

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
