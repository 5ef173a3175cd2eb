# Everything runs from a virtual environment in .venv, made on first use.
PYTHON ?= python3
RUN := .venv/bin

.PHONY: demo debian test check memory races instructions half half-amx half-arm clean trackers

demo: .venv/installed
	$(RUN)/elman train text --minutes 1 --run runs/demo --force
	$(RUN)/elman generate runs/demo --length 400 --temperature 0.7
	@echo && echo "Curves and verdict: runs/demo/report.md. Your own text: $(RUN)/elman train text FILE"

test: .venv/installed
	$(RUN)/python -m pytest -n 2 --dist loadfile

# What tests use beside Python: a browser, with Chinese letters, and a database. Nothing where apt-get or root is
# missing; those tests then say why they are skipped.
DEBIAN := chromium fonts-wqy-zenhei postgresql

debian:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! dpkg -s $(DEBIAN) >/dev/null 2>&1; then \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends $(DEBIAN) >/dev/null || true; \
	fi

# Lint, types, import contract and tests: what CI runs.
check: .venv/installed debian
	$(RUN)/ruff check . && $(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/python -m pytest -n 2 --dist loadfile

.venv/installed: pyproject.toml constraints.txt CMakeLists.txt $(wildcard csrc/*)
	$(PYTHON) -m venv .venv
	$(RUN)/pip install --quiet --constraint constraints.txt torch
	$(RUN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The kernels under the sanitizers. Memory and undefined behaviour: their tests, with a build of their
# own; paths of PYTHONPATH come without the installed one. Races: a program without PyTorch, whose
# threads are not instrumented.
SANITIZED := build/sanitized

memory: .venv/installed
	$(RUN)/pip install --quiet --constraint constraints.txt nanobind
	cmake -S . -B $(SANITIZED) -DPython_EXECUTABLE=$(abspath $(RUN)/python) \
	  -DELMAN_OPTIMIZE=-O1 -DCMAKE_CXX_FLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -g"
	cmake --build $(SANITIZED) --parallel
	cp -r src/elman $(SANITIZED)/ && cp $(SANITIZED)/_native*.so $(SANITIZED)/elman/kernels/
	LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libstdc++.so)" \
	  ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=$(abspath $(SANITIZED)):$$($(RUN)/python -c "import sysconfig as s; print(s.get_path('purelib'))") \
	  PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(PYTHON) -m pytest -p xdist.plugin -n 2 tests/kernels \
	  tests/tasks/translate/test_packed.py -k "not fork and not freed and not instructions"

races:
	mkdir -p build
	$(CXX) -std=c++17 -O1 -g -fsanitize=thread -ffp-contract=off -Wno-psabi -DELMAN_ISA=portable \
	  -Icsrc csrc/sweep.cpp csrc/gradient.cpp csrc/pool.cpp \
	  tests/kernels/sanitizers/races.cpp -o build/races -ldl -pthread
	build/races

# The instructions that small calls take, counted by valgrind: what later builds are held against.
instructions: .venv/installed
	$(RUN)/python tests/kernels/test_instructions.py

# The kernels in bf16 beside those in float32, and rows alone beside the same rows in a batch, without Python; of
# ARM by a cross compiler and an emulator.
HALF_TEST := -std=c++17 -O1 -g -ffp-contract=off -Wall -Wextra -Wno-psabi -Wno-maybe-uninitialized -Icsrc
define build_half
	mkdir -p build/$(1)
	for file in sweep gradient; do \
	  $(2) $(HALF_TEST) -DELMAN_ISA=portable -c csrc/$$file.cpp -o build/$(1)/$$file.o && \
	  $(2) $(HALF_TEST) $(3) -DELMAN_HALF -DELMAN_ISA=$(1) -c csrc/$$file.cpp -o build/$(1)/half_$$file.o || exit 1; \
	done
	$(2) $(HALF_TEST) $(3) -DELMAN_HALF -DELMAN_ISA=$(1) -c csrc/limits_bf16.cpp -o build/$(1)/half_limits.o
	$(2) $(HALF_TEST) $(4) -DELMAN_HALF_ISA=$(1) tests/kernels/sanitizers/half.cpp build/$(1)/*.o -o build/$(1)/half
endef

half:
	$(call build_half,avx512bf16,$(CXX),-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mfma -mf16c,)
	build/avx512bf16/half

half-amx:
	$(call build_half,amx,$(CXX),-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mamx-tile -mamx-bf16 -mfma -mf16c,)
	build/amx/half

half-arm:
	$(call build_half,neonbf16,aarch64-linux-gnu-g++,-march=armv8.2-a+bf16,-static)
	qemu-aarch64-static -cpu max build/neonbf16/half

# All four trackers, in an environment of their own: trackio wants an older Pillow than is pinned.
trackers:
	$(PYTHON) -m venv build/trackers
	grep -vi '^pillow==' constraints.txt > build/trackers/constraints.txt
	build/trackers/bin/pip install --quiet -c build/trackers/constraints.txt torch
	build/trackers/bin/pip install --quiet -c build/trackers/constraints.txt pytest pytest-xdist hypothesis \
	  ".[tensorboard,mlflow,wandb,trackio,audio]"
	build/trackers/bin/python -m pytest tests/run/tracking
