# Everything from a fresh checkout: each target sets up what is missing first (tools/setup.sh).
#   make build    the program at build/rlrun, its tests beside it
#   make run      the ten-minute tour's training run (configs/quickstart.yaml)
#   make test     all tests; the fast ones also with sanitizers and with clang
#   make quick    the fast tests only
#   make soak     a run killed SOAK_KILLS times, every fault and damage (docs/testing.md)
#   make install  to PREFIX (default /usr/local); the tree there can be moved
#   make fuzz     the libFuzzer targets, FUZZ_SECONDS each (needs clang with its sanitizers)
#   make format   clang-format on all sources
#   make clean    drops what was built, keeps what was fetched
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
SOAK_KILLS ?= 100
JOBS ?= $(shell nproc)
WERROR := $(if $(CI),-DRLRUN_WERROR=ON)
CTEST := ctest --output-on-failure --no-tests=error -j $(JOBS)

.PHONY: build run test test-clang quick soak install fuzz format clean setup

build: setup
	@test -f build/build.ninja || cmake --preset release
	@cmake --build build -j $(JOBS)

run: build
	./build/rlrun ddpg --env cheetah --encoder byol --config quickstart $(ARGS)

quick: build
	$(CTEST) --test-dir build -L fast

test:
	@tools/setup.sh test
	cmake --preset release $(WERROR)
	cmake --build build -j $(JOBS)
	$(CTEST) --test-dir build
	cmake --preset dev
	cmake --build build/dev -j $(JOBS)
	$(CTEST) --test-dir build/dev -L fast
	@if command -v clang >/dev/null; then $(MAKE) --no-print-directory test-clang; \
	 else echo "clang is missing: its build is left out"; fi

test-clang:
	cmake --preset clang
	cmake --build build/clang -j $(JOBS)
	$(CTEST) --test-dir build/clang -L fast

soak: build
	RLRUN_SOAK_KILLS=$(SOAK_KILLS) ctest --test-dir build -R '^slow_(soak|determinism)$$' -V --timeout 3600

install: build
	cmake --install build --prefix $(PREFIX)

fuzz: setup
	cmake --preset fuzz
	cmake --build build/fuzz -j $(JOBS)
	tests/fuzz/run.sh build/fuzz $(FUZZ_SECONDS)

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	@find build -mindepth 1 -maxdepth 1 ! -name deps -exec rm -rf {} + 2>/dev/null || true

setup:
	@tools/setup.sh
